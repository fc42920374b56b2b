"""Processes that share a directory, and processes that die while they write."""

import os
import random
from pathlib import Path

import pytest

from benchmarks.rig.cache_directory import index_file, truth
from benchmarks.rig.writers import SIZES, Found, Job, check, open_cache, start_writer

MIB = 1024 * 1024

KILLS = int(os.environ.get("GATEWAY_KILLS", "20"))
"""The bar is 1,000 kills without a wrong byte: GATEWAY_KILLS=1000, a quarter of an hour."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(90 + 3 * KILLS)]


async def test_two_processes_write_and_read_the_same_keys(directory: Path) -> None:
    numbers = range(240)
    writers = [start_writer(Job(directory, numbers)) for _ in range(2)]
    for process, _ in writers:
        process.join(60)
    assert [process.exitcode for process, _ in writers] == [0, 0]
    store = await open_cache(directory)
    assert await check(store, numbers) == Found(len(numbers), 0)
    await store.close()
    found = truth(directory)
    assert (found.blocks, found.uncounted, found.lost, found.temporary) == (240, set(), set(), [])


async def test_a_process_sees_what_another_one_wrote(directory: Path) -> None:
    store = await open_cache(directory)
    process, _ = start_writer(Job(directory, range(32)))
    process.join(60)
    assert await check(store, range(32)) == Found(32, 0)
    await store.close()


async def test_two_processes_stay_below_the_limit_together(directory: Path) -> None:
    limit = 8 * MIB
    writers = [start_writer(Job(directory, range(n, n + 160), limit)) for n in (0, 1000)]
    for process, _ in writers:
        process.join(60)
    assert [process.exitcode for process, _ in writers] == [0, 0]
    found = truth(directory)
    assert limit // 2 < found.bytes <= limit
    assert (found.uncounted, found.lost) == (set(), set())


async def test_killed_writers_leave_no_wrong_byte_and_no_lost_space(directory: Path) -> None:
    chance = random.Random(20)  # noqa: S311 (when to kill)
    for kill in range(KILLS):
        process, told = start_writer(Job(directory, range(kill * 100, kill * 100 + 1000)))
        for _ in range(chance.randrange(1, 4)):
            told.recv()
        told.poll(chance.random() / 20)  # somewhere in the next batch
        process.kill()
        process.join(20)
        told.close()
    store = await open_cache(directory)
    numbers = range(KILLS * 100 + 1000)
    found = await check(store, numbers)
    assert found.wrong == 0
    assert found.right >= KILLS * 16 // len(SIZES)  # what was flushed before each kill is there
    await store.settle()
    stats = store.stats()
    assert (stats["quarantined"], stats["write_errors"]) == (0, 0)
    there = truth(directory)
    assert (stats["blocks"], stats["disk_bytes"]) == (there.blocks, there.bytes)
    assert (there.uncounted, there.lost, there.temporary) == (set(), set(), [])
    await store.close()


async def test_a_process_follows_when_another_one_replaces_the_index(directory: Path) -> None:
    store = await open_cache(directory)
    await store.flush()
    before = index_file(directory)
    before.unlink()
    process, _ = start_writer(Job(directory, range(16)))
    process.join(60)
    after = index_file(directory)
    assert after != before
    await store.flush()  # the writer looks at each turn
    assert await check(store, range(16)) == Found(16, 0)
    await store.close()
