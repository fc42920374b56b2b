"""Large files from several upstreams at once: in order, each part once, in bounded memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from gateway.content.block import Block
from gateway.upstream.retrieval import parallel_ranges as module
from tests.fakes import lies
from tests.fakes.lying_upstream import LyingUpstream
from tests.fakes.store import DictStore
from tests.fakes.upstream_kit import PATIENT, SMALL, Kit, NoStore, pieces_of, read, sample

FILE = sample(400_000)
NAMES = ("one", "two", "three")
STRIPE = 32 * 1024


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge at once, and stripe what is small; the clock of these tests stands still."""
    monkeypatch.setattr(module, "STRIPE_BYTES", STRIPE)
    monkeypatch.setattr(module, "MIN_REST_BYTES", 2 * STRIPE)
    monkeypatch.setattr(module, "NEXT_AT_BYTES", 4096)
    monkeypatch.setattr(module, "MIN_SEEN_S", 0.0)


class Trio:
    """Three upstreams with the same file."""

    def __init__(self, upstreams: list[LyingUpstream]) -> None:
        self.one, self.two, self.three = self.upstreams = upstreams

    def kit(self, store: DictStore | None = None) -> Kit:
        return Kit(*[upstream.settings for upstream in self.upstreams], store=store)

    def parts(self) -> list[list[str]]:
        """Return the ranges that each was asked for."""
        return [
            ["".join(logged.query.get("entity-bytes", ["0:*"])) for logged in upstream.log]
            for upstream in self.upstreams
        ]

    @property
    def sent_bytes(self) -> int:
        return sum(upstream.sent_bytes for upstream in self.upstreams)


@pytest.fixture(name="trio")
async def trio_fixture() -> AsyncIterator[Trio]:
    async with AsyncExitStack() as stack:
        yield Trio(
            [
                await stack.enter_async_context(LyingUpstream(FILE.blocks, name=name))
                for name in NAMES
            ]
        )


@pytest.fixture(autouse=True)
async def one_at_a_time(trio: Trio) -> None:
    async def pause(_block: Block) -> None:
        await asyncio.sleep(0.0005)

    for upstream in trio.upstreams:
        upstream.before_block = pause


async def test_all_upstreams_bring_parts_and_the_file_is_right(trio: Trio) -> None:
    async with trio.kit() as kit:
        session = kit.retrieval.open_session(None)
        assert await read(session, FILE.cid) == FILE.content
        await session.close()
    assert {c.upstream for c in session.trace.choices} == set(NAMES)
    assert {c.reason for c in session.trace.choices} == {"first", "part-of-many"}
    assert all(len(parts) >= 2 for parts in trio.parts())
    assert trio.sent_bytes < 1.35 * len(FILE.content)


async def test_block_by_block_each_byte_comes_once(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12, 35: parts of CARs beside blocks brought 1.25 to 1.39 of each byte."""
    monkeypatch.setattr("gateway.net.budget.HEDGE_SHARE", 0.0)
    settings = replace(PATIENT, mode="block")
    upstreams = [upstream.settings for upstream in trio.upstreams]
    async with Kit(*upstreams, settings=settings) as kit:
        kit.context.hedges.take()  # none is left: on a busy machine any upstream may look slow
        assert await kit.read(FILE.cid) == FILE.content
    assert [upstream.asked("car") for upstream in trio.upstreams] == [[], [], []]
    asked = [cid for upstream in trio.upstreams for cid in upstream.asked("raw")]
    assert sorted(map(str, asked)) == sorted(str(block.cid) for block in FILE.blocks)


async def test_no_two_requests_are_for_the_same_bytes(trio: Trio) -> None:
    """Issue 12, 35: below each inner node the rest of a file was asked for a second time."""
    odd = sample(400_000, replace(SMALL, max_links=10))  # inner nodes begin inside of parts
    for upstream in trio.upstreams:
        upstream.blocks = {block.cid.multihash: block for block in odd.blocks}
    async with trio.kit() as kit:
        assert await kit.read(odd.cid) == odd.content
    front, *parts = sorted(
        (tuple(part.split(":")) for parts in trio.parts() for part in parts),
        key=lambda part: int(part[0]),
    )
    assert front == ("0", "*")
    stops = [int(stop) + 1 for _, stop in parts]
    assert [int(start) for start, _ in parts] == [int(parts[0][0]), *stops[:-1]]
    assert stops[-1] == len(FILE.content)


async def test_who_brings_what_a_failed_part_did_not_is_told_where_to_end(trio: Trio) -> None:
    """Issue 12, 35: a stream without an end is cut, and what was on its way came for nothing."""
    trio.two.behaviour = lies.reset(12)
    async with trio.kit() as kit:
        assert await kit.read(FILE.cid) == FILE.content
    asked = [part for parts in trio.parts() for part in parts]
    assert [part for part in asked if part.endswith("*")] == ["0:*"]
    last = str(len(FILE.content) - 1)
    assert len([part for part in asked if part.endswith(last)]) == 1


async def test_without_a_cache_the_file_is_right(trio: Trio) -> None:
    async with trio.kit(NoStore()) as kit:
        assert await kit.read(FILE.cid) == FILE.content


async def test_what_lies_ready_is_bounded(trio: Trio) -> None:
    async with trio.kit() as kit:
        session = kit.retrieval.open_session(None)
        most = 0
        async for _ in pieces_of(session, FILE.cid):
            assert session._supply is not None
            most = max(most, session._supply.reader_buffer.size_bytes)
            await asyncio.sleep(0.002)
        await session.close()
    assert most <= (module.AHEAD_STRIPES + 1) * STRIPE


async def test_a_part_that_fails_is_brought_by_another(trio: Trio) -> None:
    trio.two.behaviour = lies.status("500 Oh")
    trio.three.behaviour = lies.flip(9)
    async with trio.kit() as kit:
        assert await kit.read(FILE.cid) == FILE.content
        assert kit.state("three") == "ejected"
    assert len(trio.two.log) == 1


async def test_an_upstream_that_stops_in_a_part_does_not_stop_the_file(trio: Trio) -> None:
    trio.two.behaviour = lies.reset(12)
    async with trio.kit() as kit:
        assert await kit.read(FILE.cid) == FILE.content


async def test_a_small_rest_comes_from_one(trio: Trio) -> None:
    async with trio.kit() as kit:
        start = len(FILE.content) - 2 * STRIPE + 4000
        assert await kit.read(FILE.cid, start=start) == FILE.content[start:]
    assert [len(upstream.log) for upstream in trio.upstreams] == [1, 0, 0]


async def test_a_range_is_not_exceeded(trio: Trio) -> None:
    async with trio.kit() as kit:
        assert await kit.read(FILE.cid, stop=200_000) == FILE.content[:200_000]
    assert trio.sent_bytes < 1.35 * 200_000


async def test_a_fast_upstream_is_left_alone(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_SEEN_S", 0.1)
    async with trio.kit() as kit:
        assert await kit.read(FILE.cid) == FILE.content
    assert [len(upstream.log) for upstream in trio.upstreams] == [1, 0, 0]


async def test_two_readers_share_the_parts(trio: Trio) -> None:
    async with trio.kit() as kit:
        got = await asyncio.gather(*[kit.read(FILE.cid) for _ in range(5)])
    assert set(got) == {FILE.content}
    assert trio.sent_bytes < 1.6 * len(FILE.content)


async def test_a_reader_that_leaves_ends_all_parts(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.upstream.retrieval.fetch.LINGER_S", 0.0)
    async with trio.kit() as kit:
        session = kit.retrieval.open_session(None)
        pieces = pieces_of(session, FILE.cid)
        for _ in range(60):
            await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]  # an async generator
        await session.close()
        await asyncio.gather(*kit.context.tasks, return_exceptions=True)
        await asyncio.sleep(0)
        assert (len(kit.context.in_flight), kit.context.tasks) == (0, set())
        assert [row["in_flight"] for row in kit.pool.rows()] == [0, 0, 0]


async def test_only_who_holds_it_brings_parts() -> None:
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(
                LyingUpstream(FILE.blocks if name != "two" else (), name=name, tier="cluster")
            )
            for name in NAMES
        ]
        kit = Kit(*[node.settings for node in nodes], settings=PATIENT)
        await stack.enter_async_context(kit)
        assert await kit.read(FILE.cid) == FILE.content
    assert nodes[1].asked("car") == []


async def test_parts_take_over_what_the_front_has_announced() -> None:
    wide = sample(400_000, replace(SMALL, max_links=1000))
    async with AsyncExitStack() as stack:
        upstreams = [
            await stack.enter_async_context(LyingUpstream(wide.blocks, name=name)) for name in NAMES
        ]
        trio = Trio(upstreams)

        async def pause(_block: Block) -> None:
            await asyncio.sleep(0.0005)

        for upstream in upstreams:
            upstream.before_block = pause
        async with trio.kit() as kit:
            assert await kit.read(wide.cid) == wide.content
    fronts = [part for parts in trio.parts() for part in parts if part.endswith(("*", "399999"))]
    assert len(fronts) <= 2  # the first, and the last part of the file
    root_bytes = len(wide.blocks[-1].data)
    requests = sum(len(parts) for parts in trio.parts())
    assert trio.sent_bytes < 1.1 * (len(wide.content) + requests * root_bytes)
