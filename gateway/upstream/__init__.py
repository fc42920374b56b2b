"""Blocks from elsewhere: which upstream is asked, how, and what is believed of its answer.

Pure, they decide: selection (who is best), health (who is fit), trail (what is tried next), budget
(how many retries and hedges), absences (what nobody has), request (what is sent and taken),
horizon, and what the lines of others say (json_lines, cluster_records, routing_records).

pool keeps the books of every upstream; probe and cluster keep it up to date; presence asks who has
a block. client and api send requests over the sessions of connector. flight is the table of blocks
under way; fetch, carstream and race bring blocks into it, in tasks of their own; asker starts them
for one reader, stripes has parts of a large file brought by several upstreams, players reads ahead
for films; retrieve is what a request sees.
"""
