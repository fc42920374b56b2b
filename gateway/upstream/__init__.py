"""Retrieval of blocks and IPNS records from upstreams, and load balancing among them.

    records      IPNS records, from any upstream
    retrieval    the blocks of a request: from the cache, a fetch in flight or a new one
    balancing    choice of the next upstream: health, quotas, holders, distance
    transport    HTTP requests to trustless gateways and to the APIs of clusters and routers

Retrieval uses balancing and transport, balancing uses transport, never the other way.
"""
