"""A second upstream is asked when the first one takes longer than usual; few are asked so."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.content.block import Block
from gateway.errors import RetrievalError
from gateway.ports import Choice
from gateway.upstream.retrieval import dispatcher as module
from tests.fakes import lies
from tests.fakes.lying_upstream import Answer, LyingUpstream, honest
from tests.fakes.upstream_kit import PATIENT, Kit, NoStore, read, sample

FILE = sample(60_000)
MODES = ["car", "block"]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNKNOWN_USUAL_S", 0.03)


class Pair:
    """Two upstreams with the same file; the first one is asked first."""

    def __init__(self, first: LyingUpstream, second: LyingUpstream, kit: Kit) -> None:
        self.first = first
        self.second = second
        self.kit = kit

    async def choices(self) -> list[tuple[str, str]]:
        """Read the file and return who was asked, and why."""
        session = self.kit.retrieval.open_session(None)
        assert await read(session, FILE.cid) == FILE.content
        await session.close()
        return [(choice.upstream, choice.reason) for choice in session.trace.choices]


@pytest.fixture(name="pair")
async def pair_fixture() -> AsyncIterator[Pair]:
    async with (
        LyingUpstream(FILE.blocks, name="first") as first,
        LyingUpstream(FILE.blocks, name="second") as second,
        Kit(first.settings, second.settings) as kit,
    ):
        yield Pair(first, second, kit)


async def test_a_second_one_is_asked_when_the_first_says_nothing(pair: Pair) -> None:
    pair.first.behaviour = lies.silent
    assert await pair.choices() == [("first", "first"), ("second", "hedged")]
    assert [logged.step for logged in pair.second.log] == ["car"]
    assert pair.kit.failures("first") == {}
    assert pair.kit.pool.rows()[0]["in_flight"] == 0


async def test_block_by_block_it_is_the_same(pair: Pair) -> None:
    pair.first.behaviour = lies.silent
    settings = replace(PATIENT, mode="block")
    async with Kit(pair.first.settings, pair.second.settings, settings=settings) as kit:
        pair.kit = kit
        assert (await pair.choices())[:2] == [("first", "first"), ("second", "hedged")]


async def test_without_a_cache_it_is_the_same(pair: Pair) -> None:
    pair.first.behaviour = lies.stall(0)
    async with Kit(pair.first.settings, pair.second.settings, store=NoStore()) as kit:
        pair.kit = kit
        assert await pair.choices() == [("first", "first"), ("second", "hedged")]
    assert len(pair.second.log) == 1


async def test_who_is_quick_is_not_hedged(pair: Pair) -> None:
    assert await pair.choices() == [("first", "first")]
    await asyncio.sleep(0.05)
    assert pair.second.log == []


async def test_many_readers_change_over_together(pair: Pair) -> None:
    pair.first.behaviour = lies.silent
    got = await asyncio.gather(*[pair.kit.read(FILE.cid) for _ in range(50)])
    assert set(got) == {FILE.content}
    assert (len(pair.first.log), len(pair.second.log)) == (1, 1)


class Late:
    """Answers honestly, or not, when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.then = honest

    async def __call__(self, answer: Answer) -> None:
        self.asked.set()
        await self.go.wait()
        await self.then(answer)


async def test_the_first_one_may_still_win(pair: Pair) -> None:
    pair.first.behaviour, pair.second.behaviour = late, never = Late(), Late()
    reading = asyncio.create_task(pair.choices())
    await never.asked.wait()
    late.go.set()
    assert await reading == [("first", "first"), ("second", "hedged")]
    assert pair.kit.failures("second") == {}


@pytest.mark.parametrize("fails", ["first", "second"])
async def test_the_other_one_brings_it_when_one_fails(pair: Pair, fails: str) -> None:
    pair.first.behaviour, pair.second.behaviour = late = Late(), Late()
    bad, good = late if fails == "first" else late[::-1]
    bad.then = lies.hang_up
    reading = asyncio.create_task(pair.choices())
    await asyncio.gather(bad.asked.wait(), good.asked.wait())
    bad.go.set()
    await asyncio.wait(pair.kit.context.tasks, return_when=asyncio.FIRST_COMPLETED)
    good.go.set()
    assert await reading == [("first", "first"), ("second", "hedged")]


async def test_both_failures_are_told_when_both_fail(pair: Pair) -> None:
    pair.first.behaviour, pair.second.behaviour = late = Late(), Late()
    reading = asyncio.create_task(pair.kit.read(FILE.cid))
    for one in late:
        one.then = lies.html
        await one.asked.wait()
        one.go.set()
    with pytest.raises(RetrievalError, match=r"first \(car\): .*; second \(car\): "):
        await reading


async def test_the_usual_time_is_that_of_the_upstream(pair: Pair) -> None:
    for number in range(20):
        exchange = pair.kit.pool.ask(Choice("first", "first"), "raw")
        pair.kit.clock.advance(0.1 + number / 100)
        exchange.delivered()
        exchange.close()
    assert pair.kit.pool.usual_s("first") == pytest.approx(0.29)
    assert pair.kit.pool.usual_s("second") is None


async def test_hedges_are_few() -> None:
    files = [sample(8 * (10 + number)) for number in range(100)]
    blocks = [block for file in files for block in file.blocks]
    gate = asyncio.Event()

    async def hold(_block: Block) -> None:
        await gate.wait()

    async with (
        LyingUpstream(blocks, name="first") as first,
        LyingUpstream(blocks, name="second") as second,
        Kit(first.settings, second.settings) as kit,
    ):
        first.before_block = second.before_block = hold
        readers = [asyncio.create_task(kit.read(file.cid)) for file in files]
        await asyncio.sleep(0.2)
        gate.set()
        await asyncio.gather(*readers)
        hedged = [event for event in kit.observer.upstream if "hedged" in str(event)]
    assert 1 <= len(hedged) <= 3
