"""One search for each name, however many wait for it."""

import asyncio

import pytest

from gateway.errors import NotFound
from gateway.naming.single_flight import SingleFlight


class Search:
    """A search that ends when it is told to."""

    def __init__(self) -> None:
        self.began = 0
        self.release = asyncio.Event()
        self.error: Exception | None = None

    async def run(self) -> int:
        self.began += 1
        await self.release.wait()
        if self.error is not None:
            raise self.error
        return 7


@pytest.fixture(name="search")
def search_fixture() -> Search:
    return Search()


async def turn() -> None:
    """Let every task that can go on do so."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_many_wait_for_one_search(search: Search) -> None:
    in_flight: SingleFlight[str, int] = SingleFlight()
    waiting = [asyncio.create_task(in_flight.join("a", search.run)) for _ in range(50)]
    await turn()
    search.release.set()
    assert await asyncio.gather(*waiting) == [7] * 50
    assert (search.began, len(in_flight)) == (1, 0)


async def test_who_began_it_may_leave(search: Search) -> None:
    in_flight: SingleFlight[str, int] = SingleFlight()
    first, second = (asyncio.create_task(in_flight.join("a", search.run)) for _ in range(2))
    await turn()
    first.cancel()
    await turn()
    search.release.set()
    assert await second == 7
    assert first.cancelled()


async def test_a_failure_is_everybodys(search: Search) -> None:
    in_flight: SingleFlight[str, int] = SingleFlight()
    search.error = NotFound("a", [])
    waiting = [asyncio.create_task(in_flight.join("a", search.run)) for _ in range(3)]
    await turn()
    search.release.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(result) for result in results] == ["a was not found on any upstream"] * 3


async def test_names_do_not_wait_for_each_other(search: Search) -> None:
    in_flight: SingleFlight[str, int] = SingleFlight()
    in_flight.begin("a", search.run)
    other = Search()
    other.release.set()
    assert await in_flight.join("b", other.run) == 7
    await in_flight.close()


async def test_a_failure_that_nobody_waits_for_is_no_warning(search: Search) -> None:
    in_flight: SingleFlight[str, int] = SingleFlight()
    search.error = NotFound("a", [])
    in_flight.begin("a", search.run)
    in_flight.begin("a", search.run)
    search.release.set()
    await turn()
    assert (search.began, len(in_flight)) == (1, 0)


async def test_closing_ends_searches(search: Search) -> None:
    in_flight: SingleFlight[str, int] = SingleFlight()
    waiting = asyncio.create_task(in_flight.join("a", search.run))
    await turn()
    await in_flight.close()
    await asyncio.wait([waiting])
    assert (waiting.cancelled(), len(in_flight)) == (True, 0)


async def test_a_bug_is_told_even_if_nobody_waits(search: Search) -> None:
    told: list[object] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    in_flight: SingleFlight[str, int] = SingleFlight()
    search.error = ZeroDivisionError()
    in_flight.begin("a", search.run)
    search.release.set()
    await turn()
    loop.set_exception_handler(before)
    assert told == [search.error]
