"""Which upstream is asked next, and the books of every request to one.

pool               all upstreams, with what is known of each; opens and closes calls
selection          the choice, a pure function of what is known and of now
member             one upstream: settings, health, quota
health             failures, ejection and the way back (pure); health_check sends the probes
quota              what an upstream may be asked (pure)
holders            asks which upstreams hold a block before one is asked for it
cluster            nodes and allocations of an IPFS Cluster; cluster_records parses (pure)
delegated_routing  providers that a delegated router knows; routing_records parses (pure)
"""
