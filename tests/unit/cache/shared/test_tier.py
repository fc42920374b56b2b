"""The shared tier: verified, never waited for, and purged everywhere."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from gateway.background import Background
from gateway.breaker import FAILURES
from gateway.cache.control import Control
from gateway.cache.shared import tier as module
from gateway.cache.shared.stores import HERE, IN_BUCKET, BucketBlocks, PurgeEntry, RedisBlocks
from gateway.cache.shared.tier import MAX_PENDING_BYTES, SharedTier
from gateway.cache.tiered_store import TieredStore
from gateway.content.block import Block
from gateway.errors import CacheUnavailable
from gateway.ports import Rejection, Tier
from gateway.settings import CacheSettings, SharedSettings
from gateway.shared_redis import RemoteError
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver

SMALL, LARGE = numbered(1, 1000), numbered(2, 20_000)
BOTH = [SMALL, LARGE]
MIB = 1024 * 1024
SOON_S = 0.05


class Fault:
    """What a store does wrong: nothing, fail, or say nothing at all."""

    def __init__(self) -> None:
        self.is_broken = False
        self.is_mute = False
        self.asked = 0

    async def act(self) -> None:
        self.asked += 1
        if self.is_mute:
            await asyncio.Event().wait()
        if self.is_broken:
            raise RemoteError("broken")


class DictRedis(RedisBlocks):
    """A Redis that is a dict."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.purges: list[PurgeEntry] = []
        self.fault = Fault()

    @override
    async def close(self) -> None:
        return

    @override
    async def get(self, key: bytes) -> bytes | None:
        await self.fault.act()
        return self.values.get(key)

    @override
    async def put(self, key: bytes, value: bytes) -> None:
        await self.fault.act()
        self.values[key] = value

    @override
    async def remove(self, keys: Sequence[bytes]) -> None:
        await self.fault.act()
        for key in keys:
            self.values.pop(key, None)

    @override
    async def announce_purge(self, keys: Sequence[bytes]) -> None:
        await self.fault.act()
        self.purges.append(PurgeEntry(str(len(self.purges) + 1), tuple(keys)))

    @override
    async def purges_after(self, place: str) -> list[PurgeEntry]:
        await self.fault.act()
        seen = int(place) if place.isdecimal() else 0
        return self.purges[seen:]


class DictBucket(BucketBlocks):
    """A bucket that is a dict."""

    def __init__(self) -> None:
        self.objects: dict[bytes, bytes] = {}
        self.fault = Fault()

    @override
    async def get(self, key: bytes) -> bytes | None:
        await self.fault.act()
        return self.objects.get(key)

    @override
    async def put(self, key: bytes, data: bytes) -> None:
        await self.fault.act()
        self.objects[key] = data

    @override
    async def remove(self, keys: Sequence[bytes]) -> None:
        await self.fault.act()
        for key in keys:
            self.objects.pop(key, None)


@pytest.fixture(name="redis")
def redis_fixture() -> DictRedis:
    return DictRedis()


@pytest.fixture(name="bucket")
def bucket_fixture() -> DictBucket:
    return DictBucket()


@pytest.fixture(name="shared")
async def shared_fixture(
    redis: DictRedis, bucket: DictBucket, clock: FakeClock, observer: RecordingObserver
) -> AsyncIterator[SharedTier]:
    shared = SharedTier(redis, bucket, SOON_S, clock, observer)
    yield shared
    await shared.close()


async def ignore(_: Sequence[bytes]) -> None:
    return


async def written(shared: SharedTier, *blocks: Block) -> None:
    shared.start(Background(FakeClock()), ignore)
    for block in blocks:
        shared.keep(block)
    while shared.stats()["shared_written"] != len(blocks):  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0.001)


async def test_small_blocks_go_to_redis_and_large_ones_to_the_bucket(
    shared: SharedTier, redis: DictRedis, bucket: DictBucket
) -> None:
    await written(shared, *BOTH)
    assert redis.values == {
        SMALL.cid.multihash: HERE + SMALL.data,
        LARGE.cid.multihash: IN_BUCKET,
    }
    assert bucket.objects == {LARGE.cid.multihash: LARGE.data}
    assert [await shared.find(block.cid) for block in BOTH] == BOTH


async def test_redis_spares_the_bucket_questions(shared: SharedTier, bucket: DictBucket) -> None:
    assert await shared.find(LARGE.cid) is None
    assert bucket.fault.asked == 0


async def test_a_bucket_alone_holds_all(
    bucket: DictBucket, clock: FakeClock, observer: RecordingObserver
) -> None:
    shared = SharedTier(None, bucket, SOON_S, clock, observer)
    await written(shared, *BOTH)
    assert [await shared.find(block.cid) for block in BOTH] == BOTH
    await shared.close()


async def test_a_redis_alone_holds_small_ones(
    redis: DictRedis, clock: FakeClock, observer: RecordingObserver
) -> None:
    shared = SharedTier(redis, None, SOON_S, clock, observer)
    shared.keep(LARGE)
    await written(shared, SMALL)
    assert [await shared.find(block.cid) for block in BOTH] == [SMALL, None]
    await shared.close()


async def test_a_lie_is_never_believed_and_taken_out(
    shared: SharedTier, redis: DictRedis, bucket: DictBucket, observer: RecordingObserver
) -> None:
    redis.values = {SMALL.cid.multihash: HERE + b"lie", LARGE.cid.multihash: IN_BUCKET}
    bucket.objects = {LARGE.cid.multihash: SMALL.data}
    assert [await shared.find(block.cid) for block in BOTH] == [None, None]
    assert (redis.values, bucket.objects) == ({}, {})
    assert observer.rejected == {(Rejection.MISMATCH, "shared"): 2}


async def test_a_lie_that_cannot_be_taken_out_is_a_miss_all_the_same(
    shared: SharedTier, redis: DictRedis, bucket: DictBucket
) -> None:
    redis.values = {SMALL.cid.multihash: HERE + b"lie"}
    bucket.fault.is_broken = True
    assert await shared.find(SMALL.cid) is None
    assert shared.stats()["shared_errors"] == 1


@pytest.mark.parametrize("kind", ["is_mute", "is_broken"])
async def test_a_tier_that_fails_is_a_miss_and_soon_not_asked_any_more(
    shared: SharedTier, redis: DictRedis, kind: str
) -> None:
    setattr(redis.fault, kind, True)
    found = [await shared.find(SMALL.cid) for _ in range(FAILURES + 5)]
    assert found == [None] * (FAILURES + 5)
    assert redis.fault.asked == FAILURES
    assert shared.state == "redis down"


async def test_without_redis_the_bucket_is_asked(
    shared: SharedTier, redis: DictRedis, bucket: DictBucket
) -> None:
    bucket.objects = {LARGE.cid.multihash: LARGE.data}
    redis.fault.is_broken = True
    found = [await shared.find(LARGE.cid) for _ in range(FAILURES)]
    assert found[-1] == LARGE


async def test_what_comes_back_is_asked_again(
    shared: SharedTier, redis: DictRedis, clock: FakeClock
) -> None:
    redis.values = {SMALL.cid.multihash: HERE + SMALL.data}
    redis.fault.is_broken = True
    for _ in range(FAILURES):
        await shared.find(SMALL.cid)
    redis.fault.is_broken = False
    clock.advance(60)
    assert await shared.find(SMALL.cid) == SMALL
    assert shared.state == "up"


async def test_writes_that_do_not_fit_are_dropped(shared: SharedTier) -> None:
    for _ in range(MAX_PENDING_BYTES // len(LARGE.data) + 3):
        shared.keep(LARGE)
    stats = shared.stats()
    assert stats["shared_dropped"] == 3
    assert int(str(stats["shared_pending_bytes"])) <= MAX_PENDING_BYTES


async def test_what_is_purged_is_not_written_any_more(shared: SharedTier) -> None:
    for block in BOTH:
        shared.keep(block)
    shared.forget([SMALL.cid.multihash])
    assert shared.stats()["shared_pending_bytes"] == len(LARGE.data)
    shared.forget(None)
    assert shared.stats()["shared_pending_bytes"] == 0


async def test_writes_to_what_is_down_are_dropped(shared: SharedTier, redis: DictRedis) -> None:
    redis.fault.is_broken = True
    shared.start(Background(FakeClock()), ignore)
    for _ in range(FAILURES + 2):
        shared.keep(SMALL)
    while not shared.stats()["shared_dropped"]:  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0.001)
    assert shared.stats()["shared_written"] == 0


async def test_a_purge_takes_out_and_tells_the_others(
    shared: SharedTier, redis: DictRedis, bucket: DictBucket
) -> None:
    await written(shared, *BOTH)
    keys = [block.cid.multihash for block in BOTH]
    await shared.purge(keys)
    assert (redis.values, bucket.objects) == ({}, {})
    assert redis.purges == [PurgeEntry("1", tuple(keys))]


async def test_a_purge_that_fails_is_told(shared: SharedTier, redis: DictRedis) -> None:
    redis.fault.is_broken = True
    with pytest.raises(CacheUnavailable, match="could not be purged: broken"):
        await shared.purge([SMALL.cid.multihash])


async def test_following_goes_on_after_a_failure(
    shared: SharedTier, redis: DictRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLLOW_S", 0.001)
    followed: list[Sequence[bytes]] = []
    done = asyncio.Event()

    async def follow(keys: Sequence[bytes]) -> None:
        followed.append(keys)
        done.set()

    redis.fault.is_broken = True
    shared.start(Background(FakeClock()), follow)
    while not shared.stats()["shared_errors"]:  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0.001)
    redis.fault.is_broken = False
    await redis.announce_purge([b"a", b"b"])
    await done.wait()
    await asyncio.sleep(0.01)
    assert followed == [(b"a", b"b")]


async def test_nothing_configured_is_no_tier(clock: FakeClock, observer: RecordingObserver) -> None:
    assert SharedTier.of(SharedSettings(), clock, observer) is None


async def test_both_parts_come_from_the_settings(
    clock: FakeClock, observer: RecordingObserver
) -> None:
    settings = SharedSettings(
        redis="redis://127.0.0.1:1/0", bucket="s3://abc", endpoint="http://127.0.0.1:1"
    )
    shared = SharedTier.of(settings, clock, observer)
    assert shared is not None
    assert await shared.find(SMALL.cid) is None
    await shared.close()


async def open_machine(
    directory: Path, redis: DictRedis, clock: FakeClock, observer: RecordingObserver
) -> TieredStore:
    """Open the store of one machine that shares the tier."""
    shared = SharedTier(redis, None, 5.0, clock, observer)
    settings = CacheSettings(directory=str(directory), disk_size=64 * MIB, memory_size=MIB)
    store = await TieredStore.open(settings, clock, observer, shared)
    shared.start(Background(FakeClock()), Control(store, clock).follow_purge)
    return store


async def test_machines_share_blocks_and_purges(
    tmp_path: Path,
    redis: DictRedis,
    clock: FakeClock,
    observer: RecordingObserver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FOLLOW_S", 0.001)
    ours, theirs = [
        await open_machine(tmp_path / name, redis, clock, observer) for name in ("a", "b")
    ]
    await ours.keep(SMALL)
    while SMALL.cid.multihash not in redis.values:  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0.001)
    assert await theirs.find(SMALL.cid) == (SMALL, Tier.SHARED)
    assert await theirs.find(SMALL.cid) == (SMALL, Tier.MEMORY)
    await theirs.flush()
    await Control(ours, clock).purge([SMALL.cid])
    while await theirs.find(SMALL.cid) is not None:  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0.001)
    assert theirs.stats()["shared_state"] == "up"
    for store in (ours, theirs):
        await store.close()


async def test_a_purge_that_cannot_be_followed_is_in_the_log(
    tmp_path: Path,
    redis: DictRedis,
    clock: FakeClock,
    observer: RecordingObserver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = await open_machine(tmp_path, redis, clock, observer)
    await store.close()
    await Control(store, clock).follow_purge([SMALL.cid.multihash])
    assert "could not be followed" in caplog.text
