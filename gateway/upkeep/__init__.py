"""What operators order of a running gateway: fetch ahead, keep for ever, take out.

    orders    one order as JSON to the answer as JSON: what a worker is asked
    purge     which cached blocks belong to a root, and taking them out
    warm      whole DAGs fetched ahead, as jobs with progress
    pins      roots that stay: one process brings the cache in line with the list of them
    fetch     walks over whole DAGs

It knows the cache and the upstreams by their ports only.
"""
