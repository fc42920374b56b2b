"""Blocks in RAM: S3-FIFO by bytes (`gateway.cache.memory.s3fifo`)."""

from collections.abc import Callable, Iterable
from typing import Final

from gateway.cache.memory.s3fifo import Entry, S3Fifo
from gateway.cache.states import EvictionReason
from gateway.content.block import Block, rename
from gateway.content.cid import Cid
from gateway.ports import Observer, Tier

ENTRY_BYTES: Final = 704
"""What a block costs besides its data: Python objects, queue node and its share of the ghosts.
Measured: tests/unit/cache/memory/test_tier.py, `tracemalloc`."""

TURN_SHARE: Final = 4
"""A turn ends when this part (1/4) of the capacity was put."""


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
        self._queues: S3Fifo[Block] = S3Fifo(capacity_bytes)
        self._observer = observer
        self._reused = reused
        self._turn = 0
        self._turn_bytes = 0

    def __len__(self) -> int:
        return len(self._queues)

    @property
    def capacity_bytes(self) -> int:
        """The limit."""
        return self._queues.capacity

    @property
    def size_bytes(self) -> int:
        """Data and overhead of what is kept; never above `capacity_bytes`."""
        return self._queues.size

    def find(self, cid: Cid) -> Block | None:
        """Return the block, or None."""
        key = cid.multihash
        entry = self._queues.find(key)
        if entry is None:
            return None
        if entry.turn != self._turn:
            entry.turn = self._turn
            if self._reused is not None:
                self._reused(key)
        block = entry.value
        kept = block.cid
        if kept is cid or (kept.codec == cid.codec and kept.version == cid.version):
            return block  # the multihash is the key: twice as fast as comparing the CIDs
        return rename(block, cid)

    def has(self, cid: Cid) -> bool:
        """Tell whether the block is here; does not count as a hit."""
        return cid.multihash in self._queues

    def put(self, block: Block) -> None:
        """Keep a block; one that is larger than the whole tier is not kept."""
        key = block.cid.multihash
        cost = len(block.data) + ENTRY_BYTES
        if cost > self._queues.capacity or key in self._queues:
            return
        entry = Entry(block, cost)
        entry.turn = self._turn
        self._tell_gone(self._queues.put(key, entry))
        self._turn_bytes += cost
        if self._turn_bytes * TURN_SHARE >= self._queues.capacity:
            self._turn += 1
            self._turn_bytes = 0

    def remove(self, key: bytes) -> bool:
        """Drop a block, by multihash; tell whether it was here."""
        return self._queues.remove(key)

    def resize(self, capacity_bytes: int) -> None:
        """Change the limit; what does not fit any more goes."""
        self._tell_gone(self._queues.resize(capacity_bytes))

    def clear(self) -> None:
        """Drop everything."""
        self._queues.clear()

    def _tell_gone(self, gone: Iterable[Entry[Block]]) -> None:
        for entry in gone:
            size = len(entry.value.data)
            self._observer.block_evicted(Tier.MEMORY, EvictionReason.CAPACITY, size)
