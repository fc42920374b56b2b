"""How many files and connections this process may have open."""

import resource
from contextlib import suppress
from typing import Final

RESERVED: Final = 512  # for upstreams, files, and the connections of operators
OPERATORS_ROOM: Final = 256  # connections of people and programs that watch: few, and short
LEAST_ROOM: Final = 32
"""Where descriptors are so few that nothing can be reserved."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit on open files to the hard one, as Go programs do; return what it is.

    A shell's usual 1,024 would end at a thousand clients; systemd and containers allow far more.
    Child processes inherit it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS refuses "unlimited"
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def room_for_connections() -> int:
    """Return how many connections of clients there may be: each can take two descriptors."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max((limit - RESERVED) // 2, LEAST_ROOM)
