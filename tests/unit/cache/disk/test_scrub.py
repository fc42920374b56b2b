"""Scrubs: every block is hashed, and damage is out of the way."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.rig.cache_directory import index_file
from benchmarks.rig.writers import SIZES
from gateway.cache.disk import scrub as module
from gateway.cache.disk.scrub import BackgroundScrub, Scrubbed, scrub
from gateway.cache.tiered_store import TieredStore
from gateway.errors import CacheUnavailable
from tests.fakes.blocks import numbered
from tests.fakes.observer import RecordingObserver
from tests.unit.cache.conftest import OpenStore

COUNT = 100
BLOCKS = [numbered(n, SIZES[n % len(SIZES)]) for n in range(COUNT)]
TOTAL = sum(len(block.data) for block in BLOCKS)
FILE = BLOCKS[2]


@pytest.fixture(name="store")
async def store_fixture(open_store: OpenStore) -> TieredStore:
    store = await open_store()
    for block in BLOCKS:
        await store.keep(block)
    await store.flush()
    return store


def damage(directory: Path) -> None:
    (path,) = (directory / "blocks").rglob(FILE.cid.multihash.hex())
    path.write_bytes(bytes(len(FILE.data)))


async def run(store: TieredStore, bytes_per_s: int = 0) -> list[Scrubbed]:
    assert store.disk is not None
    return [step async for step in scrub(store.disk, bytes_per_s)]


async def test_every_block_is_hashed(store: TieredStore) -> None:
    steps = await run(store)
    assert steps[-1] == Scrubbed(COUNT, TOTAL, 0, COUNT)
    assert len(steps) >= COUNT // module.STEP_BLOCKS


async def test_a_step_is_bounded_by_bytes(
    store: TieredStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP_BYTES", 1)
    assert len(await run(store)) == COUNT


async def test_damage_is_moved_away_and_told(
    store: TieredStore, directory: Path, observer: RecordingObserver
) -> None:
    damage(directory)
    assert (await run(store))[-1].damaged == 1
    await store.flush()
    assert (store.stats()["quarantined"], store.stats()["blocks"]) == (1, COUNT - 1)
    assert sum(observer.rejected.values()) == 1
    assert (await run(store))[-1] == Scrubbed(COUNT - 1, TOTAL - len(FILE.data), 0, COUNT - 1)


async def test_the_pace_is_kept(store: TieredStore) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    await run(store, TOTAL * 10)
    assert loop.time() - started >= 0.095


async def test_an_index_that_is_gone_is_told(store: TieredStore, directory: Path) -> None:
    await store.close()
    index_file(directory).unlink()
    with pytest.raises(CacheUnavailable, match="index of the disk tier"):
        await run(store)


async def test_the_background_scrub_is_done_by_one_process(
    store: TieredStore, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(directory)
    caplog.set_level("INFO")
    assert store.disk is not None
    scrubs = [BackgroundScrub(store.disk, 1 << 40) for _ in range(2)]
    running = [asyncio.create_task(each.run()) for each in scrubs]
    while "scrubbed" not in caplog.text:  # noqa: ASYNC110 (the log has no event)
        await asyncio.sleep(0.01)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert caplog.text.count(f"scrubbed {COUNT} blocks, 1 of them damaged") == 1


async def test_the_background_scrub_waits_for_an_index(
    store: TieredStore, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await store.close()
    index_file(directory).unlink()
    assert store.disk is not None
    running = asyncio.create_task(BackgroundScrub(store.disk, 1).run())
    while "waits" not in caplog.text:  # noqa: ASYNC110 (the log has no event)
        await asyncio.sleep(0.01)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no multihash", id="words"),
        pytest.param(b"\x12\x20short", id="short"),
        pytest.param(b"\xff" * 40, id="long-number"),
        pytest.param(b"\x12\x20" + bytes(300), id="too-long"),
    ],
)
async def test_a_row_that_names_no_block_does_not_end_a_pass(
    store: TieredStore, directory: Path, key: bytes
) -> None:
    """Issue 12, 13: one bad record is one block less, not the end of the work behind it."""
    with closing(sqlite3.connect(index_file(directory))) as index, index:
        index.execute("UPDATE entries SET key = ? WHERE id = 3", (key,))

    assert (await run(store))[-1].blocks == COUNT
