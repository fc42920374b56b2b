"""Measurements of the whole gateway, as real processes on loopback.

    python -m benchmarks            hits, misses and a short load: ratio tables
    python -m benchmarks --smoke    the same with a second for each figure
    python -m benchmarks.hits       cached answers, against nginx, Varnish, Kubo and Rainbow
    python -m benchmarks.misses     cold answers, against a Kubo gateway that is the upstream itself
    python -m benchmarks.load       locust: a mix of requests like that of public gateways
    python -m benchmarks.kills      SIGKILL: of writers to a cache, and of a gateway with a full one
    python -m benchmarks.scale      the disk tier with a million blocks: finds, and evictions

Results go to `benchmarks/results/`. Only ratios within one run carry over to another machine.
`harness` starts and stops processes, `contenders` the servers that hits are compared on,
`generator` makes load, `content` and `blocks` make what is served, `writers` are processes that
write to a cache, `cache_directory` reads what is really there,
`report` prints. Micro-benchmarks of single functions are in `micro/`.
"""
