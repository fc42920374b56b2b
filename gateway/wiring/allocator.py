"""How the C library hands out memory."""

import ctypes
from contextlib import suppress
from typing import Final

_M_ARENA_MAX: Final = -8  # malloc.h of glibc


def use_one_arena() -> None:
    """Have all threads allocate from one arena; does nothing where there is no glibc.

    Blocks are read by threads and received in the event loop. With an arena for each thread what
    one of them frees is of no use to the others: 512 MiB read from disk after 512 MiB had come
    from an upstream took twice `cache.memory_size`. Who allocates holds the interpreter's lock, so
    one arena is as fast. Call it before threads start.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
