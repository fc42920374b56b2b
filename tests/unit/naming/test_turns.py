"""Turns: those who wait in vain keep nobody else waiting (issue 12, 6)."""

import asyncio

import pytest

from gateway.naming.turns import Turns

LONG_S = 60.0


class Silence:
    """Work that never ends, and what became of it."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.ended: list[str] = []

    async def hold(self, group: str, name: str = "") -> None:
        try:
            async with self._turns.take(group):
                await asyncio.Event().wait()
        except TimeoutError:
            self.ended.append(name or group)


async def begin(*silent: asyncio.Task[None]) -> None:
    """Let tasks come as far as they come."""
    for _ in range(3 * len(silent) + 3):
        await asyncio.sleep(0)


async def end(*silent: asyncio.Task[None]) -> None:
    for task in silent:
        task.cancel()
    await asyncio.gather(*silent, return_exceptions=True)


async def test_a_turn_that_nobody_waits_for_lasts() -> None:
    silence = Silence(Turns(1, 0.0))
    held = asyncio.create_task(silence.hold("a"))
    await begin(held)
    assert not held.done()
    await end(held)
    assert silence.ended == []


async def test_who_waits_gets_the_turn_of_who_waits_in_vain() -> None:
    turns = Turns(4, 0.0)
    silence = Silence(turns)
    held = [asyncio.create_task(silence.hold(f"silent-{i}")) for i in range(40)]
    await begin(*held)
    async with asyncio.timeout(5), turns.take("good"):
        pass
    await end(*held)


async def test_the_group_with_most_turns_gives_one_back() -> None:
    turns = Turns(4, 0.0)
    silence = Silence(turns)
    groups = ["slow", "evil", "evil", "evil"]
    held = [asyncio.create_task(silence.hold(g, f"{g}{i}")) for i, g in enumerate(groups)]
    await begin(*held)
    async with turns.take("good"):
        assert silence.ended == ["evil1"]
    await end(*held)


async def test_a_group_that_has_no_turn_comes_first() -> None:
    turns = Turns(1, LONG_S)
    order: list[str] = []
    first = asyncio.Event()

    async def wait(group: str) -> None:
        async with turns.take(group):
            order.append(group)
            if len(order) == 1:
                await first.wait()

    async with asyncio.timeout(5):
        tasks = [asyncio.create_task(wait(group)) for group in ("evil", "evil", "evil", "good")]
        await begin(*tasks)
        turns._counts["evil"] += 1  # as of a worker's other turns
        first.set()
        await asyncio.gather(*tasks)
    assert order == ["evil", "good", "evil", "evil"]


async def test_a_turn_lasts_its_least_time_whatever_waits() -> None:
    turns = Turns(1, LONG_S)
    silence = Silence(turns)
    held = asyncio.create_task(silence.hold("a"))
    waiting = [asyncio.create_task(silence.hold("b")) for _ in range(3)]
    await begin(held, *waiting)
    assert silence.ended == []
    await end(held, *waiting)


async def test_all_turns_are_free_again_after_everybody_left() -> None:
    turns = Turns(2, LONG_S)
    silence = Silence(turns)
    tasks = [asyncio.create_task(silence.hold("a")) for _ in range(6)]
    await begin(*tasks)
    await end(*tasks)
    async with asyncio.timeout(5), turns.take("b"), turns.take("b"):
        assert turns._counts == {"b": 2}
    assert (turns._free, turns._counts, turns._waiting, turns._holders) == (2, {}, {}, {})


async def test_who_leaves_in_the_moment_of_its_turn_gives_it_back() -> None:
    turns = Turns(1, LONG_S)
    silence = Silence(turns)
    async with turns.take("a"):
        waiting = asyncio.create_task(silence.hold("b"))
        await begin(waiting)
    waiting.cancel()  # the turn is its own since the line above, and it does not know yet
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(5), turns.take("c"):
        pass
