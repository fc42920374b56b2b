"""Measurements of the whole gateway, as real processes on loopback.

    python -m benchmarks            hits, the mix, misses and a short load, one after the other
    python -m benchmarks.hits       cached answers, against nginx, Varnish, Kubo and Rainbow
    python -m benchmarks.mix        hot, from disk and cold, beside nginx's proxy_cache and Rainbow
    python -m benchmarks.trace      a trace like that of ipfs.io, beside the same two
    python -m benchmarks.misses     cold answers, against a Kubo gateway that is the upstream itself
    python -m benchmarks.cold       cold files over long and narrow links, against one plain stream,
                                    Rainbow, and a Kubo that fetches block by block
    python -m benchmarks.faults     what clients notice when one of three upstreams goes bad
    python -m benchmarks.amplification   bytes and requests that a client costs upstreams; pauses
    python -m benchmarks.load       locust: a mix of requests like that of public gateways
    python -m benchmarks.policies   how often caches hit, on a trace like that of ipfs.io
    python -m benchmarks.kills      SIGKILL: of writers to a cache, and of a gateway with a full one
    python -m benchmarks.swaps      answers in order: a slow HEAD and a hot GET on one connection
    python -m benchmarks.stalls     hostile requests: how long each holds up all others
    python -m benchmarks.scale      the disk tier with a million blocks: finds, and evictions

Of single functions and parts:

    python -m benchmarks.micro.bench_hot        our own code for a hot answer, without the kernel
    python -m benchmarks.micro.bench_cache      finding a block on the disk
    python -m benchmarks.micro.bench_content    CIDs, paths, dag-pb, and verifying a block

Each has --help, those of `micro` apart. Results go to `benchmarks/results/`. Only ratios within one
run carry over to another machine. Programs to compare with are found in the folder `GATEWAY_PEERS`
or on the PATH.

`harness` starts and stops processes, `link` is a long, narrow or faulty link, `contenders` and
`fetchers` are the servers that hits and cold files are compared on, `generator` and `sequence` make
load on one address and on many, `content`, `shelf` and `blocks` make what is served, `profiles`
tells where the CPU goes, `writers` are processes that write to a cache,
`cache_directory` reads what is really there, `promises` compares with bars, and `report` prints.
"""
