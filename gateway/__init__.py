"""A caching IPFS HTTP gateway: fetch from anyone, trust no one, serve from the disk.

The house, from top to bottom; imports point down only:

    cli, __main__                    the commands
    wiring | processes               every concrete class, joined; workers started and watched
    web | admin | demo               the ASGI edges: content, operators, the demo's upstream
    pipeline                         the life of a request
    upkeep                           what operators order: warm, pin, purge
    upstream | cache | naming | guard | ops   the I/O packages, which do not know each other
    net                              connections to machines that are not trusted
    background                       tasks that go on until the end: watched, started again
    breaker                          a part that failed a few times in a row rests for a while
    client_table                     request counts of clients, in memory that workers share
    offload                          long computations beside the event loop
    regular_file                     files that settings name, looked at before they are read
    shared_redis                     the connection to the Redis that machines share
    ports                            every seam to the outside
    protocol                         pure: what the HTTP gateway specifications say
    content                          pure: IPFS bytes to values and back
    settings | errors
"""

__version__ = "0.2.0"
