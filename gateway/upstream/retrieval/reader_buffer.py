"""Blocks set aside for one reader that has not asked for them yet.

The cache would do if it kept everything; the shelf makes sure that a reader gets what was fetched
for it even when the cache is small, full of others' blocks or turned off.
"""

from dataclasses import dataclass
from typing import Protocol

from gateway.content.block import Block
from gateway.ports import Tier


class Source(Protocol):
    """Who puts blocks on shelves."""

    def made_room(self) -> None:
        """Take note that a reader took something."""
        ...


class Worker(Protocol):
    """Who works for readers."""

    def leave(self, reader_buffer: "ReaderBuffer") -> None:
        """Take note that a reader is gone."""
        ...


@dataclass(slots=True)
class _Item:
    block: Block
    tier: Tier | None
    source: Source
    copies: int = 1
    """A file may hold the same block more than once."""


class ReaderBuffer:
    """What is set aside for one reader, and who works for it."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self.is_scan = False
        """Whether the reader goes through so much that none of it is kept in memory for others."""
        self.workers: set[Worker] = set()
        """Who must be told when the reader goes."""
        self.kept: set[Worker] = set()
        """Those of them whom the reader counts on wherever it goes."""
        self._items: dict[bytes, _Item] = {}
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether the reader is gone."""
        return self._is_closed

    def __contains__(self, multihash: bytes) -> bool:
        return multihash in self._items

    def put(self, block: Block, tier: Tier | None, source: Source) -> None:
        """Set a block aside; nothing happens when the reader is gone."""
        if self._is_closed:
            return
        multihash = block.cid.multihash
        item = self._items.get(multihash)
        if item is not None:
            item.copies += 1
            return
        self._items[multihash] = _Item(block, tier, source)
        self.size_bytes += len(block.data)

    def take(self, multihash: bytes) -> tuple[Block, Tier | None] | None:
        """Take a block off the shelf, if it is there."""
        item = self._items.get(multihash)
        if item is None:
            return None
        item.copies -= 1
        if not item.copies:
            del self._items[multihash]
            self.size_bytes -= len(item.block.data)
        item.source.made_room()
        return item.block, item.tier

    def clear(self, source: Source) -> None:
        """Throw away what a source brought: the reader is past it."""
        for multihash in [m for m, item in self._items.items() if item.source is source]:
            self.size_bytes -= len(self._items.pop(multihash).block.data)

    def leave_all(self) -> None:
        """Tell all workers that the reader counts on them no more."""
        for worker in self.workers - self.kept:
            worker.leave(self)
        self.workers &= self.kept

    def close(self) -> None:
        """Throw away everything: the reader is gone."""
        self._is_closed = True
        self._items.clear()
        self.size_bytes = 0
        self.kept.clear()
        self.leave_all()
