"""The store that the rest of the house sees: memory first, then the disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from gateway.cache.disk import DiskTier
from gateway.cache.memory import MemoryTier
from gateway.cache.outcome import Condition, Health, IndexState
from gateway.content.block import Block
from gateway.content.cid import Cid
from gateway.ports import BlockStore, Clock, Observer, Tier
from gateway.settings import CacheSettings

_NO_DISK: Final[dict[str, object]] = {
    "blocks": 0,
    "disk_bytes": 0,
    "disk_limit": 0,
    "pending_bytes": 0,
    "quarantined": 0,
    "write_errors": 0,
    "index_state": IndexState.OFF.value,
    "coldest_age_s": None,
}


class TieredStore(BlockStore):
    """Verified blocks by multihash in up to two tiers; each may be off.

    Belongs to the event loop, in which the Observer is told everything. Identity CIDs carry their
    block in themselves and are never stored. `read_verification = "tag"` does what `"cid"` does:
    every read from the disk is hashed against its CID, never less.
    """

    def __init__(self, memory: MemoryTier, disk: DiskTier | None, observer: Observer) -> None:
        """Join tiers that are ready; `open` makes them from settings."""
        self._memory = memory
        self._memory_size = memory.capacity_bytes
        self._disk = disk
        self._observer = observer

    @classmethod
    async def open(cls, settings: CacheSettings, clock: Clock, observer: Observer) -> Self:
        """Open the tiers; the directory is made if it is not there.

        Never raises for what is on the disk: a directory that cannot be used is told by `health`,
        and tried again.
        """
        disk = None
        if settings.disk_size:
            directory = Path(settings.directory)
            disk = DiskTier(directory, settings.disk_size, clock, observer)
            await disk.open()
        memory = MemoryTier(settings.memory_size, observer, disk.touch if disk else None)
        return cls(memory, disk, observer)

    async def close(self) -> None:
        """Write what is pending, within a deadline of seconds. Finds are misses afterwards."""
        self._memory.clear()
        if self._disk is not None:
            await self._disk.close()

    def peek(self, cid: Cid) -> Block | None:
        """Return the block if it is in memory, else None; only a find of it is counted."""
        block = self._memory.find(cid)
        if block is not None:
            self._observer.block_found(Tier.MEMORY, len(block.data))
        return block

    async def find(self, cid: Cid) -> tuple[Block, Tier] | None:
        """Return the verified block and where it was, or None."""
        block = self.peek(cid)
        if block is not None:
            return block, Tier.MEMORY
        if self._disk is not None:
            block = await self._disk.find(cid)
            if block is not None:
                self._memory.put(block)
                self._observer.block_found(Tier.DISK, len(block.data))
                return block, Tier.DISK
        self._observer.block_missed()
        return None

    def has(self, cid: Cid) -> bool:
        """Tell, from memory alone, whether the block is probably kept."""
        return self._memory.has(cid) or (self._disk is not None and self._disk.has(cid))

    async def has_all(self, cids: Sequence[Cid]) -> bool:
        """Tell, without reading large blocks, whether all of them are probably kept."""
        far = [cid for cid in cids if not self._memory.has(cid)]
        return not far or (self._disk is not None and await self._disk.has_all(far))

    async def keep(self, block: Block) -> None:
        """Keep a verified block in all tiers. Waits only when too many writes are pending."""
        if block.cid.is_identity:
            return
        self._memory.put(block)
        if self._disk is not None:
            await self._disk.keep(block)

    def lend(self, size_bytes: int) -> None:
        """Give up so much of the memory tier for as long as something else holds it."""
        self._memory.resize(max(0, self._memory_size - size_bytes))

    async def flush(self) -> None:
        """Return when everything that was kept before is written or given up."""
        if self._disk is not None:
            await self._disk.flush()

    async def settle(self) -> None:
        """Return when the scan that follows every start is over."""
        if self._disk is not None:
            await self._disk.settle()

    def stats(self) -> dict[str, object]:
        """Return what the admin page shows, as JSON has it.

        `blocks`, `disk_bytes` and `coldest_age_s` are of the directory, the same in all workers;
        `memory_*`, `pending_bytes`, `quarantined` and `write_errors` are this process's.
        """
        return {
            **(self._disk.stats() if self._disk is not None else _NO_DISK),
            "memory_blocks": len(self._memory),
            "memory_bytes": self._memory.size_bytes,
            "memory_limit": self._memory.capacity_bytes,
        }

    def health(self) -> Health:
        """Return how the cache is, and why."""
        if self._disk is None:
            return Health(Condition.HEALTHY, "the disk tier is off")
        return self._disk.health()
