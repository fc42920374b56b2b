"""Blocks in RAM: S3-FIFO by bytes.

Yang et al., "FIFO queues are all you need for cache eviction" (SOSP 2023): new blocks wait in a
small queue and reach the main one only when they were asked for again, so that a scan of blocks
that nobody wants twice does not push out the ones that everybody wants. A ghost queue remembers
keys of blocks that left the small queue too early.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gateway.cache.outcome import EvictionReason
from gateway.content.block import Block, rename
from gateway.content.cid import Cid
from gateway.ports import Observer, Tier

ENTRY_BYTES: Final = 704
"""What a block costs besides its data: Python objects, queue node and its share of the ghosts.
Measured: tests/unit/cache/test_memory.py, `tracemalloc`."""

SMALL_SHARE: Final = 10
"""Percent of the capacity that new blocks may fill (section 4.1 of the paper)."""
PROMOTION_HITS: Final = 2
"""Hits in the small queue that make a block move to the main one (more than one, section 4.2)."""
MAX_HITS: Final = 3
"""Hits that are counted: two bits (section 4.2)."""
TURN_SHARE: Final = 4
"""A turn ends when this part (1/4) of the capacity was put."""


class _Entry:
    __slots__ = ("block", "cost", "hits", "turn")

    def __init__(self, block: Block, cost: int, turn: int) -> None:
        self.block = block
        self.cost = cost
        self.hits = 0
        self.turn = turn


class MemoryTier:
    """Blocks by multihash, never more than `capacity_bytes` with their overhead.

    Belongs to the thread of the event loop. All methods are O(1); `put` is so amortised.
    """

    def __init__(
        self,
        capacity_bytes: int,
        observer: Observer,
        reused: Callable[[bytes], None] | None = None,
    ) -> None:
        """Make an empty tier; capacity 0 turns it off.

        Args:
            capacity_bytes: data and `ENTRY_BYTES` for each block.
            observer: told of evictions.
            reused: told the multihash of a block that is found again, once in the time in which
                a quarter of the capacity is put. Hits here are invisible to the order of use of
                the disk tier; this is how it learns what must stay, long before it evicts it.
        """
        self._capacity = capacity_bytes
        self._small_capacity = capacity_bytes * SMALL_SHARE // 100
        self._observer = observer
        self._reused = reused
        self._small: OrderedDict[bytes, _Entry] = OrderedDict()
        self._main: OrderedDict[bytes, _Entry] = OrderedDict()
        self._ghosts: OrderedDict[bytes, None] = OrderedDict()
        self._bytes = 0
        self._small_bytes = 0
        self._turn = 0
        self._turn_bytes = 0

    def __len__(self) -> int:
        return len(self._small) + len(self._main)

    @property
    def capacity_bytes(self) -> int:
        """The limit."""
        return self._capacity

    @property
    def size_bytes(self) -> int:
        """Data and overhead of what is kept; never above `capacity_bytes`."""
        return self._bytes

    def find(self, cid: Cid) -> Block | None:
        """Return the block, or None."""
        key = cid.multihash
        entry = self._main.get(key)
        if entry is None:
            entry = self._small.get(key)
            if entry is None:
                return None
        if entry.hits < MAX_HITS:
            entry.hits += 1
        if entry.turn != self._turn:
            entry.turn = self._turn
            if self._reused is not None:
                self._reused(key)
        block = entry.block
        kept = block.cid
        if kept is cid or (kept.codec == cid.codec and kept.version == cid.version):
            return block  # the multihash is the key: twice as fast as comparing the CIDs
        return rename(block, cid)

    def has(self, cid: Cid) -> bool:
        """Tell whether the block is here; does not count as a hit."""
        return cid.multihash in self._main or cid.multihash in self._small

    def put(self, block: Block) -> None:
        """Keep a block; one that is larger than the whole tier is not kept."""
        key = block.cid.multihash
        cost = len(block.data) + ENTRY_BYTES
        if cost > self._capacity or key in self._main or key in self._small:
            return
        is_ghost = key in self._ghosts
        if is_ghost:
            del self._ghosts[key]
        while self._bytes + cost > self._capacity:
            self._evict_step()
        self._bytes += cost
        if is_ghost:
            self._main[key] = _Entry(block, cost, self._turn)
        else:
            self._small[key] = _Entry(block, cost, self._turn)
            self._small_bytes += cost
        self._turn_bytes += cost
        if self._turn_bytes * TURN_SHARE >= self._capacity:
            self._turn += 1
            self._turn_bytes = 0

    def remove(self, key: bytes) -> bool:
        """Drop a block, by multihash; tell whether it was here."""
        self._ghosts.pop(key, None)
        entry = self._main.pop(key, None)
        if entry is None:
            entry = self._small.pop(key, None)
            if entry is None:
                return False
            self._small_bytes -= entry.cost
        self._bytes -= entry.cost
        return True

    def resize(self, capacity_bytes: int) -> None:
        """Change the limit; what does not fit any more goes."""
        self._capacity = capacity_bytes
        self._small_capacity = capacity_bytes * SMALL_SHARE // 100
        while self._bytes > self._capacity:
            self._evict_step()

    def clear(self) -> None:
        """Drop everything."""
        self._small.clear()
        self._main.clear()
        self._ghosts.clear()
        self._bytes = self._small_bytes = 0

    def _evict_step(self) -> None:
        main_is_over = self._bytes - self._small_bytes > self._capacity - self._small_capacity
        if main_is_over or not self._small:
            self._turn_main()
        else:
            self._turn_small()

    def _turn_main(self) -> None:
        key, entry = self._main.popitem(last=False)
        if entry.hits:
            entry.hits -= 1
            self._main[key] = entry
        else:
            self._drop(entry)

    def _turn_small(self) -> None:
        key, entry = self._small.popitem(last=False)
        self._small_bytes -= entry.cost
        if entry.hits >= PROMOTION_HITS:
            entry.hits = 0
            self._main[key] = entry
        else:
            self._drop(entry)
            self._remember(key)

    def _drop(self, entry: _Entry) -> None:
        self._bytes -= entry.cost
        self._observer.block_evicted(Tier.MEMORY, EvictionReason.CAPACITY, len(entry.block.data))

    def _remember(self, key: bytes) -> None:
        self._ghosts[key] = None
        # The paper remembers as many keys as the main queue has; by count, so that ENTRY_BYTES
        # covers them. Everything counts here, so that a tier of one queue has ghosts too.
        while len(self._ghosts) > len(self) + 1:
            self._ghosts.popitem(last=False)
