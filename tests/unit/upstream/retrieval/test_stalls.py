"""A stream that stalls in its middle is raced from the next upstream, and left."""

import asyncio

import pytest

from gateway.upstream.retrieval import dispatcher as asker_module
from gateway.upstream.retrieval import stalls as module
from tests.fakes import lies
from tests.fakes.lying_upstream import Answer, LyingUpstream
from tests.fakes.upstream_kit import Kit, sample

FILE = sample(60_000)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALL_S", 0.03)
    monkeypatch.setattr(asker_module, "STALL_S", 0.03)


async def tick(kit: Kit) -> None:
    """Move the clock of the gateway with that of the loop."""
    while True:
        await asyncio.sleep(0.005)
        kit.clock.advance(0.005)


async def read_with_time(kit: Kit) -> bytes:
    """Read the file while time passes."""
    ticking = asyncio.create_task(tick(kit))
    try:
        return await kit.read(FILE.cid)
    finally:
        ticking.cancel()


@pytest.mark.parametrize("stalls", [1, 2])
async def test_a_stalled_stream_is_overtaken(stalls: int) -> None:
    """Issue 12, 33: a client waited for the idle timeout and was broken off."""
    async with (
        LyingUpstream(FILE.blocks, lies.stall(9), name="first") as first,
        LyingUpstream(FILE.blocks, name="second") as second,
        LyingUpstream(FILE.blocks, name="third") as third,
        Kit(first.settings, second.settings, third.settings) as kit,
    ):
        second.behaviour = lies.stall(0) if stalls == 2 else second.behaviour
        for _ in range(100):
            kit.context.hedges.asked()  # what is saved up
        assert await read_with_time(kit) == FILE.content
        assert len(first.log) == 1  # the request does not return to it
        assert len(second.log) + len(third.log) == stalls
        assert kit.failures("first") == {"silent": 1}


async def test_without_budget_nobody_is_raced() -> None:
    """Issue 12, 33: a race is a hedge."""
    async with (
        LyingUpstream(FILE.blocks, lies.stall(9), name="first") as first,
        LyingUpstream(FILE.blocks, name="second") as second,
        Kit(first.settings, second.settings) as kit,
    ):
        kit.context.hedges.take()
        reading = asyncio.create_task(read_with_time(kit))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reading, 0.2)
        assert second.log == []


async def test_a_slow_pace_is_no_stall() -> None:
    """Issue 12, 33."""
    async with (
        LyingUpstream(FILE.blocks, lies.stall(9), name="first") as first,
        LyingUpstream(FILE.blocks, name="second") as second,
        Kit(first.settings, second.settings) as kit,
    ):
        first.behaviour = slow
        assert await read_with_time(kit) == FILE.content
        assert second.log == []


async def slow(answer: Answer) -> None:
    """Send each block a little late."""
    await answer.begin()
    for block in answer.blocks():
        await asyncio.sleep(0.01)
        await answer.send_blocks([block])
    await answer.end()
