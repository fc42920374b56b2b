"""The disk tier as the event loop sees it."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from benchmarks.rig.cache_directory import disk_bytes, index_file, truth
from gateway.cache.disk.footprint import LEAST_LIMIT_BYTES
from gateway.cache.disk.schema import cost_of
from gateway.cache.disk.tier import MAX_PENDING_BYTES, STALL_S, DiskTier
from gateway.cache.states import DiskCondition, EvictionReason
from gateway.content.block import Block
from gateway.content.cid import DAG_PB
from gateway.ports import MissReason, Tier
from tests.fakes.blocks import alias, numbered
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver

MIB = 1024 * 1024
OpenTier = Callable[..., Awaitable[DiskTier]]


@pytest.fixture(name="open_tier")
async def open_tier_fixture(
    directory: Path, clock: FakeClock, observer: RecordingObserver
) -> AsyncIterator[OpenTier]:
    async with AsyncExitStack() as stack:

        async def open_tier(limit_bytes: int = 64 * MIB) -> DiskTier:
            tier = DiskTier(directory, limit_bytes, clock, observer)
            await tier.open()
            stack.push_async_callback(tier.close)
            return tier

        yield open_tier


async def test_a_block_is_found_before_it_is_written(open_tier: OpenTier) -> None:
    tier = await open_tier()
    block = numbered(1, 20_000)
    await tier.keep(block)
    assert tier.stats()["pending_bytes"] == 20_000
    asked = alias(block.cid, DAG_PB)
    found = await tier.find(asked)
    assert isinstance(found, Block)
    assert (found.cid, found.data) == (asked, block.data)
    assert tier.has(block.cid)


async def test_nothing_is_pending_after_a_flush(open_tier: OpenTier) -> None:
    tier = await open_tier()
    for number in range(30):
        await tier.keep(numbered(number, 20_000))
    await tier.flush()
    assert tier.stats()["pending_bytes"] == 0
    assert tier.stats()["blocks"] == 30


async def test_a_pending_block_is_not_kept_twice(open_tier: OpenTier) -> None:
    tier = await open_tier()
    for _ in range(5):
        await tier.keep(numbered(1, 20_000))
    assert tier.stats()["pending_bytes"] == 20_000


async def test_a_block_larger_than_the_tier_is_not_kept(open_tier: OpenTier) -> None:
    tier = await open_tier(limit_bytes=MIB)
    block = numbered(1, MIB)
    await tier.keep(block)
    assert not isinstance(await tier.find(block.cid), Block)
    assert tier.stats()["write_errors"] == 0


async def test_has_is_known_again_after_the_scan(open_tier: OpenTier) -> None:
    blocks = [numbered(1, 100), numbered(2, 20_000)]
    tier = await open_tier()
    for block in blocks:
        await tier.keep(block)
    await tier.close()
    again = await open_tier()
    await again.settle()
    assert [again.has(block.cid) for block in blocks] == [True, True]
    assert not again.has(numbered(3, 100).cid)


async def test_finding_a_block_makes_it_known(open_tier: OpenTier) -> None:
    block = numbered(1, 20_000)
    tier, other = await open_tier(), await open_tier()
    await tier.settle()
    await other.keep(block)
    await other.flush()
    assert not tier.has(block.cid)
    assert isinstance(await tier.find(block.cid), Block)
    assert tier.has(block.cid)


async def test_the_longest_unused_blocks_make_room(
    open_tier: OpenTier, clock: FakeClock, observer: RecordingObserver
) -> None:
    tier = await open_tier(limit_bytes=2 * MIB)  # the half is for blocks
    blocks = [numbered(n, 100_000) for n in range(12)]
    for block in blocks:
        clock.advance(1)
        await tier.keep(block)
        await tier.flush()
        await tier.find(blocks[0].cid)
    found = [isinstance(await tier.find(block.cid), Block) for block in blocks]
    assert found == [True, False, False, *[True] * 9]
    assert observer.evicted == {(Tier.DISK, EvictionReason.CAPACITY): 2}
    assert observer.evicted_bytes == 200_000


async def test_keep_waits_when_too_much_is_pending(open_tier: OpenTier) -> None:
    tier = await open_tier(limit_bytes=256 * MIB)
    most = 0
    for number in range(80):
        await tier.keep(numbered(number, MIB))
        pending = tier.stats()["pending_bytes"]
        assert isinstance(pending, int)
        most = max(most, pending)
    await tier.flush()
    assert most <= MAX_PENDING_BYTES
    assert tier.stats()["blocks"] == 80


async def test_keep_does_not_wait_for_a_disk_that_does_not_answer(
    open_tier: OpenTier, directory: Path, clock: FakeClock
) -> None:
    tier = await open_tier(limit_bytes=256 * MIB)
    await tier.settle()
    other = sqlite3.connect(index_file(directory), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")  # the writer now waits for two seconds
    for number in range(32):
        await tier.keep(numbered(number, MIB))
    clock.advance(STALL_S + 1)
    await tier.keep(numbered(99, MIB))
    assert tier.stats()["write_errors"] == 1
    assert tier.health().status is DiskCondition.UNHEALTHY
    other.execute("ROLLBACK")
    other.close()
    await tier.flush()
    assert tier.health().status is DiskCondition.DEGRADED


async def test_starts_at_once_and_scans_behind(open_tier: OpenTier, directory: Path) -> None:
    """Files are found while the index that was lost is still being rebuilt."""
    blocks = [numbered(n, 20_000) for n in range(40)]
    tier = await open_tier()
    for block in blocks:
        await tier.keep(block)
    await tier.close()
    index_file(directory).unlink()
    again = await open_tier()
    assert again.stats()["index_state"] == "rebuilding"
    assert again.health().status is DiskCondition.DEGRADED
    assert [await again.find(block.cid) for block in blocks] == blocks
    await again.settle()
    assert again.health().status is DiskCondition.HEALTHY
    found = truth(directory)
    assert (again.stats()["blocks"], again.stats()["disk_bytes"]) == (40, found.bytes)


async def test_a_lowered_limit_is_reached_after_the_start(
    open_tier: OpenTier, directory: Path
) -> None:
    tier = await open_tier()
    for number in range(400):
        await tier.keep(numbered(number, 16_384))
    await tier.close()
    again = await open_tier(limit_bytes=MIB)
    await again.settle()
    await again.flush()
    await again.close()
    assert truth(directory).bytes <= MIB


def one_of(*sizes: int) -> Callable[[int], int]:
    return lambda number: sizes[number % len(sizes)]


@pytest.mark.parametrize(
    ("size_of", "is_used_again"),
    [
        pytest.param(one_of(1, 300, 1_100, 4_999, 12_345), False, id="rows"),
        pytest.param(one_of(16_384, 16_385, 20_001, 262_158), False, id="files"),
        pytest.param(one_of(300, 5_000, 17_000, 90_000), False, id="both"),
        pytest.param(
            lambda number: 2_000 if number < 4_000 else 60_001, False, id="rows-then-files"
        ),
        pytest.param(one_of(40, 300, 500, 700, 900), True, id="half-empty-pages"),
    ],
)
async def test_the_directory_never_takes_more_than_the_limit(
    open_tier: OpenTier,
    directory: Path,
    clock: FakeClock,
    size_of: Callable[[int], int],
    is_used_again: bool,  # noqa: FBT001 (of the table)
) -> None:
    """Blocks, index, journal, folders: while it runs, and at the end (issue 12, 37)."""
    limit = LEAST_LIMIT_BYTES
    tier = await open_tier(limit_bytes=limit)
    written = number = most = 0
    keys: list[bytes] = []
    chance = random.Random(37)  # noqa: S311 (which blocks are used)
    while written < 2 * limit:
        block = numbered(number, size_of(number))
        await tier.keep(block)
        clock.advance(0.01)
        keys.append(block.cid.multihash)
        if is_used_again:  # some of the last 8,000: evictions go through pages in no order
            for _ in range(2):
                tier.touch(keys[-1 - chance.randrange(min(8_000, len(keys)))])
        written += cost_of(len(block.data))
        number += 1
        if number % 200 == 0:
            await tier.flush()
            most = max(most, disk_bytes(directory))
    await tier.close()
    assert limit * 0.7 < most <= limit
    assert disk_bytes(directory) <= limit


async def test_a_limit_that_is_too_small_leaves_blocks_half_of_it(open_tier: OpenTier) -> None:
    """The folders alone can take more than such a limit."""
    tier = await open_tier(limit_bytes=MIB // 2)
    for number in range(100):
        await tier.keep(numbered(number, 20_000))
    await tier.flush()
    assert tier.stats()["blocks"] == MIB // 4 // cost_of(20_000)


async def test_reads_and_writes_at_once_see_only_right_bytes(open_tier: OpenTier) -> None:
    tier = await open_tier(limit_bytes=2 * MIB)
    blocks = [numbered(n, (500, 30_000)[n % 2]) for n in range(200)]

    async def write() -> None:
        for block in blocks:
            await tier.keep(block)
            await asyncio.sleep(0)

    async def read() -> None:
        for block in blocks:
            found = await tier.find(block.cid)
            assert found in (*MissReason, block)

    await asyncio.gather(write(), read(), read(), write(), read())


async def test_closing_twice_is_closing_once(open_tier: OpenTier) -> None:
    tier = await open_tier()
    await tier.close()
    await tier.close()
    await tier.flush()
    await tier.keep(numbered(1, 100))
    assert await tier.find(numbered(1, 100).cid) is MissReason.UNAVAILABLE


async def test_a_tier_that_was_not_opened_does_nothing(
    directory: Path, clock: FakeClock, observer: RecordingObserver
) -> None:
    tier = DiskTier(directory, MIB, clock, observer)
    assert await tier.find(numbered(1, 100).cid) is MissReason.UNAVAILABLE
    await tier.flush()
    await tier.close()


async def test_the_age_of_the_coldest_block_grows(open_tier: OpenTier, clock: FakeClock) -> None:
    tier = await open_tier()
    await tier.keep(numbered(1, 100))
    await tier.flush()
    clock.advance(90)
    assert tier.stats()["coldest_age_s"] == pytest.approx(90, abs=0.01)


async def test_write_errors_are_told_for_a_minute(
    open_tier: OpenTier, directory: Path, clock: FakeClock
) -> None:
    block = numbered(1, 20_000)
    tier = await open_tier()
    await tier.settle()
    (directory / "blocks" / block.cid.multihash.hex()[-2:]).touch()
    await tier.keep(block)
    await tier.flush()
    assert tier.stats()["write_errors"] == 1
    assert tier.health().status is DiskCondition.DEGRADED
    clock.advance(61)
    assert tier.health().status is DiskCondition.HEALTHY
