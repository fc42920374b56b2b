"""Whom a request asks, and how much at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.content.block import Block
from gateway.content.walk import Scope, Want
from gateway.upstream.retrieval.dispatcher import WINDOW
from tests.fakes import lies
from tests.fakes.lying_upstream import LyingUpstream
from tests.fakes.upstream_kit import PATIENT, SMALL, Kit, NoStore, read, sample

FILE = sample(60_000)
BLOCKS = replace(PATIENT, mode="block")


@pytest.fixture(name="upstream")
async def upstream_fixture() -> AsyncIterator[LyingUpstream]:
    async with LyingUpstream(FILE.blocks) as upstream:
        yield upstream


async def test_block_by_block_each_block_is_asked_for_once(upstream: LyingUpstream) -> None:
    async with Kit(upstream.settings, settings=BLOCKS) as kit:
        assert await kit.read(FILE.cid) == FILE.content
    assert sorted(map(str, upstream.asked("raw"))) == sorted(str(b.cid) for b in FILE.blocks)
    assert upstream.asked("car") == []


async def test_block_by_block_siblings_are_asked_for_at_once() -> None:
    wide = sample(40_000, replace(SMALL, max_links=40))
    most = [0, 0]

    async def count(_block: Block) -> None:
        most[0] += 1
        most[1] = max(most)
        await asyncio.sleep(0.01)
        most[0] -= 1

    async with (
        LyingUpstream(wide.blocks) as upstream,
        Kit(upstream.settings, settings=BLOCKS) as kit,
    ):
        upstream.before_block = count
        assert await kit.read(wide.cid) == wide.content
    assert WINDOW // 2 < most[1] <= WINDOW + 1


async def test_block_by_block_without_a_cache_nothing_is_fetched_twice(
    upstream: LyingUpstream,
) -> None:
    async with Kit(upstream.settings, settings=BLOCKS, store=NoStore()) as kit:
        assert await kit.read(FILE.cid) == FILE.content
    assert len(upstream.log) == len(FILE.blocks)


async def test_block_by_block_many_readers_cost_one_fetch(upstream: LyingUpstream) -> None:
    async with Kit(upstream.settings, settings=BLOCKS) as kit:
        got = await asyncio.gather(*[kit.read(FILE.cid) for _ in range(50)])
    assert set(got) == {FILE.content}
    assert len(upstream.log) == len(FILE.blocks)


async def test_block_by_block_blocks_in_the_cache_are_not_asked_for(
    upstream: LyingUpstream,
) -> None:
    async with Kit(upstream.settings, settings=BLOCKS) as kit:
        await kit.read(FILE.cid, stop=30_000)
        assert await kit.read(FILE.cid) == FILE.content
    assert len(upstream.log) == len(FILE.blocks)


async def test_who_refuses_blocks_is_asked_for_a_car(upstream: LyingUpstream) -> None:
    upstream.behaviour = lies.no_raw()
    async with Kit(upstream.settings, settings=BLOCKS) as kit:
        assert await kit.read(FILE.cid, stop=3000) == FILE.content[:3000]


async def test_a_single_block_is_asked_for_as_such(upstream: LyingUpstream) -> None:
    async with Kit(upstream.settings) as kit:
        session = kit.retrieval.open_session(None)
        await session.get(Want(FILE.cid))
        await session.get(Want(FILE.blocks[0].cid, (), Scope.ENTITY))
        await session.close()
    assert [logged.step for logged in upstream.log] == ["raw", "raw"]


async def test_who_has_no_cars_is_asked_for_blocks_for_a_while(upstream: LyingUpstream) -> None:
    upstream.behaviour = lies.no_car()
    async with Kit(upstream.settings, store=NoStore()) as kit:
        for _ in range(2):
            assert await kit.read(FILE.cid) == FILE.content
        assert len(upstream.asked("car")) == 1
        kit.clock.advance(301)
        assert await kit.read(FILE.cid) == FILE.content
        assert len(upstream.asked("car")) == 2


async def test_an_absent_root_does_not_make_cars_useless(upstream: LyingUpstream) -> None:
    upstream.behaviour = lies.once(lies.header_only, lies.once(lies.header_only))
    async with Kit(upstream.settings) as kit:
        with pytest.raises(Exception, match="was not found on any upstream"):
            await kit.read(FILE.cid)
        kit.clock.advance(3)
        assert await kit.read(FILE.cid) == FILE.content
    assert [logged.step for logged in upstream.log] == ["car", "raw", "car"]


async def test_who_failed_in_a_request_is_asked_last_in_it() -> None:
    async with (
        LyingUpstream(FILE.blocks[-1:], name="lacks") as lacks,
        LyingUpstream(FILE.blocks, name="has") as has,
        Kit(lacks.settings, has.settings, settings=BLOCKS) as kit,
    ):
        assert await kit.read(FILE.cid) == FILE.content
    assert len(lacks.log) < 2 * WINDOW
    assert len(has.log) == len(FILE.blocks) - 1


async def test_choices_are_traced_without_repetition(upstream: LyingUpstream) -> None:
    async with Kit(upstream.settings, settings=BLOCKS) as kit:
        session = kit.retrieval.open_session(None)
        await read(session, FILE.cid)
        await session.close()
    assert [(c.upstream, c.reason) for c in session.trace.choices] == [("liar", "only")]


async def test_every_request_is_told_with_its_reason() -> None:
    async with (
        LyingUpstream(FILE.blocks, lies.header_only, name="empty") as empty,
        LyingUpstream(FILE.blocks, name="full") as full,
        Kit(empty.settings, full.settings) as kit,
    ):
        await kit.read(FILE.cid, stop=1000)
        asked = [event for event in kit.observer.upstream if event[0] == "asked"]
    assert [(choice.upstream, choice.reason, step) for _, choice, step in asked] == [  # type: ignore[attr-defined]  # a Choice
        ("empty", "first", "car"),
        ("empty", "other-step", "raw"),
        ("full", "asked-around", "raw"),
        ("full", "next-after-failure", "car"),
    ]
