"""The table of blocks under way."""

import asyncio

import pytest

from gateway.upstream.retrieval.in_flight import Entry, Flights, Gone, Landed
from gateway.upstream.retrieval.reader_buffer import Shelf
from tests.fakes.blocks import numbered

BLOCK = numbered(1, 10)
KEY = BLOCK.cid.multihash
LANDED = Landed(BLOCK, None)


class Bringer:
    """An owner that remembers who waits."""

    def __init__(self) -> None:
        self.joined: list[Shelf] = []
        self.count = 0

    def join(self, shelf: Shelf) -> None:
        self.joined.append(shelf)

    def waiting(self, change: int) -> None:
        self.count += change


async def waiting(entry: Entry, shelf: Shelf) -> asyncio.Task[Landed | Gone]:
    """Wait in a task that has begun."""
    task = asyncio.create_task(entry.wait(shelf))
    await asyncio.sleep(0)
    return task


async def test_all_who_wait_get_the_block() -> None:
    flights, shelves = Flights(), [Shelf(), Shelf()]
    entry = flights.announce(KEY, Bringer())
    tasks = [await waiting(entry, shelf) for shelf in shelves]
    assert flights.find(KEY) is entry
    assert list(flights.land(KEY, LANDED)) == shelves
    assert [await task for task in tasks] == [LANDED, LANDED]
    assert (flights.find(KEY), len(flights)) == (None, 0)


async def test_who_comes_after_the_landing_gets_it_too() -> None:
    flights = Flights()
    entry = flights.announce(KEY)
    flights.land(KEY, LANDED)
    assert await entry.wait(Shelf()) is LANDED


def test_landing_of_what_nobody_announced_is_no_error() -> None:
    assert list(Flights().land(KEY, LANDED)) == []


async def test_all_who_wait_learn_that_it_is_gone() -> None:
    flights = Flights()
    entry = flights.announce(KEY)
    task = await waiting(entry, Shelf())
    gone = Gone()
    flights.drop(KEY, entry, gone)
    assert await task is gone
    assert len(flights) == 0


async def test_dropping_an_old_entry_leaves_the_new_one() -> None:
    flights = Flights()
    old = flights.announce(KEY)
    flights.land(KEY, LANDED)
    new = flights.announce(KEY)
    flights.drop(KEY, old, Gone())
    assert flights.find(KEY) is new


async def test_a_reader_that_leaves_disturbs_no_other() -> None:
    flights, owner = Flights(), Bringer()
    entry = flights.announce(KEY, owner)
    first, second = await waiting(entry, Shelf()), await waiting(entry, Shelf())
    first.cancel()
    with pytest.raises(asyncio.CancelledError, match=r"^$"):
        await first
    assert owner.count == 1
    flights.land(KEY, LANDED)
    assert await second is LANDED
    assert owner.count == 0


async def test_a_reader_cancelled_while_its_block_lands_is_no_error() -> None:
    flights, owner = Flights(), Bringer()
    entry = flights.announce(KEY, owner)
    task = await waiting(entry, Shelf())
    task.cancel()
    flights.land(KEY, LANDED)
    with pytest.raises(asyncio.CancelledError, match=r"^$"):
        await task
    assert owner.count == 0


async def test_who_takes_an_entry_over_learns_who_waits() -> None:
    flights, owner, shelf = Flights(), Bringer(), Shelf()
    entry = flights.announce(KEY)
    task = await waiting(entry, shelf)
    entry.hand_to(owner)
    assert entry.owner is owner
    assert (owner.joined, owner.count) == ([shelf], 1)
    flights.land(KEY, LANDED)
    await task


async def test_a_bug_reaches_all_who_wait() -> None:
    flights = Flights()
    entry = flights.announce(KEY)
    task = await waiting(entry, Shelf())
    flights.drop(KEY, entry, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        await task
