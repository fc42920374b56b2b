"""How many files and connections this process may have open."""

import resource
from contextlib import suppress


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
