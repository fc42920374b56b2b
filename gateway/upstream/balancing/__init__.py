"""Load balancing: the choice of the next upstream, and statistics of every call.

pool               all upstreams with their states; opens and closes calls
selection          the choice, a pure function of the candidates and the time
member             one upstream: settings, health, quota
health             failures, ejection and readmission (pure); health_check sends the probes
quota              rate and daily limits of an upstream (pure)
holders            finds the upstreams that hold a block, before any is asked to fetch it
cluster            nodes and allocations of an IPFS Cluster; cluster_records parses (pure)
delegated_routing  providers from a delegated router; routing_records parses (pure)
"""
