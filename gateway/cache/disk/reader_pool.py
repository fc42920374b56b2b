"""Threads that read blocks from the disk and hash them, so that the event loop never waits.

A pool of our own and not `ThreadPoolExecutor`: one queue, plain futures of the loop, and one
wake-up of the loop for all reads that are done by then. Measured, 1 KiB: 30 us less a read.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from time import perf_counter
from typing import Final

from gateway.cache.disk.reader import UNAVAILABLE, BlockReader, ReadResult, disk_reads
from gateway.content.block import Block, rename
from gateway.content.cid import Cid
from gateway.ports import MissReason

READ_THREADS: Final = 4
"""Reads that a slow disk may be asked for at once."""
READ_DEADLINE_S: Final = 2.0
"""A read that takes longer is a miss: an upstream is faster."""

_SLOW: Final = ReadResult(None, reason=MissReason.SLOW)
_log = logging.getLogger(__name__)

Found = list[Block | MissReason]
"""What a read came to, in the order of what was asked for."""


class _Read:
    """One read under way, and everybody who waits for it."""

    __slots__ = ("cids", "deadline_s", "has_stalled", "is_expired", "is_started", "key", "waiters")

    def __init__(self, key: bytes, cids: Sequence[Cid], deadline_s: float) -> None:
        self.key = key
        self.cids = cids
        self.deadline_s = deadline_s
        self.waiters: list[asyncio.Future[Found]] = []
        self.is_started = False
        self.is_expired = False
        self.has_stalled = False


class ReaderPool:
    """Reads for the event loop: one read for all who want the same at the same time."""

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
            took: told, in the event loop, how many seconds the disk took for a block; 0 when the
                system had it in memory.
        """
        self._loop = asyncio.get_running_loop()
        self._make_reader = make_reader
        self._finished = finished
        self._took = took
        self._queue: SimpleQueue[_Read | None] = SimpleQueue()
        self._done: deque[tuple[_Read, Sequence[ReadResult], float]] = deque()
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
        return (await self.read_all((cid,)))[0]

    async def read_all(self, cids: Sequence[Cid]) -> Found:
        """Return, in order, each verified block or why it is not there.

        One thread reads them all, with two wake-ups instead of two for each.
        """
        if self.is_stalled:
            return [MissReason.SLOW] * len(cids)
        key = b"".join([cid.multihash for cid in cids])
        read = self._reads.get(key)
        if read is None:
            read = self._start(key, cids)
        waiter: asyncio.Future[Found] = self._loop.create_future()
        read.waiters.append(waiter)
        return [
            rename(one, cid) if isinstance(one, Block) and one.cid is not cid else one
            for one, cid in zip(await waiter, cids, strict=True)
        ]

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

    def _start(self, key: bytes, cids: Sequence[Cid]) -> _Read:
        read = _Read(key, cids, self._loop.time() + self._deadline_s)
        self._reads[key] = read
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
        self._settle(read, (_SLOW,) * len(read.cids))

    def _settle(self, read: _Read, results: Sequence[ReadResult]) -> None:
        if self._reads.get(read.key) is read:
            del self._reads[read.key]
        found: Found = [one.reason if one.block is None else one.block for one in results]
        for waiter in read.waiters:
            if not waiter.done():
                waiter.set_result(found)
        read.waiters.clear()

    def _deliver(self) -> None:
        self._is_waking = False  # first: what a thread adds from now on wakes the loop again
        while self._done:
            read, results, took_s = self._done.popleft()
            if self._took is not None:
                self._took(took_s / len(results))
            self._stalled -= read.has_stalled
            self._settle(read, results)
            for result in results:
                self._finished(result)

    def _run(self) -> None:
        reader = self._make_reader()
        while (read := self._queue.get()) is not None:
            read.is_started = True
            reads_before, started_s = disk_reads(), perf_counter()
            results = [_SLOW if read.is_expired else _survive(reader, cid) for cid in read.cids]
            # With nothing read from the disk it was the processor that let the thread wait.
            took_s = perf_counter() - started_s if disk_reads() != reads_before else 0.0
            self._done.append((read, results, took_s))
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
        return UNAVAILABLE
