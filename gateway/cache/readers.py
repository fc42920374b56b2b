"""Threads that read blocks from the disk and hash them, so that the event loop never waits.

A pool of our own and not `ThreadPoolExecutor`: one queue, plain futures of the loop, and one
wake-up of the loop for all reads that are done by then. Measured, 1 KiB: 30 us less a read.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter
from typing import Final, NamedTuple

from gateway.cache.files import BlockFiles, FileDamaged
from gateway.cache.handle import IndexHandle
from gateway.cache.index import IndexDamaged, IndexUnavailable
from gateway.cache.orders import Forget, IndexLost, Tag
from gateway.cache.quarantine import Quarantine
from gateway.content.block import Block, make_tag, rename, verify, verify_tag
from gateway.content.cid import Cid
from gateway.errors import BadBlock
from gateway.ports import MissReason

READ_THREADS: Final = 4
"""Reads that a slow disk may be asked for at once."""
READ_DEADLINE_S: Final = 2.0
"""A read that takes longer is a miss: an upstream is faster."""
READ_BUSY_TIMEOUT_S: Final = 0.25
"""Writers hold the lock of the index that keeps readers out for about a millisecond."""


_log = logging.getLogger(__name__)


class ReadResult(NamedTuple):
    """What one read came to."""

    block: Block | None
    is_damaged: bool = False
    """Whether bytes were there, but wrong; they are out of the way now."""
    order: Forget | Tag | IndexLost | None = None
    """What the writer has to do about it."""
    reason: MissReason = MissReason.ABSENT
    """Why there is no block."""


_MISS: Final = ReadResult(None)
_UNAVAILABLE: Final = ReadResult(None, reason=MissReason.UNAVAILABLE)
_SLOW: Final = ReadResult(None, reason=MissReason.SLOW)


def _damaged(key: bytes) -> ReadResult:
    return ReadResult(None, is_damaged=True, order=Forget(key), reason=MissReason.DAMAGED)


class BlockReader:
    """Reads and verifies blocks; belongs to one thread."""

    def __init__(
        self,
        files: BlockFiles,
        handle: IndexHandle,
        quarantine: Quarantine,
        tag_key: bytes | None = None,
    ) -> None:
        """Remember where to look; nothing is opened before the first read.

        Args:
            files: large blocks.
            handle: this thread's way to the index.
            quarantine: where damaged files go.
            tag_key: check blocks against their tags first; None to check the CID at once.
        """
        self._files = files
        self._handle = handle
        self._quarantine = quarantine
        self._tag_key = tag_key

    def read(self, cid: Cid) -> ReadResult:
        """Read one block and hash it. Never raises for what is on the disk."""
        key = cid.multihash
        try:
            data = self._files.read(key)
            if data is None:
                return self.read_row(cid)
            return self._check(cid, data, self._find_tag(key))
        except (FileDamaged, BadBlock):
            self._quarantine.take(Path(self._files.path(key)))
            return _damaged(key)
        except OSError:  # no descriptors, memory or permission: nothing is wrong with the file
            return _UNAVAILABLE

    def close(self) -> None:
        """Close the index."""
        self._handle.close()

    def read_row(self, cid: Cid) -> ReadResult:
        """Read one block if it is a small one. Never raises for what is on the disk."""
        key = cid.multihash
        try:
            data, tag = self._find_row(key)
        except IndexDamaged:
            self._handle.close()
            lost = self._handle.path
            return _UNAVAILABLE._replace(order=IndexLost(lost) if lost else None)
        except IndexUnavailable:
            return _UNAVAILABLE
        if data is None:
            return _MISS
        try:
            return self._check(cid, data, tag)
        except BadBlock:
            return _damaged(key)

    def _find_row(self, key: bytes) -> tuple[bytes | None, bytes | None]:
        index = self._handle.get()
        return (
            (index.blob(key), None)
            if self._tag_key is None
            else index.blob_and_tag(key, is_file=False)
        )

    def _find_tag(self, key: bytes) -> bytes | None:
        if self._tag_key is None:
            return None
        try:
            return self._handle.get().blob_and_tag(key, is_file=True)[1]
        except (IndexDamaged, IndexUnavailable):  # whoever reads a row will say so
            return None

    def _check(self, cid: Cid, data: bytes, tag: bytes | None) -> ReadResult:
        """Check a block by its tag; by its CID when there is none, or not the right one.

        Raises:
            BadBlock: the CID does not fit either.
        """
        tag_key = self._tag_key
        if tag_key is None:
            return ReadResult(verify(cid, data))
        if tag is not None:
            with suppress(BadBlock):
                return ReadResult(verify_tag(cid, data, tag, tag_key))
        block = verify(cid, data)
        return ReadResult(block, order=Tag(cid.multihash, make_tag(tag_key, cid.multihash, data)))


class _Read:
    """One read under way, and everybody who waits for it."""

    __slots__ = ("cid", "deadline_s", "has_stalled", "is_expired", "is_started", "waiters")

    def __init__(self, cid: Cid, deadline_s: float) -> None:
        self.cid = cid
        self.deadline_s = deadline_s
        self.waiters: list[asyncio.Future[Block | MissReason]] = []
        self.is_started = False
        self.is_expired = False
        self.has_stalled = False


class ReaderPool:
    """Reads for the event loop: one read for all who want the same block at the same time."""

    def __init__(
        self,
        make_reader: Callable[[], BlockReader],
        finished: Callable[[ReadResult], None],
        deadline_s: float = READ_DEADLINE_S,
        took: Callable[[float], None] | None = None,
    ) -> None:
        """Start the threads; must be called where the event loop runs.

        Args:
            make_reader: called once in each thread.
            finished: told every result, in the event loop.
            deadline_s: after so long, and up to half as long again, a read is a miss.
            took: told, in the event loop, how many seconds the disk took for a read.
        """
        self._loop = asyncio.get_running_loop()
        self._make_reader = make_reader
        self._finished = finished
        self._took = took
        self._queue: SimpleQueue[_Read | None] = SimpleQueue()
        self._done: deque[tuple[_Read, ReadResult, float]] = deque()
        self._is_waking = False
        self._deadline_s = deadline_s
        self._reads: dict[bytes, _Read] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._stalled = 0
        self._threads = [
            threading.Thread(target=self._run, name=f"cache-reader-{n}", daemon=True)
            for n in range(READ_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_stalled(self) -> bool:
        """Whether no thread is left that the disk answers; every read is a miss then."""
        return self._stalled >= READ_THREADS

    async def read(self, cid: Cid) -> Block | MissReason:
        """Return the verified block, or why there is none."""
        if self.is_stalled:
            return MissReason.SLOW
        read = self._reads.get(cid.multihash)
        if read is None:
            read = self._start(cid)
        waiter: asyncio.Future[Block | MissReason] = self._loop.create_future()
        read.waiters.append(waiter)
        found = await waiter
        return found if not isinstance(found, Block) or found.cid is cid else rename(found, cid)

    def stop(self) -> None:
        """Let the threads end after what they are doing; reads that wait are misses."""
        for read in list(self._reads.values()):
            self._expire(read)
        if self._watch is not None:
            self._watch.cancel()
        for _ in self._threads:
            self._queue.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait until the threads have ended, each at most `timeout_s`. Blocks."""
        for thread in self._threads:
            thread.join(timeout_s)

    def _start(self, cid: Cid) -> _Read:
        read = _Read(cid, self._loop.time() + self._deadline_s)
        self._reads[cid.multihash] = read
        self._queue.put(read)
        if self._watch is None:  # one timer for all: each of its own costs 4 us a read
            self._watch = self._loop.call_later(self._deadline_s / 2, self._expire_late)
        return read

    def _expire_late(self) -> None:
        now_s = self._loop.time()
        for read in list(self._reads.values()):  # in the order of their deadlines
            if read.deadline_s > now_s:
                break
            self._expire(read)
        self._watch = None
        if self._reads:
            self._watch = self._loop.call_later(self._deadline_s / 2, self._expire_late)

    def _expire(self, read: _Read) -> None:
        read.is_expired = True
        if read.is_started:
            read.has_stalled = True
            self._stalled += 1
        self._settle(read, _SLOW)

    def _settle(self, read: _Read, result: ReadResult) -> None:
        if self._reads.get(read.cid.multihash) is read:
            del self._reads[read.cid.multihash]
        for waiter in read.waiters:
            if not waiter.done():
                waiter.set_result(result.reason if result.block is None else result.block)
        read.waiters.clear()

    def _deliver(self) -> None:
        self._is_waking = False  # first: what a thread adds from now on wakes the loop again
        while self._done:
            read, result, took_s = self._done.popleft()
            if self._took is not None:
                self._took(took_s)
            self._stalled -= read.has_stalled
            self._settle(read, result)
            self._finished(result)

    def _run(self) -> None:
        reader = self._make_reader()
        while (read := self._queue.get()) is not None:
            read.is_started = True
            started_s = perf_counter()
            result = _SLOW if read.is_expired else _survive(reader, read.cid)
            self._done.append((read, result, perf_counter() - started_s))
            if not self._is_waking:
                self._is_waking = True
                try:
                    self._loop.call_soon_threadsafe(self._deliver)
                except RuntimeError:  # the loop was closed without us
                    break
        reader.close()


def _survive(reader: BlockReader, cid: Cid) -> ReadResult:
    try:
        return reader.read(cid)
    except Exception:  # noqa: BLE001 (a dead thread would make misses of all later reads)
        _log.exception("a reader of the disk cache failed")
        return _UNAVAILABLE
