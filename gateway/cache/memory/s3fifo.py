"""S3-FIFO by cost: which of many things to keep, decided by queues alone.

Yang et al., "FIFO queues are all you need for cache eviction" (SOSP 2023): new things wait in a
small queue and reach the main one only when they were asked for again, so that a scan of things
that nobody wants twice does not push out the ones that everybody wants. A ghost queue remembers
keys of things that left the small queue too early.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

SMALL_SHARE: Final = 10
"""Percent of the capacity that new things may fill (section 4.1 of the paper)."""
PROMOTION_HITS: Final = 2
"""Hits in the small queue that make a thing move to the main one (more than one, section 4.2)."""
MAX_HITS: Final = 3
"""Hits that are counted: two bits (section 4.2)."""

V = TypeVar("V")


class Entry(Generic[V]):
    """One thing that is kept."""

    __slots__ = ("cost", "hits", "turn", "value")

    def __init__(self, value: V, cost: int) -> None:
        self.value = value
        self.cost = cost
        self.hits = 0
        self.turn = 0
        """For whoever owns the queues."""


class S3Fifo(Generic[V]):
    """Things by key, never more than `capacity` in cost. All methods are O(1), `put` amortised."""

    def __init__(self, capacity: int) -> None:
        """Make empty queues."""
        self.capacity = capacity
        self.size = 0
        """The cost of all that is kept; never above `capacity`."""
        self._small_size = 0
        self._small: OrderedDict[bytes, Entry[V]] = OrderedDict()
        self._main: OrderedDict[bytes, Entry[V]] = OrderedDict()
        self._ghosts: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._small) + len(self._main)

    def __contains__(self, key: bytes) -> bool:
        return key in self._main or key in self._small

    def find(self, key: bytes) -> Entry[V] | None:
        """Return an entry and count the hit, or None."""
        entry = self._main.get(key)
        if entry is None:
            entry = self._small.get(key)
            if entry is None:
                return None
        if entry.hits < MAX_HITS:
            entry.hits += 1
        return entry

    def put(self, key: bytes, entry: Entry[V]) -> list[Entry[V]]:
        """Keep what is not here yet and costs no more than `capacity`; return what had to go."""
        is_ghost = key in self._ghosts
        if is_ghost:
            del self._ghosts[key]
        gone: list[Entry[V]] = []
        while self.size + entry.cost > self.capacity:
            self._evict_step(gone)
        self.size += entry.cost
        if is_ghost:
            self._main[key] = entry
        else:
            self._small[key] = entry
            self._small_size += entry.cost
        return gone

    def resize(self, capacity: int) -> list[Entry[V]]:
        """Change the capacity; return what had to go."""
        self.capacity = capacity
        gone: list[Entry[V]] = []
        while self.size > capacity:
            self._evict_step(gone)
        return gone

    def remove(self, key: bytes) -> bool:
        """Drop one; tell whether it was here."""
        self._ghosts.pop(key, None)
        entry = self._main.pop(key, None)
        if entry is None:
            entry = self._small.pop(key, None)
            if entry is None:
                return False
            self._small_size -= entry.cost
        self.size -= entry.cost
        return True

    def clear(self) -> None:
        """Drop everything."""
        self._small.clear()
        self._main.clear()
        self._ghosts.clear()
        self.size = self._small_size = 0

    def _evict_step(self, gone: list[Entry[V]]) -> None:
        main_size, small_capacity = self.size - self._small_size, self.capacity * SMALL_SHARE // 100
        main_is_over = main_size > self.capacity - small_capacity
        if main_is_over or not self._small:
            self._turn_main(gone)
        else:
            self._turn_small(gone)

    def _turn_main(self, gone: list[Entry[V]]) -> None:
        key, entry = self._main.popitem(last=False)
        if entry.hits:
            entry.hits -= 1
            self._main[key] = entry
        else:
            self.size -= entry.cost
            gone.append(entry)

    def _turn_small(self, gone: list[Entry[V]]) -> None:
        key, entry = self._small.popitem(last=False)
        self._small_size -= entry.cost
        if entry.hits >= PROMOTION_HITS:
            entry.hits = 0
            self._main[key] = entry
        else:
            self.size -= entry.cost
            gone.append(entry)
            self._remember(key)

    def _remember(self, key: bytes) -> None:
        self._ghosts[key] = None
        # The paper remembers as many keys as the main queue has; by count, so that the owner can
        # put the cost of a key on its entry. Everything counts here, so that a tier of one queue
        # has ghosts too.
        while len(self._ghosts) > len(self) + 1:
            self._ghosts.popitem(last=False)
