"""Slices that come one after the other, and what is fetched before it is asked for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.upstream.retrieval import range_prefetch as module
from tests.fakes import lies
from tests.fakes.lying_upstream import LyingUpstream
from tests.fakes.upstream_kit import PATIENT, SMALL, Kit, NoStore, sample

FILE = sample(200_000, replace(SMALL, max_links=1000))
SLICE = 20 * 1024
PART = 2 * SLICE


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_PART_BYTES", 4096)


class Player:
    """Reads a file in slices."""

    def __init__(self, upstream: LyingUpstream, kit: Kit) -> None:
        self.upstream = upstream
        self.kit = kit

    async def watch(self, *numbers: int) -> None:
        """Read slices, and let what is read ahead arrive after each."""
        for number in numbers:
            start, stop = number * SLICE, (number + 1) * SLICE
            got = await self.kit.read(FILE.cid, start=start, stop=stop)
            assert got == FILE.content[start:stop]
            await asyncio.gather(*self.kit.context.tasks, return_exceptions=True)
            await asyncio.sleep(0)

    def ranges(self) -> list[str]:
        return [logged.query["entity-bytes"][0] for logged in self.upstream.log]


@pytest.fixture(name="player")
async def player_fixture() -> AsyncIterator[Player]:
    async with LyingUpstream(FILE.blocks) as upstream, Kit(upstream.settings) as kit:
        yield Player(upstream, kit)


def span(start: int, slices: int) -> str:
    return f"{start * SLICE}:{(start + slices) * SLICE - 1}"


async def test_after_two_slices_the_next_are_fetched_ahead(player: Player) -> None:
    await player.watch(0, 1)
    assert player.ranges() == [span(0, 1), span(1, 1), span(2, 2)]


async def test_who_reads_on_never_waits_again(player: Player) -> None:
    await player.watch(*range(9))
    assert player.ranges()[2:] == [span(2, 2), span(4, 2), span(6, 2), span(8, 2)]


async def test_no_car_is_read_ahead_block_by_block(player: Player) -> None:
    """Issue 12, 35: what mode says is what is asked."""
    settings = replace(PATIENT, mode="block")
    async with Kit(player.upstream.settings, settings=settings) as kit:
        player.kit = kit
        await player.watch(0, 1, 2)
    assert player.upstream.asked("car") == []


async def test_no_car_is_read_ahead_from_who_is_asked_for_blocks(player: Player) -> None:
    """Issue 12, 35."""
    await player.watch(0)
    player.kit.pool.go_block_wise("liar", 300)
    await player.watch(1, 2)
    assert len(player.upstream.asked("car")) == 1


async def test_one_slice_makes_no_player(player: Player) -> None:
    await player.watch(3)
    assert player.ranges() == [span(3, 1)]


async def test_who_jumps_is_no_player(player: Player) -> None:
    await player.watch(0, 4, 2, 7)
    assert len(player.upstream.log) == 4


async def test_the_whole_file_is_read_ahead_by_nobody(player: Player) -> None:
    await player.kit.read(FILE.cid)
    assert len(player.upstream.log) == 1


async def test_nothing_is_fetched_behind_the_end(player: Player) -> None:
    await player.watch(8)
    start = 9 * SLICE
    assert await player.kit.read(FILE.cid, start=start) == FILE.content[start:]
    await asyncio.gather(*player.kit.context.tasks, return_exceptions=True)
    assert len(player.upstream.log) == 2


async def test_who_stops_costs_one_part(player: Player) -> None:
    await player.watch(0, 1)
    root_bytes = len(FILE.blocks[-1].data)  # in each of the three CARs
    assert player.upstream.sent_bytes < 1.1 * (2 * SLICE + PART + 3 * root_bytes)
    assert player.kit.context.parts == set()


async def test_an_upstream_that_fails_is_not_asked_ahead(player: Player) -> None:
    await player.watch(0, 1)
    player.upstream.behaviour = lies.once(lies.status("429 Slow", {"retry-after": "60"}))
    await player.watch(2)
    player.kit.clock.advance(61)
    await player.watch(3, 4, 5)
    assert player.kit.failures("liar") == {"busy": 1}


async def test_without_a_cache_slices_are_right(player: Player) -> None:
    async with Kit(player.upstream.settings, store=NoStore()) as kit:
        player.kit = kit
        await player.watch(0, 1, 2, 3)


async def test_tables_are_bounded(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 2)
    files = [sample(8 * (1000 + 100 * number)) for number in range(5)]
    for file in files:
        player.upstream.blocks |= {block.cid.multihash: block for block in file.blocks}
        await player.kit.read(file.cid, start=len(file.content) - 100)
    prefetch = player.kit.retrieval._prefetch
    assert len(prefetch._stops) == 2
