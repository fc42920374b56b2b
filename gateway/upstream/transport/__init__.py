"""HTTP clients for trustless gateways, and for the APIs of clusters, routers and DNS servers.

client    fetches blocks, CARs and IPNS records from trustless gateways
request   targets and headers of requests, checks of response heads (pure)
api       fetches small JSON answers of clusters and routers
doh       sends DNS messages over HTTPS
"""
