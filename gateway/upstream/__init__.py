"""Blocks from elsewhere: which upstream is asked, how, and what is believed of its answer.

selection and health are pure and decide; pool keeps the books; request says what is sent and what
is taken; client is the one file that knows aiohttp; flight is the table of blocks under way;
fetch, raw and carstream bring blocks into it, each in a task of its own; retrieve is what a
request sees.
"""
