"""Requests that run in tasks of their own."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.content.block import Block
from gateway.ports import Choice, Rejection
from gateway.upstream.retrieval import fetch as fetch_module
from gateway.upstream.retrieval.fetch import RawFetch
from gateway.upstream.retrieval.in_flight import Entry, Gone, Landed
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from tests.fakes import lies
from tests.fakes.blocks import numbered
from tests.fakes.lying_upstream import LyingUpstream
from tests.fakes.upstream_kit import Kit

BLOCK = numbered(1, 1000)
KEY = BLOCK.cid.multihash


class Bench:
    """One upstream and what is needed to fetch from it."""

    def __init__(self, upstream: LyingUpstream, kit: Kit) -> None:
        self.upstream = upstream
        self.kit = kit
        self.context = kit.context
        self.reader_buffer = ReaderBuffer()

    def start(self, *, is_car_useless: bool = False) -> Entry:
        exchange = self.context.pool.ask(Choice("liar", "first"), "raw")
        entry = self.context.in_flight.announce(KEY)
        fetch = RawFetch(self.context, exchange, self.reader_buffer, BLOCK.cid)
        fetch.is_car_useless = is_car_useless
        fetch.start(KEY, entry)
        return entry


@pytest.fixture(name="bench")
async def bench_fixture() -> AsyncIterator[Bench]:
    async with LyingUpstream([BLOCK]) as upstream, Kit(upstream.settings) as kit:
        yield Bench(upstream, kit)


async def test_a_block_is_verified_kept_and_given_to_who_waits(bench: Bench) -> None:
    assert await bench.start().wait(bench.reader_buffer) == Landed(BLOCK, None)
    assert bench.kit.store.has(BLOCK.cid)
    assert bench.kit.observer.verified_bytes == 1000
    assert KEY not in bench.reader_buffer


async def test_a_block_that_nobody_waits_for_goes_to_the_shelf(bench: Bench) -> None:
    bench.start()
    await asyncio.gather(*bench.context.tasks)
    assert bench.reader_buffer.take(KEY) == (BLOCK, None)


async def test_a_lie_is_told_and_not_kept(bench: Bench) -> None:
    bench.upstream.behaviour = lies.flip()
    outcome = await bench.start().wait(bench.reader_buffer)
    assert isinstance(outcome, Gone)
    assert len(outcome.failures) == 1
    assert outcome.failures[0].reason == f"sent bytes that do not match {BLOCK.cid}"
    assert bench.kit.observer.rejected == {(Rejection.MISMATCH, "liar"): 1}
    assert not bench.kit.store.has(BLOCK.cid)
    assert bench.kit.state("liar") == "ejected"


async def test_books_and_table_are_closed_at_the_end(bench: Bench) -> None:
    await bench.start().wait(bench.reader_buffer)
    await asyncio.gather(*bench.context.tasks)
    await asyncio.sleep(0)
    assert (len(bench.context.in_flight), bench.context.tasks, bench.reader_buffer.workers) == (
        0,
        set(),
        set(),
    )
    assert bench.kit.pool.rows()[0]["in_flight"] == 0


async def test_a_useless_car_is_remembered_when_the_block_comes(bench: Bench) -> None:
    await bench.start(is_car_useless=True).wait(bench.reader_buffer)
    assert bench.kit.pool.is_block_wise("liar")


async def test_a_useless_car_is_forgotten_when_no_block_comes(bench: Bench) -> None:
    bench.upstream.behaviour = lies.status("404 Not Found")
    await bench.start(is_car_useless=True).wait(bench.reader_buffer)
    assert not bench.kit.pool.is_block_wise("liar")


async def test_a_fetch_without_readers_ends_soon(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "LINGER_S", 0.01)
    bench.upstream.behaviour = lies.silent
    entry = bench.start()
    bench.reader_buffer.close()
    late = ReaderBuffer()
    outcome = await asyncio.gather(*bench.context.tasks, return_exceptions=True)
    assert isinstance(outcome[0], asyncio.CancelledError)
    assert len(bench.context.in_flight) == 0
    assert entry.landed is None
    assert late.workers == set()
    assert bench.kit.failures("liar") == {}


async def test_a_reader_that_comes_in_time_keeps_a_fetch_alive(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "LINGER_S", 0.05)
    go = asyncio.Event()

    async def wait(_block: Block) -> None:
        await go.wait()

    bench.upstream.before_block = wait
    entry = bench.start()
    bench.reader_buffer.close()
    follower = asyncio.create_task(entry.wait(ReaderBuffer()))
    asyncio.get_running_loop().call_later(0.1, go.set)
    assert await follower == Landed(BLOCK, None)
    assert len(bench.upstream.log) == 1


async def test_a_fetch_ended_before_it_began_settles_its_entry(bench: Bench) -> None:
    entry = bench.start()
    for task in bench.context.tasks:
        task.cancel()
    assert await entry.wait(bench.reader_buffer) == Gone()
    assert len(bench.upstream.log) == 0


async def test_a_bug_is_told_and_reaches_who_waits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_block: Block, **_options: bool) -> None:
        raise RuntimeError("a bug")

    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    monkeypatch.setattr(bench.kit.store, "keep", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        await bench.start().wait(bench.reader_buffer)
    assert [context["message"] for context in told] == ["a fetch has failed"]
