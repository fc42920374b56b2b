"""The table of blocks under way."""

import asyncio

import pytest

from gateway.upstream.retrieval.in_flight import Entry, Gone, InFlight, Landed
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from tests.fakes.blocks import numbered

BLOCK = numbered(1, 10)
KEY = BLOCK.cid.multihash
LANDED = Landed(BLOCK, None)


class Bringer:
    """An owner that remembers who waits."""

    def __init__(self) -> None:
        self.joined: list[ReaderBuffer] = []
        self.count = 0

    def join(self, reader_buffer: ReaderBuffer) -> None:
        self.joined.append(reader_buffer)

    def waiting(self, change: int) -> None:
        self.count += change


async def waiting(entry: Entry, reader_buffer: ReaderBuffer) -> asyncio.Task[Landed | Gone]:
    """Wait in a task that has begun."""
    task = asyncio.create_task(entry.wait(reader_buffer))
    await asyncio.sleep(0)
    return task


async def test_all_who_wait_get_the_block() -> None:
    in_flight, reader_buffers = InFlight(), [ReaderBuffer(), ReaderBuffer()]
    entry = in_flight.announce(KEY, Bringer())
    tasks = [await waiting(entry, reader_buffer) for reader_buffer in reader_buffers]
    assert in_flight.find(KEY) is entry
    assert list(in_flight.land(KEY, LANDED)) == reader_buffers
    assert [await task for task in tasks] == [LANDED, LANDED]
    assert (in_flight.find(KEY), len(in_flight)) == (None, 0)


async def test_who_comes_after_the_landing_gets_it_too() -> None:
    in_flight = InFlight()
    entry = in_flight.announce(KEY)
    in_flight.land(KEY, LANDED)
    assert await entry.wait(ReaderBuffer()) is LANDED


def test_landing_of_what_nobody_announced_is_no_error() -> None:
    assert list(InFlight().land(KEY, LANDED)) == []


async def test_all_who_wait_learn_that_it_is_gone() -> None:
    in_flight = InFlight()
    entry = in_flight.announce(KEY)
    task = await waiting(entry, ReaderBuffer())
    gone = Gone()
    in_flight.drop(KEY, entry, gone)
    assert await task is gone
    assert len(in_flight) == 0


async def test_dropping_an_old_entry_leaves_the_new_one() -> None:
    in_flight = InFlight()
    old = in_flight.announce(KEY)
    in_flight.land(KEY, LANDED)
    new = in_flight.announce(KEY)
    in_flight.drop(KEY, old, Gone())
    assert in_flight.find(KEY) is new


async def test_a_reader_that_leaves_disturbs_no_other() -> None:
    in_flight, owner = InFlight(), Bringer()
    entry = in_flight.announce(KEY, owner)
    first, second = await waiting(entry, ReaderBuffer()), await waiting(entry, ReaderBuffer())
    first.cancel()
    with pytest.raises(asyncio.CancelledError, match=r"^$"):
        await first
    assert owner.count == 1
    in_flight.land(KEY, LANDED)
    assert await second is LANDED
    assert owner.count == 0


async def test_a_reader_cancelled_while_its_block_lands_is_no_error() -> None:
    in_flight, owner = InFlight(), Bringer()
    entry = in_flight.announce(KEY, owner)
    task = await waiting(entry, ReaderBuffer())
    task.cancel()
    in_flight.land(KEY, LANDED)
    with pytest.raises(asyncio.CancelledError, match=r"^$"):
        await task
    assert owner.count == 0


async def test_who_takes_an_entry_over_learns_who_waits() -> None:
    in_flight, owner, reader_buffer = InFlight(), Bringer(), ReaderBuffer()
    entry = in_flight.announce(KEY)
    task = await waiting(entry, reader_buffer)
    entry.hand_to(owner)
    assert entry.owner is owner
    assert (owner.joined, owner.count) == ([reader_buffer], 1)
    in_flight.land(KEY, LANDED)
    await task


async def test_a_bug_reaches_all_who_wait() -> None:
    in_flight = InFlight()
    entry = in_flight.announce(KEY)
    task = await waiting(entry, ReaderBuffer())
    in_flight.drop(KEY, entry, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        await task
