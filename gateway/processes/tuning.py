"""How the C library hands out memory."""

import ctypes
from contextlib import suppress
from typing import Final

# malloc.h of glibc
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

HEAP_BYTES: Final = 4 * 1024 * 1024
"""What is smaller comes from the heap; blocks have up to 2 MiB."""
SPARE_BYTES: Final = 8 * 1024 * 1024
"""Free memory at the end of the heap that the process keeps for what comes next."""


def set_up_allocator() -> None:
    """Set up for a gateway what glibc does for any program; does nothing where there is none.

    Call it before threads start.

    One arena: blocks are read by threads and received in the event loop. With an arena for each
    thread what one of them frees is of no use to the others: 512 MiB read from disk after 512 MiB
    had come from an upstream took twice `cache.memory_size`. Who allocates holds the interpreter's
    lock, so one arena is as fast.

    Some spare memory: without it each block that passes is given new, zeroed pages and hands them
    back (benchmarks/hits.py, 64 MiB from the disk: a tenth of the CPU).
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, HEAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, SPARE_BYTES)
