"""Reads off the event loop: shared, several at once, and never waited for too long."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.cache.disk.reader import BlockReader, ReadResult
from gateway.cache.disk.reader_pool import READ_THREADS, ReaderPool
from gateway.content.block import Block
from gateway.content.cid import DAG_PB, Cid
from gateway.ports import MissReason
from tests.fakes.blocks import alias, numbered

LARGE = numbered(2, 20_000)
NUMBERED = [numbered(n, 100) for n in range(4)]
SOON_S = 0.05


class SlowReader(BlockReader):
    """Waits for leave before it reads, as a disk that does not answer."""

    def __init__(self, leave: threading.Event) -> None:
        self.leave = leave
        self.reads = 0

    def read(self, cid: Cid) -> ReadResult:
        self.leave.wait()
        self.reads += 1
        return ReadResult(LARGE)

    def close(self) -> None:
        return


class Failing(SlowReader):
    """Has a fault that nobody foresaw, once."""

    def read(self, cid: Cid) -> ReadResult:
        self.reads += 1
        if self.reads == 1:
            raise ZeroDivisionError("a fault")
        return ReadResult(LARGE)


class Results(list[ReadResult]):
    """What a pool told of its reads."""

    def __init__(self) -> None:
        super().__init__()
        self._told = asyncio.Event()

    def take(self, result: ReadResult) -> None:
        self.append(result)
        self._told.set()

    async def until(self, count: int) -> None:
        """Wait until so many reads are over."""
        while len(self) < count:
            self._told.clear()
            await self._told.wait()


@contextmanager
def pool_of(
    reader: SlowReader, results: Results | None = None, deadline_s: float = 10.0
) -> Iterator[ReaderPool]:
    pool = ReaderPool(lambda: reader, (Results() if results is None else results).take, deadline_s)
    try:
        yield pool
    finally:
        reader.leave.set()
        pool.stop()
        pool.join(5)


def answering() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


async def test_reads_for_the_loop() -> None:
    results = Results()
    with pool_of(SlowReader(answering()), results) as pool:
        assert await pool.read(LARGE.cid) == LARGE
    assert results == [ReadResult(LARGE)]


async def test_what_was_in_memory_took_the_disk_no_time() -> None:
    took: list[float] = []
    pool = ReaderPool(lambda: SlowReader(answering()), Results().take, took=took.append)
    try:
        await pool.read(LARGE.cid)
    finally:
        pool.stop()
        pool.join(5)
    assert took == [0.0]


async def test_everybody_gets_the_block_under_the_cid_that_was_asked_for() -> None:
    asked = alias(LARGE.cid, DAG_PB)
    with pool_of(SlowReader(answering())) as pool:
        found = await pool.read(asked)
    assert isinstance(found, Block)
    assert found.cid == asked


class Numbers(SlowReader):
    """Has the blocks with even numbers."""

    def read(self, cid: Cid) -> ReadResult:
        self.reads += 1
        return ReadResult(next((block for block in NUMBERED[::2] if block.cid == cid), None))


async def test_several_are_read_in_order_by_one_thread() -> None:
    reader, results = Numbers(answering()), Results()
    with pool_of(reader, results) as pool:
        found = await pool.read_all([block.cid for block in NUMBERED])
    assert found == [NUMBERED[0], MissReason.ABSENT, NUMBERED[2], MissReason.ABSENT]
    assert len(results) == reader.reads == len(NUMBERED)


async def test_several_that_take_too_long_are_all_misses() -> None:
    with pool_of(SlowReader(threading.Event()), deadline_s=SOON_S) as pool:
        found = await pool.read_all([block.cid for block in NUMBERED])
    assert found == [MissReason.SLOW] * len(NUMBERED)


async def test_a_disk_that_stalls_has_none_of_several() -> None:
    with pool_of(SlowReader(threading.Event()), deadline_s=SOON_S) as pool:
        await asyncio.gather(*[pool.read(numbered(n, 8).cid) for n in range(READ_THREADS)])
        assert await pool.read_all([LARGE.cid] * 3) == [MissReason.SLOW] * 3


async def test_one_read_serves_all_who_wait_for_it() -> None:
    reader = SlowReader(threading.Event())
    with pool_of(reader) as pool:
        waiting = [asyncio.create_task(pool.read(LARGE.cid)) for _ in range(50)]
        await asyncio.sleep(0)
        reader.leave.set()
        assert await asyncio.gather(*waiting) == [LARGE] * 50
    assert reader.reads == 1


async def test_one_who_leaves_takes_nobody_along() -> None:
    reader = SlowReader(threading.Event())
    with pool_of(reader) as pool:
        leaver, stayer = (asyncio.create_task(pool.read(LARGE.cid)) for _ in range(2))
        await asyncio.sleep(0)
        leaver.cancel()
        reader.leave.set()
        assert await stayer == LARGE


async def test_a_read_that_takes_too_long_is_a_miss() -> None:
    reader = SlowReader(threading.Event())
    with pool_of(reader, deadline_s=SOON_S) as pool:
        assert await pool.read(LARGE.cid) is MissReason.SLOW
        assert not pool.is_stalled  # other threads still answer


async def test_a_disk_that_does_not_answer_is_not_asked_any_more() -> None:
    reader = SlowReader(threading.Event())
    with pool_of(reader, deadline_s=SOON_S) as pool:
        cids = [numbered(n, 8).cid for n in range(READ_THREADS)]
        assert await asyncio.gather(*map(pool.read, cids)) == [MissReason.SLOW] * READ_THREADS
        assert pool.is_stalled
        assert await pool.read(LARGE.cid) is MissReason.SLOW
    assert reader.reads == READ_THREADS


async def test_a_disk_that_answers_again_is_asked_again() -> None:
    results = Results()
    reader = SlowReader(threading.Event())
    with pool_of(reader, results, SOON_S) as pool:
        cids = [numbered(n, 8).cid for n in range(READ_THREADS)]
        await asyncio.gather(*map(pool.read, cids))
        reader.leave.set()
        await results.until(READ_THREADS)
        assert not pool.is_stalled
        assert await pool.read(LARGE.cid) == LARGE


async def test_a_read_that_waits_behind_stuck_ones_is_a_miss_and_not_done() -> None:
    results = Results()
    reader = SlowReader(threading.Event())
    with pool_of(reader, results, SOON_S) as pool:
        cids = [numbered(n, 8).cid for n in range(READ_THREADS + 3)]
        assert await asyncio.gather(*map(pool.read, cids)) == [MissReason.SLOW] * len(cids)
        reader.leave.set()
        await results.until(len(cids))
    assert reader.reads == READ_THREADS


async def test_a_fault_costs_one_read_and_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    with pool_of(Failing(answering())) as pool:
        assert await pool.read(LARGE.cid) is MissReason.UNAVAILABLE
        found = [await pool.read(LARGE.cid) for _ in range(2 * READ_THREADS)]
    assert found == [LARGE] * 2 * READ_THREADS
    assert "a reader of the disk cache failed" in caplog.text


async def test_stopping_makes_misses_of_what_waits() -> None:
    reader = SlowReader(threading.Event())
    with pool_of(reader) as pool:
        waiting = asyncio.create_task(pool.read(LARGE.cid))
        await asyncio.sleep(0)
        pool.stop()
        assert await waiting is MissReason.SLOW
