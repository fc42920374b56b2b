"""A failing upstream is asked once for a block, however many want it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from gateway.errors import RetrievalError, Unavailable
from gateway.upstream.balancing.health import FailureKind
from gateway.upstream.retrieval import recent_failures as module
from gateway.upstream.retrieval.attempts import Again, Failure
from gateway.upstream.retrieval.recent_failures import MAX_WAVES, REST_S, RecentFailures
from gateway.upstream.transport.request import Step
from tests.fakes import lies
from tests.fakes.lying_upstream import Answer, Behaviour, LyingUpstream, honest
from tests.fakes.upstream_kit import Kit, sample

FILE = sample(20_000)
CLIENTS = 1_000
MAX_REQUESTS = 10  # over all upstreams
NOW = 1_000.0
KEY = b"key"
A, B = (Failure(name, Step.CAR, FailureKind.BUSY, "no", Again.NEVER, False) for name in "ab")


def test_the_failures_of_a_wave_are_remembered_in_order() -> None:
    recent_failures = RecentFailures()
    recent_failures.note(KEY, [A], NOW)
    recent_failures.note(KEY, [A, B], NOW)
    assert recent_failures.find(KEY, NOW) == [A, B]
    assert not recent_failures.is_over(KEY, NOW)


def test_they_are_forgotten_after_a_rest() -> None:
    recent_failures = RecentFailures()
    recent_failures.note(KEY, [A], NOW)
    assert recent_failures.find(KEY, NOW + REST_S) == []
    assert len(recent_failures) == 0


def test_a_wave_that_has_ended_rests_from_its_end() -> None:
    recent_failures = RecentFailures()
    recent_failures.note(KEY, [A], NOW)
    recent_failures.end(KEY, NOW + 1)
    assert recent_failures.is_over(KEY, NOW + REST_S)
    assert not recent_failures.is_over(KEY, NOW + REST_S + 1)


def test_nothing_ends_that_nobody_failed_for() -> None:
    recent_failures = RecentFailures()
    recent_failures.end(KEY, NOW)
    assert not recent_failures.is_over(KEY, NOW)
    assert recent_failures.find(KEY, NOW) == []


def test_a_block_that_has_come_has_no_failures() -> None:
    recent_failures = RecentFailures()
    recent_failures.note(KEY, [A], NOW)
    recent_failures.forget(KEY)
    assert recent_failures.find(KEY, NOW) == []


def test_the_oldest_goes_first_when_there_are_many() -> None:
    recent_failures = RecentFailures()
    for number in range(MAX_WAVES + 1):
        recent_failures.note(b"%d" % number, [A], NOW)
    assert len(recent_failures) == module.MAX_WAVES
    assert recent_failures.find(b"0", NOW) == []
    assert recent_failures.find(b"1", NOW) == [A]


async def break_off_and_hang_up(answer: Answer) -> None:
    """Break the first CAR off behind two blocks, and hang up on everything after it."""
    is_first = len(answer.upstream.log) == 1
    await (lies.reset(2) if is_first else lies.hang_up)(answer)


async def test_a_file_that_was_cut_is_resumed_at_once() -> None:
    """A rest is for what nobody delivers, not for content of which some has just come."""
    async with (
        LyingUpstream(FILE.blocks, break_off_and_hang_up) as upstream,
        Kit(upstream.settings) as kit,
    ):
        with pytest.raises(RetrievalError, match="broke the connection"):
            await kit.read(FILE.cid)
        upstream.behaviour = honest
        assert await kit.read(FILE.cid) == FILE.content


async def hang_and_reset(answer: Answer) -> None:
    """Hold the connection for a moment, then break it."""
    await asyncio.sleep(0.05)
    answer.close()


FAILURES = {
    "500": lies.status("500 Internal Server Error"),
    "429": lies.status("429 Too Many Requests"),
    "404": lies.status("404 Not Found"),
    "400": lies.status("400 Bad Request"),
    "hang-and-reset": hang_and_reset,
    "reset": lies.hang_up,
    "lie": lies.flip(0),
    "header-only": lies.header_only,
    "truncated": lies.truncate,
}


@asynccontextmanager
async def all_failing(
    count: int, behaviour: Behaviour
) -> AsyncIterator[tuple[Kit, list[LyingUpstream]]]:
    """Yield a gateway all of whose upstreams fail in one way."""
    async with AsyncExitStack() as stack:
        upstreams = [
            await stack.enter_async_context(LyingUpstream(FILE.blocks, behaviour, name=f"u{n}"))
            for n in range(count)
        ]
        kit = await stack.enter_async_context(Kit(*[one.settings for one in upstreams]))
        yield kit, upstreams


async def crowd(kit: Kit, *, arrives: Callable[[int], int]) -> Counter[type[RetrievalError]]:
    """Let many clients ask for the file; client n so many turns of the loop after the first."""
    seen: Counter[type[RetrievalError]] = Counter()

    async def one(number: int) -> None:
        for _ in range(arrives(number)):
            await asyncio.sleep(0)
        with pytest.raises(RetrievalError, match=str(FILE.cid)) as caught:
            await kit.read(FILE.cid)
        seen[type(caught.value)] += 1

    await asyncio.gather(*[one(number) for number in range(CLIENTS)])
    return seen


ARRIVALS: dict[str, Callable[[int], int]] = {"at-once": lambda _: 0, "one-by-one": lambda n: n}


@pytest.mark.parametrize("arrives", ARRIVALS.values(), ids=ARRIVALS.keys())
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("behaviour", FAILURES.values(), ids=FAILURES.keys())
async def test_a_crowd_asks_each_upstream_once(
    behaviour: Behaviour, count: int, arrives: Callable[[int], int]
) -> None:
    """Issue 12, 24: 1,000 clients made 4,004 requests to four upstreams."""
    async with all_failing(count, behaviour) as (kit, upstreams):
        seen = await crowd(kit, arrives=arrives)
        assert sum(len(upstream.log) for upstream in upstreams) <= MAX_REQUESTS
        assert list(seen.values()) == [CLIENTS]  # everyone has the same result


async def test_upstreams_are_asked_again_after_a_rest() -> None:
    """Issue 12, 24."""
    behaviour = lies.once(lies.status("500 Internal Server Error"))
    async with LyingUpstream(FILE.blocks, behaviour) as upstream, Kit(upstream.settings) as kit:
        with pytest.raises(Unavailable, match="status 500"):
            await kit.read(FILE.cid)
        with pytest.raises(Unavailable, match="status 500"):
            await kit.read(FILE.cid)
        assert len(upstream.log) == 1
        kit.clock.advance(REST_S)
        assert await kit.read(FILE.cid) == FILE.content
        assert len(kit.context.recent_failures) == 0


async def test_who_comes_during_a_wave_asks_the_others_only() -> None:
    """Issue 12, 24."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def late(answer: Answer) -> None:
        asked.set()
        await go.wait()
        await lies.status("500 Internal Server Error")(answer)

    failing = lies.status("500 Internal Server Error")
    async with (
        LyingUpstream(FILE.blocks, failing, name="first") as first,
        LyingUpstream(FILE.blocks, late, name="second") as second,
        Kit(first.settings, second.settings) as kit,
    ):
        early = asyncio.create_task(kit.read(FILE.cid))
        await asked.wait()
        kit.clock.advance(2 * REST_S)  # a wave of slow upstreams is one wave
        joined = asyncio.create_task(kit.read(FILE.cid))
        await asyncio.sleep(0)
        go.set()
        results = await asyncio.gather(early, joined, return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable, Unavailable]
        assert (len(first.log), len(second.log)) == (1, 1)


async def test_a_lookup_that_is_cancelled_is_no_failure() -> None:
    """Issue 12, 24: what one client's end leaves behind is nobody else's answer."""
    async with LyingUpstream(FILE.blocks) as upstream, Kit(upstream.settings) as kit:
        gone = asyncio.create_task(kit.read(FILE.cid))
        await asyncio.sleep(0)
        stays = asyncio.create_task(kit.read(FILE.cid))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == FILE.content
