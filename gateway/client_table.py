"""When each client's bucket is full again, in memory that all workers of a gateway share.

Two arrays of one length: tags and times. A tag is the hash of a key, so workers that share a table
must hash alike: their parent gives all of them the same `PYTHONHASHSEED`, which is what that
variable is for. Nothing is locked: an aligned word is written at once, and two workers that count
the same client in the same microsecond lose one of the two counts. Times are monotonic seconds,
which on Linux are the same in all processes (clock_gettime(2)).
"""

import mmap
import os
from tempfile import TemporaryFile
from typing import Final

SLOTS: Final = 524_288
"""8 MiB, of which only what was touched is memory. Twice as many as the clients to expect."""
WAYS: Final = 8
"""Slots in which a key may be; a line of 64 bytes has so many times."""
_SLOT_BYTES: Final = 16


class ClientTable:
    """One table; several objects in several processes may look at the same one.

    A key has one of `WAYS` neighbouring slots. When all of them belong to others, the client whose
    bucket is full first is forgotten: it has a full bucket now.
    """

    __slots__ = ("fd", "mask", "tags", "times")

    def __init__(self, memory: mmap.mmap, fd: int = -1) -> None:
        """Look at a table; its slots are a power of two."""
        slots = len(memory) // _SLOT_BYTES
        view = memoryview(memory)
        self.fd = fd
        """Of the memory, for `open` in another process; -1 for a table of one process."""
        self.mask: Final = slots - 1
        self.tags = view[: slots * 8].cast("q")
        self.times = view[slots * 8 :].cast("d")

    @classmethod
    def private(cls, slots: int = SLOTS) -> "ClientTable":
        """Make a table for one process."""
        return cls(mmap.mmap(-1, slots * _SLOT_BYTES))

    @classmethod
    def shared(cls, slots: int = SLOTS) -> "ClientTable":
        """Make a table for several processes, which get its descriptor."""
        fd = _open_memory()
        os.ftruncate(fd, slots * _SLOT_BYTES)
        return cls.open(fd)

    @classmethod
    def open(cls, fd: int) -> "ClientTable":
        """Look at the table that somebody else made."""
        return cls(mmap.mmap(fd, 0), fd)

    def claim(self, tag: int, now: float) -> int:
        """Return the slot of a tag; it becomes its own if it has none."""
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
    """Open memory that other processes can be given, as a descriptor.

    A file without a name does where there are no memfds: elsewhere than on Linux, and where a
    container's seccomp profile refuses them.
    """
    try:
        return os.memfd_create("clients")
    except (AttributeError, OSError):
        with TemporaryFile() as file:
            return os.dup(file.fileno())
