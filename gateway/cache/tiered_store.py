"""The store that the rest of the house sees: memory first, then the disk, then what is shared."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Self

from gateway.cache.disk.admission import SECOND_HIT, SecondHit
from gateway.cache.disk.tags import load_key
from gateway.cache.disk.tier import DiskTier
from gateway.cache.memory.tier import MemoryTier
from gateway.cache.shared.tier import SharedTier
from gateway.cache.states import DiskCondition, DiskHealth, IndexState
from gateway.content.block import Block
from gateway.content.cid import Cid
from gateway.ports import BlockStore, Clock, MissReason, Observer, Tier
from gateway.settings import CacheSettings

_NO_SHARED: Final[dict[str, object]] = {"shared_state": "off"}

LATE_DROP_S: Final = 2.0
"""Finished answers are dropped again so long after a purge: one that was on its way to its client
is only kept when it has arrived."""

_NO_DISK: Final[dict[str, object]] = {
    "blocks": 0,
    "disk_bytes": 0,
    "disk_limit": 0,
    "pending_bytes": 0,
    "quarantined": 0,
    "write_errors": 0,
    "purged": 0,
    "purged_bytes": 0,
    "pins": 0,
    "pinned_bytes": 0,
    "index_state": IndexState.OFF.value,
    "coldest_age_s": None,
}

_log = logging.getLogger(__name__)


class TieredStore(BlockStore):
    """Verified blocks by multihash in up to three tiers; each may be off.

    Belongs to the event loop, in which the Observer is told everything. Identity CIDs carry their
    block in themselves and are never stored. Every read from the disk is checked, against its CID
    or, with `read_verification = "tag"`, against its tag.
    """

    def __init__(
        self,
        memory: MemoryTier,
        disk: DiskTier | None,
        observer: Observer,
        shared: SharedTier | None = None,
    ) -> None:
        """Join tiers that are ready; `open` makes them from settings."""
        self._shared = shared
        self.second_hit: SecondHit | None = None
        """What the disk tier takes; None for all."""
        self._memory = memory
        self._memory_size = memory.capacity_bytes
        self._disk = disk
        self._observer = observer
        self._purges = 0
        self._purged: list[Callable[[], None]] = []
        if disk is not None:
            disk.dropped = self.drop

    @classmethod
    async def open(
        cls,
        settings: CacheSettings,
        clock: Clock,
        observer: Observer,
        shared: SharedTier | None = None,
    ) -> Self:
        """Open the tiers; the directory is made if it is not there.

        Never raises for what is on the disk: a directory that cannot be used is told by `health`,
        and tried again.
        """
        disk = None
        if settings.disk_size:
            directory = Path(settings.directory)
            key = await asyncio.to_thread(_load_key, settings)
            disk = DiskTier(directory, settings.disk_size, clock, observer, key)
            await disk.open()
        memory = MemoryTier(settings.memory_size, observer, disk.touch if disk else None)
        store = cls(memory, disk, observer, shared)
        store.second_hit = SecondHit() if settings.disk_admission == SECOND_HIT else None
        return store

    async def close(self) -> None:
        """Write what is pending, within a deadline of seconds. Finds are misses afterwards."""
        self._memory.clear()
        if self._shared is not None:
            await self._shared.close()
        if self._disk is not None:
            await self._disk.close()

    def peek(self, cid: Cid) -> Block | None:
        """Return the block if it is in memory, else None; only a find of it is counted."""
        block = self._memory.find(cid)
        if block is not None:
            self._observer.block_found(Tier.MEMORY, len(block.data))
        return block

    async def find(self, cid: Cid, *, is_scan: bool = False) -> tuple[Block, Tier] | None:
        """Return the verified block and where it was, or None; see `ports.BlockStore`."""
        block = self.peek(cid)
        if block is not None:
            return block, Tier.MEMORY
        found: Block | MissReason = MissReason.ABSENT
        purges = self._purges  # another number later: it may have been purged meanwhile
        if self._disk is not None:
            found = await self._disk.find(cid)
        return await self._take(cid, found, is_scan=is_scan or purges != self._purges)

    def peek_disk(self, cid: Cid, *, is_scan: bool = False) -> Block | None:
        """Return a block of the disk if nothing has to be waited for; else None, uncounted."""
        block = self._disk.peek_disk(cid) if self._disk is not None else None
        if block is not None:
            if not is_scan:
                self._memory.put(block)
            self._observer.block_found(Tier.DISK, len(block.data))
        return block

    async def find_all(
        self, cids: Sequence[Cid], *, is_scan: bool = False
    ) -> list[tuple[Block, Tier] | None]:
        """Return what `find` returns for each; the disk is asked once for all of them."""
        if self._disk is None or any(map(self._memory.has, cids)):
            return [await self.find(cid, is_scan=is_scan) for cid in cids]
        purges = self._purges
        found = await self._disk.find_all(cids)
        is_scan = is_scan or purges != self._purges
        return [
            await self._take(cid, one, is_scan=is_scan)
            for cid, one in zip(cids, found, strict=True)
        ]

    async def _take(
        self, cid: Cid, found: Block | MissReason, *, is_scan: bool
    ) -> tuple[Block, Tier] | None:
        """Take what the disk had, or else look into the shared tier."""
        if isinstance(found, Block):
            if not is_scan:
                self._memory.put(found)
            self._observer.block_found(Tier.DISK, len(found.data))
            return found, Tier.DISK
        if self._shared is not None:
            block = await self._find_shared(self._shared, cid, is_scan=is_scan)
            if block is not None:
                return block, Tier.SHARED
        self._observer.block_missed(found)
        return None

    async def _find_shared(self, shared: SharedTier, cid: Cid, *, is_scan: bool) -> Block | None:
        purges = self._purges
        block = await shared.find(cid)
        if block is not None:
            if purges == self._purges:
                if not is_scan or self._disk is None:
                    self._memory.put(block)
                if self._disk is not None and self._is_admitted(block):
                    await self._disk.keep(block)
            self._observer.block_found(Tier.SHARED, len(block.data))
        return block

    def has(self, cid: Cid) -> bool:
        """Tell, from memory alone, whether the block is probably kept."""
        return self._memory.has(cid) or (self._disk is not None and self._disk.has(cid))

    async def has_all(self, cids: Sequence[Cid]) -> bool:
        """Tell, without reading large blocks, whether all of them are probably kept."""
        far = [cid for cid in cids if not self._memory.has(cid)]
        return not far or (self._disk is not None and await self._disk.has_all(far))

    async def keep(self, block: Block, *, is_scan: bool = False) -> None:
        """Keep a verified block in all tiers, or of a scan in those that can spare the room.

        Waits only when too many writes are pending.
        """
        if block.cid.is_identity:
            return
        if not is_scan or self._disk is None:
            self._memory.put(block)
        if self._disk is not None and self._is_admitted(block):
            await self._disk.keep(block)
        if self._shared is not None:
            self._shared.keep(block)

    def _is_admitted(self, block: Block) -> bool:
        return self.second_hit is None or self.second_hit.admits(block.cid.multihash)

    @property
    def shared(self) -> SharedTier | None:
        """The tier that several machines share; None when it is off."""
        return self._shared

    @property
    def disk(self) -> DiskTier | None:
        """The disk tier; None when it is off."""
        return self._disk

    def on_purge(self, drop: Callable[[], None]) -> None:
        """Have `drop` called after each purge, by whoever keeps answers made of blocks."""
        self._purged.append(drop)

    def drop(self, keys: Iterable[bytes] | None) -> None:
        """Forget blocks that are or will be purged from the disk, by multihash; None for all."""
        self._purges += 1
        if keys is None:
            self._memory.clear()
        else:
            keys = tuple(keys)
            for key in keys:
                self._memory.remove(key)
        if self._disk is not None:
            self._disk.forget(keys)
        if self._shared is not None:
            self._shared.forget(keys)
        self._tell_purged()
        asyncio.get_running_loop().call_later(LATE_DROP_S, self._tell_purged)

    def _tell_purged(self) -> None:
        for drop in self._purged:
            drop()

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
            **(self._shared.stats() if self._shared is not None else _NO_SHARED),
            "memory_blocks": len(self._memory),
            "memory_bytes": self._memory.size_bytes,
            "memory_limit": self._memory.capacity_bytes,
        }

    def health(self) -> DiskHealth:
        """Return how the cache is, and why."""
        if self._disk is None:
            return DiskHealth(DiskCondition.HEALTHY, "the disk tier is off")
        return self._disk.health()


def _load_key(settings: CacheSettings) -> bytes | None:
    """Return the key of the tags; None when blocks are checked against their CIDs."""
    if settings.read_verification != "tag":
        return None
    try:
        return load_key(Path(settings.tag_key))
    except OSError as exc:
        _log.warning("no tags: %s; blocks are hashed against their CIDs", exc)
        return None
