"""What operators order of the cache: purge and pin."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from typing_extensions import override

from gateway.cache.disk.pins import PinBook, mark, read_pins, set_state, unmark
from gateway.cache.disk.purge import MAX_NAMED, purge
from gateway.cache.disk.tier import JOB_DEADLINE_S, DiskTier
from gateway.cache.tiered_store import TieredStore
from gateway.content.block import Block
from gateway.content.cid import Cid, parse_cid
from gateway.errors import BadCid, CacheUnavailable
from gateway.ports import BlockControl, Clock, PinRow, PinState, Purged

PURGE_STEP = 256
"""Blocks purged in one transaction: some 10 ms, in which nothing else is written."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Control(BlockControl):
    """Carries out orders on a store; see `gateway.ports.BlockControl`."""

    def __init__(self, store: TieredStore, clock: Clock) -> None:
        """Take charge of a store that is open."""
        self._store = store
        self._clock = clock
        self._book = None if store.disk is None else PinBook(store.disk.directory)

    def close(self) -> None:
        """Let another process carry out the pins."""
        if self._book is not None:
            self._book.close()

    @property
    @override
    def is_shared(self) -> bool:
        return self._store.disk is not None

    @override
    async def purge(self, cids: Sequence[Cid]) -> Purged:
        is_named = len(cids) <= MAX_NAMED
        told = Purged(0, 0, 0)
        for start in range(0, len(cids), PURGE_STEP):
            step = [cid.multihash for cid in cids[start : start + PURGE_STEP]]
            one = await self._purge_step(step, is_named=is_named)
            told = Purged(
                told.blocks + one.blocks, told.bytes + one.bytes, told.pinned + one.pinned
            )
        if self._store.shared is not None:
            for start in range(0, len(cids), PURGE_STEP):
                step = [cid.multihash for cid in cids[start : start + PURGE_STEP]]
                await self._store.shared.purge(step)
        return told

    async def follow_purge(self, keys: Sequence[bytes]) -> None:
        """Take out what was purged on another machine; never raises."""
        try:
            for start in range(0, len(keys), PURGE_STEP):
                step = keys[start : start + PURGE_STEP]
                await self._purge_step(step, is_named=len(keys) <= MAX_NAMED)
        except CacheUnavailable as exc:
            _log.warning("a purge of another machine could not be followed: %s", exc)

    async def _purge_step(self, keys: Sequence[bytes], *, is_named: bool) -> Purged:
        await asyncio.sleep(0)  # without a disk nothing else here waits
        self._store.drop(keys)
        disk = self._store.disk
        if disk is None:
            return Purged(0, 0, 0)
        told = await disk.run(partial(purge, files=disk.files, keys=keys, is_named=is_named))
        disk.count_purged(told)
        return told

    @override
    async def catch_up(self) -> None:
        if self._store.disk is not None:
            try:
                async with asyncio.timeout(JOB_DEADLINE_S):
                    await self._store.disk.flush()  # a turn of the writer reads the log of purges
            except TimeoutError:
                raise CacheUnavailable("the disk does not answer") from None

    @override
    async def keep(self, block: Block) -> None:
        disk = self._store.disk
        # Without another admission it is there, or on its way.
        if disk is not None and self._store.second_hit is not None and not disk.has(block.cid):
            await disk.keep(block)

    @override
    async def pin_roots(self) -> Mapping[str, float]:
        return {} if self._book is None else await self._ask(self._book.read)

    @override
    async def change_pins(self, add: Sequence[Cid], remove: Sequence[Cid]) -> None:
        self._need_disk()
        assert self._book is not None  # noqa: S101 (there is a book where there is a disk)
        now = self._clock.now()
        dated = {str(cid): now for cid in add}
        gone = {cid.multihash for cid in remove}  # under whatever CID they were pinned
        known = await self.pin_roots()
        texts = [text for text in known if _multihash_of(text) in gone]
        await self._ask(partial(self._book.change, dated, texts))

    @override
    async def lead_pins(self) -> bool:
        return self._book is not None and await asyncio.to_thread(self._book.lead)

    @override
    async def pins_version(self) -> int:
        return 0 if self._book is None else await asyncio.to_thread(self._book.version)

    @override
    async def pins(self) -> Sequence[PinRow]:
        return () if self._store.disk is None else await self._store.disk.run(read_pins)

    @override
    async def pin(self, root: Cid, blocks: Sequence[Block]) -> None:
        disk = self._need_disk()
        sizes = {block.cid.multihash: len(block.data) for block in blocks}
        job = partial(mark, root=root.multihash, sizes=sizes, limit_bytes=disk.limit_bytes)
        absent = frozenset(await disk.run(job))
        for block in blocks:  # they were in memory only
            if block.cid.multihash in absent:
                await disk.keep(block)

    @override
    async def finish_pin(self, root: Cid, failure: str = "") -> None:
        state = PinState.FAILED if failure else PinState.PINNED
        job = partial(set_state, root=root.multihash, state=state, reason=failure)
        await self._need_disk().run(job)

    @override
    async def unpin(self, root: bytes) -> None:
        job = partial(unmark, root=root, used_ms=int(self._clock.now() * 1000))
        await self._need_disk().run(job)

    def _need_disk(self) -> DiskTier:
        if self._store.disk is None:
            raise CacheUnavailable("pins need the disk tier, and it is off (cache.disk_size)")
        return self._store.disk

    async def _ask(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except OSError as exc:
            raise CacheUnavailable(f"the list of pins cannot be used: {exc}") from exc


def _multihash_of(text: str) -> bytes | None:
    try:
        return parse_cid(text).multihash
    except BadCid:
        return None
