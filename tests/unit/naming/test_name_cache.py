"""Answers about names: what is asked for, when, and what is said meanwhile."""

import asyncio

import pytest

from gateway.errors import Attempt, BadTarget, GatewayError, NotFound, Unavailable
from gateway.naming.held import Held
from gateway.naming.name_cache import REST_S, Answer, NameCache, Policy
from tests.fakes.clock import FakeClock

POLICY = Policy(absent_s=30, failed_s=5, survived=(Unavailable,), patience_s=0.05)
TTL_S, STALE_S, GRACE_S = 100, 50, 200


class World:
    """Names with answers, and a keeper that asks for them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.value = 1
        self.error: GatewayError | None = None
        self.asked: list[int | None] = []
        """The last answer that each search was given."""
        self.alive = True
        self.pause = asyncio.Event()
        self.pause.set()
        self.keeper = NameCache(POLICY, self.clock, self.search, lambda _value: self.alive, 10)

    async def search(self, _name: str, held: Held[int] | None) -> Held[int]:
        self.asked.append(held.value if held is not None else None)
        await self.pause.wait()
        if self.error is not None:
            raise self.error
        now = self.clock.monotonic()
        return Held(
            self.value,
            now + TTL_S,
            now + TTL_S + STALE_S,
            now + TTL_S + GRACE_S,
            now + REST_S,
        )

    async def get(self) -> tuple[int, bool]:
        answer: Answer[int] = await self.keeper.get("a")
        return answer.held.value, answer.is_stale

    async def settle(self) -> None:
        """Let searches in the background end."""
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture(name="world")
def world_fixture() -> World:
    return World()


async def test_a_fresh_answer_is_not_asked_for_again(world: World) -> None:
    assert await world.get() == (1, False)
    world.clock.advance(TTL_S - 1)
    assert await world.get() == (1, False)
    assert world.asked == [None]


async def test_a_stale_answer_is_used_while_it_is_asked_for_again(world: World) -> None:
    await world.get()
    world.value = 2
    world.clock.advance(TTL_S + 1)
    world.pause.clear()
    assert [await world.get() for _ in range(5)] == [(1, True)] * 5
    await world.settle()
    world.pause.set()
    await world.settle()
    assert await world.get() == (2, False)
    assert world.asked == [None, 1]


async def test_who_asks_afresh_waits_for_what_is_newer_than_stale(world: World) -> None:
    """Issue 12, 35."""
    await world.get()
    world.value = 2
    world.clock.advance(TTL_S + 1)
    assert await world.get() == (1, True)
    answer: Answer[int] = await world.keeper.get("a", is_afresh=True)
    assert (answer.held.value, answer.is_stale) == (2, False)
    assert world.asked == [None, 1]


async def test_an_old_answer_is_asked_for_first(world: World) -> None:
    await world.get()
    world.value = 2
    world.clock.advance(TTL_S + STALE_S + 1)
    assert await world.get() == (2, False)


async def test_an_old_answer_is_used_when_nobody_answers(world: World) -> None:
    await world.get()
    world.error = Unavailable("a", [])
    world.clock.advance(TTL_S + STALE_S + 1)
    assert await world.get() == (1, True)


async def test_after_a_failure_the_next_search_waits(world: World) -> None:
    await world.get()
    world.error = Unavailable("a", [])
    world.clock.advance(TTL_S + STALE_S + 1)
    for _ in range(5):
        await world.get()
    assert len(world.asked) == 2
    world.clock.advance(REST_S)
    await world.get()
    assert len(world.asked) == 3


async def test_an_old_answer_is_used_when_the_next_takes_too_long(world: World) -> None:
    await world.get()
    world.value = 2
    world.clock.advance(TTL_S + STALE_S + 1)
    world.pause.clear()
    assert [await world.get() for _ in range(5)] == [(1, True)] * 5
    world.pause.set()
    await world.settle()
    assert await world.get() == (2, False)
    assert len(world.asked) == 2


async def test_many_who_wait_too_long_leave_a_newer_answer_in_place(world: World) -> None:
    await world.get()
    world.value = 2
    world.clock.advance(TTL_S + STALE_S + 1)
    world.pause.clear()
    waiting = [asyncio.create_task(world.get()) for _ in range(3)]
    assert await asyncio.gather(*waiting) == [(1, True)] * 3
    held, _ = await world.keeper.get("a")
    world.pause.set()
    await world.settle()
    assert await world.keeper._rest("a", held) == (await world.keeper.get("a"))
    assert await world.get() == (2, False)


async def test_after_its_grace_an_answer_is_gone(world: World) -> None:
    await world.get()
    world.error = Unavailable("a", [])
    world.clock.advance(TTL_S + GRACE_S)
    with pytest.raises(Unavailable, match="a could not"):
        await world.get()
    assert world.asked == [None, None]


async def test_an_answer_that_is_over_by_its_own_words_is_gone(world: World) -> None:
    await world.get()
    world.alive = False
    world.value = 2
    await world.get()
    assert world.asked == [None, None]


async def test_an_answer_may_end_while_it_is_asked_for_again(world: World) -> None:
    await world.get()
    world.error = Unavailable("a", [])
    world.clock.advance(TTL_S + STALE_S + 1)
    world.pause.clear()
    asking = asyncio.create_task(world.get())
    await world.settle()
    world.alive = False
    world.pause.set()
    with pytest.raises(Unavailable, match="a could not"):
        await asking


async def test_an_absence_replaces_the_last_answer(world: World) -> None:
    await world.get()
    world.error = NotFound("a", [])
    world.clock.advance(TTL_S + STALE_S + 1)
    with pytest.raises(NotFound, match="a was not found"):
        await world.get()
    world.error = Unavailable("a", [])
    world.clock.advance(POLICY.absent_s)
    with pytest.raises(Unavailable, match="a could not"):
        await world.get()


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        pytest.param(NotFound("a", []), POLICY.absent_s, id="absent"),
        pytest.param(Unavailable("a", [Attempt("u", "record", "x")]), POLICY.failed_s, id="fail"),
        pytest.param(BadTarget("a", "x"), POLICY.failed_s, id="bad"),
    ],
)
async def test_a_failure_is_remembered_for_a_while(
    world: World, error: GatewayError, seconds: float
) -> None:
    world.error = error
    for _ in range(3):
        with pytest.raises(type(error), match="a "):
            await world.get()
    assert len(world.asked) == 1
    world.error = None
    world.clock.advance(seconds)
    assert await world.get() == (1, False)


async def test_many_cost_one_search(world: World) -> None:
    assert await asyncio.gather(*[world.get() for _ in range(50)]) == [(1, False)] * 50
    assert len(world.asked) == 1


async def test_a_failure_in_the_background_leaves_the_answer(world: World) -> None:
    await world.get()
    world.error = Unavailable("a", [])
    world.clock.advance(TTL_S + 1)
    assert await world.get() == (1, True)
    await world.settle()
    assert await world.get() == (1, True)
    assert len(world.asked) == 2


async def test_closing_ends_searches(world: World) -> None:
    world.pause.clear()
    asking = asyncio.create_task(world.get())
    await world.settle()
    await world.keeper.close()
    await asyncio.wait([asking])
    assert asking.cancelled()


@pytest.mark.parametrize("error", [None, NotFound("a", [])], ids=["known", "unknown"])
async def test_many_names_do_not_fill_the_memory(world: World, error: GatewayError | None) -> None:
    world.error = error
    names = [f"host-{number}.example" for number in range(100)]
    await asyncio.gather(*map(world.keeper.get, names), return_exceptions=True)
    keeper = world.keeper
    assert len(world.asked) == 100
    assert (len(keeper._table) + len(keeper._failures), len(keeper._in_flight)) == (10, 0)
