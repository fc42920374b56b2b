"""The store as the rest of the house sees it, and the contract that the fake is held to as well."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.cache.control import Control
from gateway.cache.states import DiskCondition
from gateway.cache.tiered_store import TieredStore
from gateway.content.block import identity_block
from gateway.content.cid import DAG_PB, RAW, make_cid
from gateway.content.multihash import IDENTITY
from gateway.ports import BlockStore, MissReason, Tier
from gateway.settings import CacheSettings
from tests.fakes.blocks import alias, block_of, numbered
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import DictStore
from tests.unit.cache.conftest import OpenStore

MIB = 1024 * 1024
SIZES = {"memory": (0, MIB), "disk": (64 * MIB, 0), "both": (64 * MIB, MIB)}
"""Disk and memory bytes of the kinds of store."""


@asynccontextmanager
async def opened(
    directory: Path, disk_size: int, memory_size: int, observer: RecordingObserver
) -> AsyncIterator[TieredStore]:
    settings = CacheSettings(directory=str(directory), disk_size=disk_size, memory_size=memory_size)
    store = await TieredStore.open(settings, FakeClock(), observer)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(name="store", params=["fake", *SIZES])
async def store_fixture(
    request: pytest.FixtureRequest, directory: Path, observer: RecordingObserver
) -> AsyncIterator[BlockStore]:
    kind = str(request.param)
    if kind == "fake":
        yield DictStore()
        return
    async with opened(directory, *SIZES[kind], observer) as store:
        yield store


async def test_finds_what_was_kept(store: BlockStore) -> None:
    block = numbered(1, 20_000)
    await store.keep(block)
    found = await store.find(block.cid)
    assert found is not None
    assert found[0] == block


async def test_finds_nothing_that_was_not_kept(store: BlockStore) -> None:
    cid = numbered(1, 100).cid
    assert await store.find(cid) is None
    assert store.peek(cid) is None
    assert not store.has(cid)


async def test_finds_a_block_under_every_cid_of_its_multihash(store: BlockStore) -> None:
    block = block_of(b"\x0a\x00", DAG_PB)
    await store.keep(block)
    asked = alias(block.cid, RAW)
    found = await store.find(asked)
    assert found is not None
    assert (found[0].cid, found[0].data) == (asked, block.data)


async def test_keeps_the_empty_block(store: BlockStore) -> None:
    block = block_of(b"")
    await store.keep(block)
    found = await store.find(block.cid)
    assert found is not None
    assert found[0].data == b""


async def test_has_what_was_kept(store: BlockStore) -> None:
    block = numbered(1, 100)
    await store.keep(block)
    assert store.has(block.cid)


async def test_keeping_twice_is_keeping_once(store: BlockStore) -> None:
    block = numbered(1, 100)
    await store.keep(block)
    await store.keep(block)
    assert await store.find(block.cid)


async def test_peek_agrees_with_find(store: BlockStore) -> None:
    block = numbered(1, 100)
    await store.keep(block)
    found = await store.find(block.cid)
    assert found is not None
    peeked = store.peek(block.cid)
    assert peeked == (block if found[1] is Tier.MEMORY else None)


async def test_finds_several_as_it_finds_each(store: BlockStore) -> None:
    blocks = [numbered(n, size) for n, size in enumerate((100, 20_000, 300_000, 8))]
    for block in blocks[:3]:
        await store.keep(block)
    found = await store.find_all([block.cid for block in blocks])
    assert [one and one[0] for one in found] == [*blocks[:3], None]


async def test_reads_now_only_what_it_finds(store: BlockStore) -> None:
    kept, absent = numbered(1, 20_000), numbered(2, 20_000)
    await store.keep(kept)
    assert store.peek_disk(kept.cid) in (kept, None)
    assert store.peek_disk(absent.cid) is None


@pytest.mark.parametrize("kind", ["disk", "both"])
async def test_several_from_the_disk_are_counted_and_come_closer(
    directory: Path, observer: RecordingObserver, kind: str
) -> None:
    blocks = [numbered(n, 20_000) for n in range(3)]
    async with opened(directory, *SIZES[kind], observer) as store:
        for block in blocks:
            await store.keep(block)
    async with opened(directory, *SIZES[kind], observer) as store:
        found = await store.find_all([block.cid for block in blocks])
        assert found == [(block, Tier.DISK) for block in blocks]
        assert [store.peek(block.cid) is not None for block in blocks] == [kind == "both"] * 3
        assert observer.found[Tier.DISK] == 3


async def test_an_identity_cid_is_not_stored(store: BlockStore) -> None:
    block = identity_block(make_cid(RAW, IDENTITY, b"hello"))
    await store.keep(block)
    assert await store.find(block.cid) is None


@pytest.mark.parametrize("kind", ["disk", "both"])
@pytest.mark.parametrize("size", [100, 20_000])
async def test_a_restart_keeps_everything(
    directory: Path, observer: RecordingObserver, kind: str, size: int
) -> None:
    blocks = [numbered(n, size) for n in range(50)]
    async with opened(directory, *SIZES[kind], observer) as store:
        for block in blocks:
            await store.keep(block)
    async with opened(directory, *SIZES[kind], observer) as store:
        found = [await store.find(block.cid) for block in blocks]
    assert found == [(block, Tier.DISK) for block in blocks]


async def test_a_block_from_the_disk_is_in_memory_afterwards(
    directory: Path, observer: RecordingObserver
) -> None:
    block = numbered(1, 100)
    async with opened(directory, *SIZES["disk"], observer) as store:
        await store.keep(block)
    async with opened(directory, *SIZES["both"], observer) as store:
        assert await store.find(block.cid) == (block, Tier.DISK)
        assert await store.find(block.cid) == (block, Tier.MEMORY)
        assert store.peek(block.cid) == block
    assert observer.found == {Tier.DISK: 1, Tier.MEMORY: 2}


async def test_a_scan_leaves_memory_alone(directory: Path, observer: RecordingObserver) -> None:
    block = numbered(1, 20_000)
    async with opened(directory, *SIZES["both"], observer) as store:
        await store.keep(block, is_scan=True)
        assert store.peek(block.cid) is None
        assert await store.find(block.cid, is_scan=True) == (block, Tier.DISK)
        assert store.peek(block.cid) is None


async def test_a_scan_is_kept_in_memory_when_there_is_no_disk(
    directory: Path, observer: RecordingObserver
) -> None:
    block = numbered(1, 100)
    async with opened(directory, *SIZES["memory"], observer) as store:
        await store.keep(block, is_scan=True)
        assert store.peek(block.cid) == block


async def test_a_miss_is_counted_once(directory: Path, observer: RecordingObserver) -> None:
    async with opened(directory, *SIZES["both"], observer) as store:
        assert store.peek(numbered(1, 100).cid) is None
        assert await store.find(numbered(1, 100).cid) is None
    assert (observer.missed, dict(observer.found)) == (1, {})


async def test_what_is_hot_in_memory_stays_on_the_disk(
    directory: Path, clock: FakeClock, observer: RecordingObserver
) -> None:
    """Hits in memory reach the disk's order of use when the memory's queue comes to them."""
    hot = numbered(0, 20_000)
    settings = CacheSettings(directory=str(directory), disk_size=400_000, memory_size=100_000)
    store = await TieredStore.open(settings, clock, observer)
    await store.keep(hot)
    for number in range(1, 60):
        clock.advance(1)
        store.peek(hot.cid)
        await store.keep(numbered(number, 20_000))
        await store.flush()
    await store.close()
    async with opened(directory, 400_000, 0, observer) as store:
        assert await store.find(hot.cid)
        assert await store.find(numbered(1, 20_000).cid) is None


async def test_stats_are_json_and_name_both_tiers(
    directory: Path, observer: RecordingObserver
) -> None:
    async with opened(directory, *SIZES["both"], observer) as store:
        await store.keep(numbered(1, 20_000))
        await store.keep(numbered(2, 100))
        await store.flush()
        await store.settle()
        stats = json.loads(json.dumps(store.stats()))
    assert stats["blocks"] == stats["memory_blocks"] == 2
    assert 20_100 <= stats["disk_bytes"] <= 22_000
    assert 20_100 <= stats["memory_bytes"] <= 22_000
    assert (stats["disk_limit"], stats["memory_limit"]) == SIZES["both"]
    assert stats["index_state"] == "ready"
    assert (stats["pending_bytes"], stats["quarantined"], stats["write_errors"]) == (0, 0, 0)
    assert stats["coldest_age_s"] == 0.0


async def test_lent_memory_is_missing_until_it_comes_back(
    directory: Path, observer: RecordingObserver
) -> None:
    store = await TieredStore.open(
        CacheSettings(directory=str(directory), disk_size=0, memory_size=100_000),
        FakeClock(),
        observer,
    )
    limits: list[object] = []
    for lent in (0, 40_000, 200_000, 0):
        store.lend(lent)
        limits.append(store.stats()["memory_limit"])
    assert limits == [100_000, 60_000, 0, 100_000]
    await store.close()


async def test_a_tier_that_is_off_touches_no_disk(
    directory: Path, observer: RecordingObserver
) -> None:
    async with opened(directory, *SIZES["memory"], observer) as store:
        await store.keep(numbered(1, 100))
        await store.flush()
        await store.settle()
        assert store.stats()["index_state"] == "off"
        assert store.health().status is DiskCondition.HEALTHY
    assert not directory.exists()  # noqa: ASYNC240 (a test may)


async def test_a_closed_store_finds_nothing_and_takes_nothing(
    directory: Path, observer: RecordingObserver
) -> None:
    block = numbered(1, 100)
    async with opened(directory, *SIZES["both"], observer) as store:
        await store.keep(block)
    assert await store.find(block.cid) is None
    await store.keep(numbered(2, 100))
    await store.close()


@pytest.mark.parametrize("word", ["cid", "tag"])
async def test_every_read_is_hashed_whatever_the_setting(
    directory: Path, observer: RecordingObserver, word: str
) -> None:
    block = numbered(1, 20_000)
    settings = CacheSettings(
        directory=str(directory),
        disk_size=MIB,
        memory_size=0,
        read_verification="tag" if word == "tag" else "cid",
        tag_key=str(directory.with_name("tag.key")),
    )
    store = await TieredStore.open(settings, FakeClock(), observer)
    await store.keep(block)
    await store.flush()
    (path,) = (directory / "blocks").rglob(block.cid.multihash.hex())
    path.write_bytes(bytes(20_000))
    assert await store.find(block.cid) is None
    await store.close()


async def test_has_all_knows_large_and_small_blocks(store: BlockStore) -> None:
    blocks = [numbered(1, 100), numbered(2, 20_000)]
    cids = [block.cid for block in blocks]
    assert await store.has_all([])
    assert not await store.has_all(cids)
    for block in blocks:
        await store.keep(block)
    assert await store.has_all(cids)
    assert not await store.has_all([*cids, numbered(3, 20_000).cid])


async def test_has_all_knows_what_a_process_before_kept(
    directory: Path, observer: RecordingObserver
) -> None:
    blocks = [numbered(1, 100), numbered(2, 20_000)]
    async with opened(directory, *SIZES["disk"], observer) as store:
        for block in blocks:
            await store.keep(block)
    async with opened(directory, *SIZES["disk"], observer) as again:
        assert await again.has_all([block.cid for block in blocks])


async def test_a_miss_has_its_reason(
    open_store: OpenStore, observer: RecordingObserver, clock: FakeClock
) -> None:
    store = await open_store()
    kept = numbered(1, 100)
    await store.keep(kept)
    await Control(store, clock).purge([kept.cid])
    assert await store.find(kept.cid) is None
    assert await store.find(numbered(2, 100).cid) is None
    await store.close()
    assert await store.find(kept.cid) is None
    assert observer.miss_reasons == {
        MissReason.PURGED: 1,
        MissReason.ABSENT: 1,
        MissReason.UNAVAILABLE: 1,
    }
    assert (store.stats()["purged"], store.stats()["purged_bytes"]) == (1, 100)
