"""Measurements of the whole gateway, as real processes on loopback.

    python -m benchmarks            hits, misses and a short load: ratio tables
    python -m benchmarks --smoke    the same with a second for each figure
    python -m benchmarks.hits       cached answers, against nginx, Varnish, Kubo and Rainbow
    python -m benchmarks.misses     cold answers, against a Kubo gateway that is the upstream itself
    python -m benchmarks.load       locust: a mix of requests like that of public gateways

Results go to `benchmarks/results/`. Only ratios within one run carry over to another machine.
`harness` starts and stops processes, `contenders` the servers that hits are compared on,
`generator` makes load, `content` makes what is served,
`report` prints. Micro-benchmarks of single functions are in `micro/`.
"""
