"""Blocks from elsewhere: which upstream is asked, how, and what is believed of its answer.

    records      IPNS records of any upstream
    retrieval    what a request sees: blocks from the cache, a fetch in flight or a new one
    balancing    which upstream is next: health, quotas, holders, distance
    transport    HTTP requests to trustless gateways and to the APIs of clusters and routers

Retrieval uses balancing and transport, balancing uses transport, never the other way.
"""
