"""What nobody has of something that exists: told, remembered, and bounded as a root that is absent.

Issue 12, 17.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Literal

import pytest

from gateway.content.block import Block
from gateway.content.build import build_directory, collect
from gateway.content.cid import Cid
from gateway.errors import NotFound, Unavailable
from gateway.upstream.balancing.health import EJECT_AFTER
from gateway.upstream.retrieval.negative_cache import ABSENT_S
from tests.fakes import lies
from tests.fakes.lying_upstream import Answer, LyingUpstream, honest
from tests.fakes.upstream_kit import PATIENT, Kit, sample

FILE = sample(20_000)
TOP, ABOVE = collect(build_directory([("file", FILE.built)]))
BLOCKS = [*ABOVE, *FILE.blocks]
CHILDREN = {"child": FILE.cid, "first-leaf": FILE.blocks[0].cid}
MODES: list[Literal["car", "block"]] = ["car", "block"]


@asynccontextmanager
async def lacking(
    *absent: Cid, count: int = 3, mode: Literal["car", "block"] = "car"
) -> AsyncIterator[tuple[Kit, list[LyingUpstream]]]:
    """Yield a gateway whose upstreams have all but some blocks."""
    multihashes = {cid.multihash for cid in absent}
    kept = [block for block in BLOCKS if block.cid.multihash not in multihashes]
    async with AsyncExitStack() as stack:
        upstreams = [
            await stack.enter_async_context(LyingUpstream(kept, name=f"u{number}"))
            for number in range(count)
        ]
        settings = replace(PATIENT, mode=mode)
        kit = Kit(*[one.settings for one in upstreams], settings=settings)
        yield await stack.enter_async_context(kit), upstreams


def requests(upstreams: list[LyingUpstream]) -> int:
    return sum(len(upstream.log) for upstream in upstreams)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("cid", CHILDREN.values(), ids=CHILDREN.keys())
async def test_all_who_lack_it_are_named(
    cid: Cid, count: int, mode: Literal["car", "block"]
) -> None:
    async with lacking(cid, count=count, mode=mode) as (kit, upstreams):
        with pytest.raises(NotFound, match=f"^{cid} was not found on any upstream") as caught:
            await kit.read(TOP.cid, ("file",))
        said = {attempt.upstream: attempt.outcome for attempt in caught.value.attempts}
        assert said == {f"u{number}": f"does not have {cid}" for number in range(count)}
        for upstream in upstreams:
            assert upstream.asked("raw").count(cid) == 1
            assert len(upstream.asked("car")) <= 2
            assert kit.state(upstream.name) == "healthy"


@pytest.mark.parametrize("cid", CHILDREN.values(), ids=CHILDREN.keys())
async def test_it_is_asked_for_once_in_a_while(cid: Cid) -> None:
    async with lacking(cid) as (kit, upstreams):
        with pytest.raises(NotFound, match="u2"):
            await kit.read(TOP.cid, ("file",))
        first = requests(upstreams)
        with pytest.raises(NotFound, match="u2"):
            await kit.read(TOP.cid, ("file",))
        with pytest.raises(NotFound, match=r"it said 0\.0 s ago"):
            await kit.read(cid)  # by its own CID it is the same
        assert requests(upstreams) == first
        kit.clock.advance(ABSENT_S)
        for upstream in upstreams:
            upstream.blocks = {block.cid.multihash: block for block in BLOCKS}
        assert await kit.read(TOP.cid, ("file",)) == FILE.content


async def test_a_crowd_makes_one_wave() -> None:
    async with lacking(FILE.blocks[0].cid) as (kit, upstreams):
        got = await asyncio.gather(
            *[kit.read(TOP.cid, ("file",)) for _ in range(200)], return_exceptions=True
        )
        assert {type(error) for error in got} == {NotFound}
        assert requests(upstreams) <= 3 * len(upstreams)


async def test_absences_eject_nobody() -> None:
    files = [sample(8 * (500 + number)) for number in range(4 * EJECT_AFTER)]
    kept = [block for file in files for block in file.blocks[1:]]
    async with LyingUpstream(kept, name="lacks") as lacks, Kit(lacks.settings) as kit:
        got = await asyncio.gather(*[kit.read(file.cid) for file in files], return_exceptions=True)
        assert {type(error) for error in got} == {NotFound}
        assert kit.state("lacks") == "healthy"


async def test_who_says_404_to_a_car_of_the_whole_is_asked_for_the_part() -> None:
    """A gateway that has lost the root may have the leaf."""
    async with LyingUpstream(BLOCKS, no_whole) as upstream, Kit(upstream.settings) as kit:
        await keep(kit, FILE.blocks[-1], *ABOVE)
        assert await kit.read(FILE.cid, stop=1000) == FILE.content[:1000]


async def no_whole(answer: Answer) -> None:
    await (lies.status("404 Not Found") if answer.is_car else honest)(answer)


async def keep(kit: Kit, *blocks: Block) -> None:
    for block in blocks:
        await kit.store.keep(block)


async def test_a_refused_connection_is_no_absence_and_no_lie() -> None:
    async with lacking(FILE.cid, count=2) as (kit, upstreams):
        await upstreams[1].stop()
        with pytest.raises(Unavailable, match=r"could not be had from any upstream .*u1") as caught:
            await kit.read(TOP.cid, ("file",))
        assert type(caught.value) is Unavailable
