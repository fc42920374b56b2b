"""A cache bounded in bytes that evicts by CLOCK (FIFO with a second chance).

Built on an ordered dictionary: an entry that was used since it came to the front moves to the back.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """A value with a size."""

    @property
    def size_bytes(self) -> int:
        """Bytes of memory that the value takes."""
        ...


E = TypeVar("E", bound=Sized)


class Pool(Generic[E]):
    """Entries by key, never more than `capacity_bytes` with what is reserved.

    Args:
        capacity_bytes: 0 turns the cache off.
        most_bytes: size limit of one entry.
        used: keys that were used; the owner adds to it.
        dropped: called with the key of each entry that is evicted.
        reserved: returns the bytes of the capacity that something else holds.
    """

    def __init__(
        self,
        capacity_bytes: int,
        most_bytes: int,
        used: set[bytes],
        dropped: Callable[[bytes], None],
        reserved: Callable[[], int] = lambda: 0,
    ) -> None:
        self._capacity = capacity_bytes
        self._most = most_bytes
        self._used = used
        self._dropped = dropped
        self._reserved = reserved
        self._size = 0
        self.entries: dict[bytes, E] = {}
        """For reading only."""

    @property
    def size_bytes(self) -> int:
        """Bytes held and reserved."""
        return self._size + self._reserved()

    def put(self, key: bytes, entry: E) -> None:
        """Keep an entry, unless it is too large or its key is there already."""
        size = entry.size_bytes
        if size > self._most or key in self.entries:
            return
        self.make_room(size)
        self.entries[key] = entry
        self._size += size

    def make_room(self, size: int = 0) -> None:
        """Evict entries until `size` more bytes fit."""
        while self.entries and self.size_bytes + size > self._capacity:
            self._drop_one()

    def _drop_one(self) -> None:
        while True:
            key = next(iter(self.entries))
            entry = self.entries.pop(key)
            if key not in self._used:
                self._size -= entry.size_bytes
                self._dropped(key)
                return
            self._used.discard(key)
            self.entries[key] = entry

    def clear(self) -> None:
        """Remove all entries, without a call of `dropped`."""
        self.entries.clear()
        self._size = 0
