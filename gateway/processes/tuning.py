"""How the C library hands out memory."""

import ctypes
import os
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


def be_patient() -> None:
    """Wait for a turn instead of taking it from who runs on a core, sched(7), SCHED_BATCH.

    Call it before threads start: they do as their maker does. It does nothing elsewhere than on
    Linux.

    Workers that share cores with each other, with nginx or with clients preempt them with each
    request that comes in, and find that one request. With patience several wait by then, and a
    turn of the event loop costs the same. Measured with two workers and the load on two cores
    (benchmarks/hits.py, 10 KiB): 0.02 switches a request, not 0.15, and a tenth less CPU; a quarter
    less with busy processes beside them. A core that has nothing to do still takes a worker at
    once: a few connections are answered as quickly, and at full load p99 was 6 to 7 ms, not 5.
    """
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
