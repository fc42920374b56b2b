"""A table of rate-limit buckets by client, in memory that all workers share.

Two arrays of one length: tags and times. A tag is the hash of a client's key, so workers that share
a table must hash alike: their parent gives all of them the same `PYTHONHASHSEED`. A time says when
the bucket is full again, in monotonic seconds, which on Linux are the same in all processes
(clock_gettime(2)). There are no locks: an aligned word is written atomically, and two workers that
count the same client in the same microsecond lose one of the two counts.
"""

import mmap
import os
from tempfile import TemporaryFile
from typing import Final

SLOTS: Final = 524_288
"""Twice the clients to expect; 8 MiB, of which only used pages take memory."""
WAYS: Final = 8
"""Slots in which a key may be; a cache line of 64 bytes holds so many times."""
_SLOT_BYTES: Final = 16


class ClientTable:
    """A view of a table; objects in several processes may share its memory.

    A key has one of `WAYS` neighbouring slots. When other clients hold all of them, the one whose
    bucket is full first is evicted, which gives it a full bucket.
    """

    __slots__ = ("fd", "mask", "tags", "times")

    def __init__(self, memory: mmap.mmap, fd: int = -1) -> None:
        """Map `memory`, whose slots must be a power of two."""
        slots = len(memory) // _SLOT_BYTES
        view = memoryview(memory)
        self.fd = fd
        """Descriptor of the memory, for `open` in another process; -1 for a private table."""
        self.mask: Final = slots - 1
        self.tags = view[: slots * 8].cast("q")
        self.times = view[slots * 8 :].cast("d")

    @classmethod
    def private(cls, slots: int = SLOTS) -> "ClientTable":
        """Create a table for one process."""
        return cls(mmap.mmap(-1, slots * _SLOT_BYTES))

    @classmethod
    def shared(cls, slots: int = SLOTS) -> "ClientTable":
        """Create a table that other processes open by its descriptor, `fd`."""
        fd = _open_memory()
        os.ftruncate(fd, slots * _SLOT_BYTES)
        return cls.open(fd)

    @classmethod
    def open(cls, fd: int) -> "ClientTable":
        """Open a table that another process created."""
        return cls(mmap.mmap(fd, 0), fd)

    def claim(self, tag: int, now: float) -> int:
        """Return the slot of a tag; assigns it one, with a time of 0, if it has none."""
        home = tag & self.mask
        first = home & ~(WAYS - 1)
        ways = range(first, first + WAYS)
        for slot in ways:
            if self.tags[slot] == tag:
                return slot
        slot = home if self.times[home] <= now else min(ways, key=self.times.__getitem__)
        self.tags[slot] = tag
        self.times[slot] = 0.0
        return slot


def _open_memory() -> int:
    """Return a descriptor of memory that child processes can inherit.

    An unnamed file serves where memfd_create(2) does not work: on systems other than Linux, and
    where a container's seccomp profile refuses it.
    """
    try:
        return os.memfd_create("clients")
    except (AttributeError, OSError):
        with TemporaryFile() as file:
            return os.dup(file.fileno())
