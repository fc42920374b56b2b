"""Tuning of the process: glibc's allocator and the scheduling policy."""

import ctypes
import os
from contextlib import suppress
from typing import Final

# malloc.h of glibc
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

HEAP_BYTES: Final = 4 * 1024 * 1024
"""Smaller allocations come from the heap; blocks have up to 2 MiB."""
SPARE_BYTES: Final = 8 * 1024 * 1024
"""Free memory at the end of the heap that the process keeps for later allocations."""


def set_up_allocator() -> None:
    """Configure glibc's malloc for a gateway; does nothing with another C library.

    Call it before threads start.

    One arena: threads read blocks, the event loop receives them. With an arena per thread, memory
    that one of them frees is of no use to the others: 512 MiB read from disk after 512 MiB had come
    from an upstream took twice `cache.memory_size`. A thread that allocates holds the GIL anyway,
    so one arena is as fast.

    Spare memory: without it, each block that passes through gets new, zeroed pages and returns them
    to the system (benchmarks/hits.py, 64 MiB from the disk: a tenth of the CPU).
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, HEAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, SPARE_BYTES)


def be_patient() -> None:
    """Set SCHED_BATCH (sched(7)): the process does not preempt others when it wakes up.

    Call it before threads start, which inherit it. It does nothing on systems other than Linux.

    A worker that shares cores with other workers, nginx or clients preempts them for each request
    that comes in, and then finds that single request. Under SCHED_BATCH several requests wait by
    the time it runs, and a turn of the event loop costs the same. Measured with two workers and the
    load on two cores
    (benchmarks/hits.py, 10 KiB): 0.02 switches a request, not 0.15, and a tenth less CPU; a quarter
    less with busy processes beside them. An idle core still runs a worker at once: a few
    connections are answered as quickly, and at full load p99 was 6 to 7 ms, not 5.
    """
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
