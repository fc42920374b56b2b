"""The disk tier: blocks that survive a restart, shared by all processes on the machine.

The event loop never touches the disk: reads go to `readers`, changes to the one thread of `writer`,
and what they found comes back to the loop, where all state of this module lives and where the
Observer is told. Whatever the disk does, `find` is a block or a miss, and `keep` returns.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final, TypeVar

from gateway.cache.disk.commands import Flush, Job, Stop, Store
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.footprint import Footprint, least_room
from gateway.cache.disk.index import Index, IndexDamaged, IndexUnavailable
from gateway.cache.disk.index_handle import Epoch, IndexHandle, IndexOwner
from gateway.cache.disk.inline_reader import InlineReader
from gateway.cache.disk.presence_filter import PresenceFilter
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.reader import READ_BUSY_TIMEOUT_S, BlockReader, ReadResult
from gateway.cache.disk.reader_pool import ReaderPool
from gateway.cache.disk.scan import Sweep
from gateway.cache.disk.schema import cost_of
from gateway.cache.disk.writer import WRITE_BUSY_TIMEOUT_S, Report, Writer
from gateway.cache.states import DiskCondition, DiskHealth, IndexState
from gateway.content.block import Block, rename
from gateway.content.cid import Cid
from gateway.errors import CacheUnavailable
from gateway.ports import Clock, MissReason, Observer, Purged, Rejection, Tier

MAX_PENDING_BYTES: Final = 32 * 1024 * 1024
"""Blocks that wait to be written; `keep` waits when there are more."""
URGENT_BYTES: Final = 4 * 1024 * 1024
"""With so much pending the writer does not wait for more."""
STALL_S: Final = 2.0
"""A writer that ended no turn for so long with work to do has a disk that does not answer: `keep`
stops waiting for it, and drops."""
OPEN_DEADLINE_S: Final = 2.0
CLOSE_DEADLINE_S: Final = 10.0
JOB_DEADLINE_S: Final = 10.0
"""Jobs take milliseconds, and are made so small that they do."""
ERROR_MEMORY_S: Final = 60.0
"""How long a write error is told in the health report."""

T = TypeVar("T")


class DiskTier:
    """Blocks in one directory, below `limit_bytes` with everything that belongs to them."""

    def __init__(
        self,
        directory: Path,
        limit_bytes: int,
        clock: Clock,
        observer: Observer,
        tag_key: bytes | None = None,
    ) -> None:
        """Make a tier; `open` starts it.

        Args:
            directory: made if it is not there.
            limit_bytes: of all that is in the directory, as `du` counts it: blocks, index and
                journal, folders, quarantine. What a process is writing, at most
                `MAX_BATCH_BYTES`, comes on top until it is in its place. A limit below
                `LEAST_LIMIT_BYTES` is not held, only approached.
            clock: for the order of use, and for noticing stalls.
            observer: told of damaged and evicted blocks, always in the event loop.
            tag_key: check reads by keyed tags; None to hash them against their CIDs.
        """
        directory = directory.absolute()
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._observer = observer
        self._files = BlockFiles(directory)
        self._quarantine = Quarantine(directory / "quarantine", limit_bytes, clock)
        self._epoch = Epoch()
        self._writer = self._make_writer()
        self._writer.tag_key = tag_key
        self._tag_key = tag_key
        self._known_tags: dict[bytes, bytes] = {}
        self._readers: ReaderPool | None = None
        self._inline = InlineReader(self._make_reader(0.0), clock)
        self._pending: dict[bytes, Block] = {}
        self._pending_bytes = 0
        self._presence = PresenceFilter()
        self._turned = asyncio.Event()
        self._flushes_ordered = self._flushes_done = 0
        self._is_closed = False
        self._last = Report(state=IndexState.OPENING)
        self._quarantined = 0
        self._write_errors = 0
        self._purged = Purged(0, 0, 0)
        self._error: tuple[float, str] | None = None
        self.dropped: Callable[[Iterable[bytes] | None], None] = _ignore
        """Told, in the event loop, the multihashes of blocks that were purged by any process; None
        for "it can be any"."""

    @property
    def limit_bytes(self) -> int:
        """What all that is in the directory may take."""
        return self._limit_bytes

    @property
    def directory(self) -> Path:
        """Where it is."""
        return self._directory

    @property
    def files(self) -> BlockFiles:
        """The large blocks; for jobs."""
        return self._files

    async def open(self) -> None:
        """Start the threads; ready at once, whatever is left to scan."""
        loop = asyncio.get_running_loop()
        self._readers = ReaderPool(self._make_reader, self.take_result, took=self._inline.note)

        def hand_over(report: Report) -> None:
            try:
                loop.call_soon_threadsafe(self._take_report, report)
            except RuntimeError:  # the loop was closed without us
                return

        self._writer.start(hand_over)
        await self._wait_for_turn(OPEN_DEADLINE_S)

    async def close(self) -> None:
        """Write what is pending, within `CLOSE_DEADLINE_S`, and end the threads."""
        self._is_closed = True
        if self._readers is None:
            return
        self._readers.stop()
        self._inline.close()
        self._writer.put(Stop(), is_urgent=True)
        await asyncio.to_thread(self._writer.join, CLOSE_DEADLINE_S)
        await asyncio.to_thread(self._readers.join, 0.0 if self._readers.is_stalled else 1.0)

    async def find(self, cid: Cid) -> Block | MissReason:
        """Return the block, hashed again if it came from the disk, or why there is none."""
        block = self.peek_disk(cid)
        if block is not None:
            return block
        if self._readers is None or self._is_closed:
            return MissReason.UNAVAILABLE
        return self._note_read(cid, await self._readers.read(cid))

    def peek_disk(self, cid: Cid) -> Block | None:
        """Return the block, hashed as by `find`, if that takes no wait."""
        block = self._pending.get(cid.multihash)
        if block is not None:
            return rename(block, cid)
        if self._is_closed or not self._inline.is_open() or cid.multihash not in self._presence:
            return None  # what is probably absent is looked for once, by a thread
        result = self._inline.read(cid)
        if result is None:
            return None
        self.take_result(result)
        self.touch(cid.multihash)
        return result.block

    async def find_all(self, cids: Sequence[Cid]) -> list[Block | MissReason]:
        """Do what `find` does for blocks that are read one after the other, in one go."""
        if (
            self._readers is None
            or self._is_closed
            or not self._pending.keys().isdisjoint([cid.multihash for cid in cids])
        ):
            return [await self.find(cid) for cid in cids]
        found = await self._readers.read_all(cids)
        return [self._note_read(cid, one) for cid, one in zip(cids, found, strict=True)]

    def _note_read(self, cid: Cid, found: Block | MissReason) -> Block | MissReason:
        if isinstance(found, Block):
            self._presence.add(cid.multihash)
            self.touch(cid.multihash)
        elif found is MissReason.ABSENT:
            return self._presence.why_missed(cid.multihash)
        return found

    def has(self, cid: Cid) -> bool:
        """Tell from memory whether the block is probably here (see `PresenceFilter`)."""
        return cid.multihash in self._pending or cid.multihash in self._presence

    async def has_all(self, cids: Sequence[Cid]) -> bool:
        """Tell whether all blocks are here, asking the disk where memory does not know."""
        unknown = [cid for cid in cids if not self.has(cid)]
        without_file = await asyncio.to_thread(self._without_file, unknown) if unknown else ()
        for cid in without_file:  # small ones are rows of the index; the first miss ends it
            if not isinstance(await self.find(cid), Block):
                return False
        return True

    def _without_file(self, cids: Sequence[Cid]) -> list[Cid]:
        return [cid for cid in cids if self._files.size(cid.multihash) is None]

    def touch(self, key: bytes) -> None:
        """Note that the block with this multihash was used, wherever it was found."""
        self._writer.touch(key, int(self._clock.now() * 1000))

    async def keep(self, block: Block) -> None:
        """Write a block soon; it can be found at once.

        Waits when `MAX_PENDING_BYTES` wait already, but not for a disk that stalls: then the block
        is dropped and counted as a write error.
        """
        key, size = block.cid.multihash, len(block.data)
        if self._is_closed or key in self._pending:
            return
        if cost_of(size) > least_room(self._limit_bytes):
            return  # there may be no room for it, however much is evicted
        while self._pending and self._pending_bytes + size > MAX_PENDING_BYTES:
            if self._is_writer_stalled or not await self._wait_for_turn(STALL_S):
                self._count_lost(1, "the disk does not answer")
                return
        if key in self._pending:
            return
        self._pending[key] = block
        self._pending_bytes += size
        self._writer.put(Store(key, block.data), is_urgent=self._pending_bytes > URGENT_BYTES)

    async def flush(self) -> None:
        """Return when everything that was kept before is written or given up."""
        if self._readers is None or self._is_closed:
            return
        self._flushes_ordered += 1
        number = self._flushes_ordered
        self._writer.put(Flush(), is_urgent=True)
        while self._flushes_done < number:
            await self._turned.wait()

    async def run(self, job: Callable[[Index], T]) -> T:
        """Have the writer do something with the index, after all that was ordered before.

        Raises:
            CacheUnavailable: it cannot be done now.
        """
        if self._readers is None or self._is_closed:
            raise CacheUnavailable("the disk tier is closed")
        result: Future[T] = Future()
        self._writer.put(Job(job, result), is_urgent=True)
        try:
            async with asyncio.timeout(JOB_DEADLINE_S):
                return await asyncio.wrap_future(result)
        except (IndexDamaged, IndexUnavailable) as exc:
            raise CacheUnavailable(f"the index of the disk tier cannot be used: {exc}") from exc
        except TimeoutError:
            raise CacheUnavailable("the disk does not answer") from None

    def count_purged(self, purged: Purged) -> None:
        """Count what an operator took out through this process."""
        before = self._purged
        self._purged = Purged(before.blocks + purged.blocks, before.bytes + purged.bytes, 0)

    def open_reader(self) -> tuple[IndexHandle, BlockReader]:
        """Return a reader that checks CIDs, whatever the setting is, and its way to the index.

        Both belong to the thread that uses them first. What the reader finds goes to `take_result`.
        """
        handle = IndexHandle(self._directory, WRITE_BUSY_TIMEOUT_S, self._epoch)
        return handle, BlockReader(self._files, handle, self._quarantine)

    def forget(self, keys: Iterable[bytes] | None) -> None:
        """Drop from memory what was or is about to be purged; None for all."""
        if keys is None:
            self._presence.clear()
            keys = tuple(self._pending)
        for key in keys:
            self._presence.discard(key)
            self._settle(key)

    async def settle(self) -> None:
        """Return when the index is known to agree with the files."""
        while self._last.state is not IndexState.READY:
            await self._turned.wait()

    def stats(self) -> dict[str, object]:
        """Return counts and sizes as JSON has them; those of the directory are all workers'."""
        coldest_ms = self._last.coldest_ms
        return {
            "blocks": self._last.blocks,
            "disk_bytes": self._last.bytes,
            "disk_limit": self._limit_bytes,
            "pending_bytes": self._pending_bytes,
            "quarantined": self._quarantined,
            "write_errors": self._write_errors,
            "purged": self._purged.blocks,
            "purged_bytes": self._purged.bytes,
            "pins": self._last.pins,
            "pinned_bytes": self._last.pinned_bytes,
            "index_state": self._last.state.value,
            "coldest_age_s": (
                None if coldest_ms is None else max(0.0, self._clock.now() - coldest_ms / 1000)
            ),
        }

    def health(self) -> DiskHealth:
        """Return how the tier is; the gateway serves without it, only slower."""
        if self._is_writer_stalled or (self._readers is not None and self._readers.is_stalled):
            return DiskHealth(
                DiskCondition.UNHEALTHY, f"the disk of {self._directory} does not answer"
            )
        if self._last.state is IndexState.UNAVAILABLE:
            # Files that are there are read all the same.
            status = DiskCondition.DEGRADED if self._last.blocks else DiskCondition.UNHEALTHY
            return DiskHealth(status, f"the index cannot be used: {self._last.error}")
        if self._error and self._clock.monotonic() - self._error[0] < ERROR_MEMORY_S:
            return DiskHealth(
                DiskCondition.DEGRADED, f"blocks could not be written: {self._error[1]}"
            )
        if self._last.state in {IndexState.OPENING, IndexState.REBUILDING}:
            return DiskHealth(DiskCondition.DEGRADED, f"the index is {self._last.state.value}")
        return DiskHealth(DiskCondition.HEALTHY, "")

    @property
    def _is_writer_stalled(self) -> bool:
        return bool(self._pending) and self._writer.silence_s > STALL_S

    async def _wait_for_turn(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._turned.wait()
        except TimeoutError:
            return False
        return True

    def _make_writer(self) -> Writer:
        return Writer(
            self._files,
            IndexOwner(self._directory, WRITE_BUSY_TIMEOUT_S, self._epoch, self._quarantine),
            self._quarantine,
            Sweep(self._directory, self._files, self._quarantine, self._clock),
            Footprint(self._directory, self._limit_bytes, self._quarantine, self._clock),
            self._clock,
        )

    def _make_reader(self, busy_timeout_s: float = READ_BUSY_TIMEOUT_S) -> BlockReader:
        handle = IndexHandle(self._directory, busy_timeout_s, self._epoch)
        return BlockReader(self._files, handle, self._quarantine, self._tag_key, self._known_tags)

    def take_result(self, result: ReadResult) -> None:
        """Act on what a read came to; in the event loop."""
        if result.order is not None:
            self._writer.put(result.order)
        if result.is_damaged:
            self._count_damaged(1)

    def _take_report(self, report: Report) -> None:
        self._flushes_done += report.flushed
        for key in report.done:
            self._settle(key)
        for key in report.known:
            self._presence.add(key)
        if report.purges.is_all or report.purges.keys:  # after what was written in the same turn
            self.dropped(None if report.purges.is_all else report.purges.keys)
        for reason, size in report.evicted:
            self._observer.block_evicted(Tier.DISK, reason, size)
        self._count_damaged(report.quarantined)
        if report.lost:
            self._count_lost(report.lost, report.error)
        if report.state is IndexState.UNAVAILABLE:  # what was last known is the better guess
            report.blocks, report.bytes = self._last.blocks, self._last.bytes
            report.coldest_ms = self._last.coldest_ms
            report.pins, report.pinned_bytes = self._last.pins, self._last.pinned_bytes
        self._last = report
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()

    def _settle(self, key: bytes) -> None:
        block = self._pending.pop(key, None)
        if block is not None:
            self._pending_bytes -= len(block.data)

    def _count_damaged(self, count: int) -> None:
        self._quarantined += count
        for _ in range(count):
            self._observer.block_rejected(Rejection.DISK, "disk")

    def _count_lost(self, count: int, error: str) -> None:
        self._write_errors += count
        self._error = (self._clock.monotonic(), error)


def _ignore(_: Iterable[bytes] | None) -> None:
    """Stand in for whoever wants to know of purges."""
