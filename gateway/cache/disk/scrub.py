"""Hashing every block of the disk tier again: damage is found before somebody asks for it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, NamedTuple

from gateway.cache.disk.file_lock import FileLock
from gateway.cache.disk.index import Entry, IndexDamaged, IndexUnavailable
from gateway.cache.disk.index_handle import IndexHandle
from gateway.cache.disk.reader import BlockReader, ReadResult
from gateway.cache.disk.tier import DiskTier
from gateway.content.cid import RAW, Cid
from gateway.errors import CacheUnavailable

STEP_BLOCKS: Final = 32
STEP_BYTES: Final = 4 * 1024 * 1024
"""Read at a time: a few milliseconds, after which the pace is looked at."""
PAUSE_S: Final = 3600.0
"""Between two passes in the background, and between two tries to be the process that does it."""

_log = logging.getLogger(__name__)


class Scrubbed(NamedTuple):
    """How far a pass is."""

    blocks: int
    bytes: int
    damaged: int
    """Blocks that were wrong, and are out of the way now."""
    total_blocks: int
    """What there was when the pass began."""


class _Step(NamedTuple):
    entries: list[Entry]
    """Looked at; none at the end."""
    results: list[ReadResult]


async def scrub(disk: DiskTier, bytes_per_s: int = 0) -> AsyncGenerator[Scrubbed, None]:
    """Hash every block against its CID, tags or not; yields the sums after each step.

    Args:
        disk: an open tier; other processes may use the directory meanwhile.
        bytes_per_s: the pace; 0 for as fast as it goes.

    Raises:
        CacheUnavailable: the index cannot be read.
    """
    loop = asyncio.get_running_loop()
    blocks = size = damaged = last_id = 0
    with ThreadPoolExecutor(1, "cache-scrub") as thread:
        handle, reader = disk.open_reader()
        try:
            total = await loop.run_in_executor(thread, _count, handle)
            while True:
                started = loop.time()
                step = await loop.run_in_executor(thread, _read, handle, reader, last_id)
                if not step.entries:
                    return
                for result in step.results:
                    disk.take_result(result)
                last_id = step.entries[-1].id
                read = sum(entry.size for entry in step.entries)
                blocks, size = blocks + len(step.entries), size + read
                damaged += sum(result.is_damaged for result in step.results)
                yield Scrubbed(blocks, size, damaged, max(total, blocks))
                if bytes_per_s:
                    await asyncio.sleep(read / bytes_per_s - (loop.time() - started))
        finally:
            await loop.run_in_executor(thread, reader.close)


class BackgroundScrub:
    """Passes without end at a slow pace, in one of the processes that share the directory."""

    def __init__(self, disk: DiskTier, bytes_per_s: int) -> None:
        """Make it; `run` works."""
        self._disk = disk
        self._bytes_per_s = bytes_per_s
        self._lock = FileLock(str(disk.directory / "scrub.lock"))

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                try:
                    if await asyncio.to_thread(self._lock.acquire):
                        await self._pass()
                except (CacheUnavailable, OSError) as exc:
                    _log.warning("the scrub of the disk cache waits: %s", exc)
                await asyncio.sleep(PAUSE_S)
        finally:
            self._lock.release()

    async def _pass(self) -> None:
        told = Scrubbed(0, 0, 0, 0)
        async for step in scrub(self._disk, self._bytes_per_s):
            told = step
        _log.info("scrubbed %d blocks, %d of them damaged", told.blocks, told.damaged)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (IndexDamaged, IndexUnavailable) as exc:
        raise CacheUnavailable(f"the index of the disk tier cannot be used: {exc}") from exc


def _count(handle: IndexHandle) -> int:
    with _translated():
        return handle.get().totals()[0]


def _read(handle: IndexHandle, reader: BlockReader, last_id: int) -> _Step:
    with _translated():
        entries = _take(handle.get().entries_after(last_id, STEP_BLOCKS))
    return _Step(entries, [reader.read(Cid(1, RAW, entry.key)) for entry in entries])


def _take(entries: list[Entry]) -> list[Entry]:
    """Return as many as are read in one step, at least one."""
    size = 0
    for number, entry in enumerate(entries):
        size += entry.size
        if size > STEP_BYTES:
            return entries[: max(number, 1)]
    return entries
