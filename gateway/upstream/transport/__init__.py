"""HTTP to trustless gateways and to the APIs beside them.

client    blocks, CARs and records of a trustless gateway
request   what is sent, and what is taken of the head of an answer (pure)
api       small JSON answers of clusters and routers
doh       DNS messages over HTTPS
"""
