"""Measurements of the whole gateway, as real processes on loopback.

    python -m benchmarks            hits, the mix, misses and a short load, one after the other
    python -m benchmarks.hits       cached answers, against nginx, Varnish, Kubo and Rainbow
    python -m benchmarks.mix        hot, from disk and cold, beside nginx's proxy_cache and Rainbow
    python -m benchmarks.trace      a trace like that of ipfs.io, beside the same two
    python -m benchmarks.misses     cold answers, against a Kubo gateway that is the upstream itself
    python -m benchmarks.cold       cold files over long and narrow links, against one plain stream,
                                    Rainbow, and a Kubo that fetches block by block
    python -m benchmarks.faults     effect on clients when one of three upstreams fails
    python -m benchmarks.amplification   bytes and requests that a client costs upstreams; pauses
    python -m benchmarks.load       locust: a mix of requests like that of public gateways
    python -m benchmarks.policies   how often caches hit, on a trace like that of ipfs.io
    python -m benchmarks.kills      SIGKILL of writers to a cache, and of a gateway with a full one
    python -m benchmarks.swaps      order of answers to a slow HEAD and a hot GET on one connection
    python -m benchmarks.stalls     hostile requests: how long each delays other clients
    python -m benchmarks.scale      the disk tier with a million blocks: look-ups and evictions

Micro-benchmarks of single functions:

    python -m benchmarks.micro.bench_hot        our own code for a hot answer, without the kernel
    python -m benchmarks.micro.bench_cache      finding a block on the disk
    python -m benchmarks.micro.bench_content    CIDs, paths, dag-pb, and verifying a block

Each except those of `micro` has --help. Results go to `benchmarks/results/`. Only ratios within one
run carry over to another machine. Peers (other servers) are searched in the
folder `GATEWAY_PEERS` and on the PATH.

`rig` has the processes, links, load generators and profiles; `data` the files and traces that are
served; `report` the tables, plots and comparisons with bars.
"""
