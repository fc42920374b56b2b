"""Several requests for one block, and who brings it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gateway.content.block import Block
from gateway.ports import Choice
from gateway.upstream.retrieval.fetch import RawFetch
from gateway.upstream.retrieval.in_flight import Entry, Gone, Landed
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from tests.fakes import lies
from tests.fakes.blocks import numbered
from tests.fakes.lying_upstream import LyingUpstream
from tests.fakes.upstream_kit import Kit

BLOCK = numbered(1, 1000)
KEY = BLOCK.cid.multihash
NAMES = ("one", "two", "three")


class Track:
    """Three upstreams and a fetch to each for the same block."""

    def __init__(self, kit: Kit, upstreams: list[LyingUpstream]) -> None:
        self.kit = kit
        self.one, self.two, self.three = upstreams
        self.reader_buffer = ReaderBuffer()

    def start(self) -> Entry:
        context = self.kit.context
        first, *others = [
            RawFetch(
                context,
                context.pool.ask(Choice(name, "first"), "raw"),
                self.reader_buffer,
                BLOCK.cid,
            )
            for name in NAMES
        ]
        entry = context.in_flight.announce(KEY)
        first.start(KEY, entry)
        for other in others:
            other.start_beside(first)
        self.tasks = [fetch._task for fetch in (first, *others) if fetch._task]
        return entry

    async def finish(self) -> None:
        await asyncio.gather(*self.kit.context.tasks, return_exceptions=True)
        await asyncio.sleep(0)
        assert (len(self.kit.context.in_flight), self.kit.context.tasks) == (0, set())
        assert self.reader_buffer.workers == set()
        assert [row["in_flight"] for row in self.kit.pool.rows()] == [0, 0, 0]


@pytest.fixture(name="track")
async def track_fixture() -> AsyncIterator[Track]:
    async with AsyncExitStack() as stack:
        upstreams = [
            await stack.enter_async_context(LyingUpstream([BLOCK], name=name)) for name in NAMES
        ]
        kit = Kit(*[upstream.settings for upstream in upstreams])
        yield Track(await stack.enter_async_context(kit), upstreams)


async def test_who_delivers_first_wins_and_the_others_are_cut_off(track: Track) -> None:
    track.one.behaviour = lies.silent
    track.three.behaviour = lies.silent
    assert await track.start().wait(track.reader_buffer) == Landed(BLOCK, None)
    await track.finish()
    assert [track.kit.failures(name) for name in NAMES] == [{}, {}, {}]


async def test_a_failure_does_not_matter_while_another_one_runs(track: Track) -> None:
    track.one.behaviour = lies.status("404 Not Found")
    track.two.behaviour = lies.flip()
    assert await track.start().wait(track.reader_buffer) == Landed(BLOCK, None)
    await track.finish()


async def test_all_failures_are_told_when_all_have_failed(track: Track) -> None:
    go = asyncio.Event()

    async def wait(_block: Block) -> None:
        await go.wait()
        raise ConnectionResetError

    track.one.before_block = wait
    track.two.behaviour = lies.status("404 Not Found")
    track.three.behaviour = lies.status("410 Gone")
    waiting = asyncio.create_task(track.start().wait(track.reader_buffer))
    await asyncio.sleep(0)
    _, *others = track.tasks
    await asyncio.wait(others)
    go.set()
    outcome = await waiting
    assert isinstance(outcome, Gone)
    assert {failure.upstream for failure in outcome.failures} == set(NAMES)
    assert outcome.failures[-1].upstream == "one"
    await track.finish()


async def test_readers_that_leave_end_the_whole_race(
    track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.upstream.retrieval.fetch.LINGER_S", 0.01)
    for upstream in (track.one, track.two, track.three):
        upstream.behaviour = lies.silent
    track.start()
    track.reader_buffer.close()
    await track.finish()
    assert [track.kit.failures(name) for name in NAMES] == [{}, {}, {}]


async def test_a_loser_is_known_to_be_slower(track: Track) -> None:
    track.one.behaviour = lies.silent
    entry = track.start()
    track.kit.clock.advance(0.25)
    await entry.wait(track.reader_buffer)
    await track.finish()
    ttfb_ms = {row["name"]: row["ttfb_ms"] for row in track.kit.pool.rows()}
    assert ttfb_ms["one"] == 500  # twice: how long it would have taken is not known
