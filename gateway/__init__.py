"""A caching IPFS HTTP gateway: fetch from anyone, trust no one, serve from the disk.

The house, from top to bottom; imports point down only:

    cli, __main__                    the commands
    wiring                           the one module that knows every concrete class
    web | admin | demo               the Starlette edges: content, operators, demo origin
    pipeline                         the life of a request
    upkeep                           what operators order: warm, pin, purge
    upstream | cache | naming | guard | ops   the I/O packages, which do not know each other
    aside                            long work beside the event loop, and turns for others
    breaker                          what failed a few times in a row is left alone for a while
    regular_file                     files that a setting names are looked at before they are read
    shared_redis                     the connection to the Redis that machines share
    ports                            every seam to the outside
    protocol                         pure: what the HTTP gateway specifications say
    content                          pure: IPFS bytes to values and back
    settings | errors
"""

__version__ = "0.2.0"
