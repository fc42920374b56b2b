"""Redis and S3, the real ones (moto speaks S3)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from gateway.cache.shared.stores import (
    HERE,
    IN_BUCKET,
    PURGES,
    BucketBlocks,
    PurgeEntry,
    RedisBlocks,
)
from gateway.content.block import MAX_BLOCK_BYTES
from gateway.settings import SharedSettings
from gateway.shared_redis import RemoteError
from tests.fakes.blocks import numbered
from tests.fakes.redis_server import RedisServer
from tests.fakes.shared_stores import redis_server, s3_server

pytestmark = pytest.mark.timeout(60)  # starting servers takes seconds on a busy machine

BLOCK = numbered(1, 20_000)
KEY = BLOCK.cid.multihash
OTHER = numbered(2, 8).cid.multihash
PATIENT_S = 10.0


@pytest.fixture(name="redis_url", scope="module")
def redis_url_fixture() -> Iterator[str]:
    with redis_server() as (url, _):
        yield url


@pytest.fixture(name="s3_url", scope="module")
def s3_url_fixture() -> Iterator[str]:
    with s3_server("blocks") as (url, _):
        yield url


@pytest.fixture(name="redis", params=[2, 3])
async def redis_fixture(
    request: pytest.FixtureRequest, redis_url: str
) -> AsyncIterator[RedisBlocks]:
    """In both versions of the protocol, which word some answers otherwise."""
    url = f"{redis_url}?protocol={request.param}"
    redis = RedisBlocks(SharedSettings(redis=url, timeout=PATIENT_S))
    await redis._redis.flushdb()
    yield redis
    await redis.close()


@pytest.fixture(name="bucket")
def bucket_fixture(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> BucketBlocks:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    return BucketBlocks(SharedSettings(bucket="s3://blocks/a/prefix", endpoint=s3_url))


async def test_redis_keeps_values_until_they_are_removed(redis: RedisBlocks) -> None:
    assert await redis.get(KEY) is None
    await redis.put(KEY, HERE + BLOCK.data)
    await redis.put(OTHER, IN_BUCKET)
    assert await redis.get(KEY) == HERE + BLOCK.data
    assert await redis.get(OTHER) == IN_BUCKET
    await redis.remove([KEY, OTHER])
    assert await redis.get(KEY) is None


async def test_purges_are_followed_from_any_place(redis: RedisBlocks) -> None:
    assert await redis.purges_after("0-0") == []
    await redis.announce_purge([KEY, OTHER])
    await redis.announce_purge([OTHER])
    first, second = await redis.purges_after("0-0")
    assert (first.keys, second.keys) == ((KEY, OTHER), (OTHER,))
    assert await redis.purges_after(first.place) == [PurgeEntry(second.place, (OTHER,))]
    assert await redis.purges_after(second.place) == []


async def test_what_others_write_to_the_stream_is_no_purge(redis: RedisBlocks) -> None:
    await redis._redis.xadd(PURGES, {"keys": "nonsense"})
    await redis._redis.xadd(PURGES, {"other": "field"})
    assert [entry.keys for entry in await redis.purges_after("0-0")] == [(), ()]


async def test_a_redis_that_is_not_there_is_an_error() -> None:
    redis = RedisBlocks(SharedSettings(redis="redis://127.0.0.1:1/0"))
    with pytest.raises(RemoteError, match=r"\w"):
        await redis.get(KEY)
    await redis.close()


async def test_the_bucket_keeps_objects_until_they_are_removed(bucket: BucketBlocks) -> None:
    assert await bucket.get(KEY) is None
    await bucket.put(KEY, BLOCK.data)
    assert await bucket.get(KEY) == BLOCK.data
    await bucket.remove([KEY])
    assert await bucket.get(KEY) is None


async def test_a_bucket_on_loopback_is_asked_without_a_proxy(
    bucket: BucketBlocks, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12, 29: it took the one of the environment, which is for the world outside."""
    await bucket.put(OTHER, b"here")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    proxied = BucketBlocks(SharedSettings(bucket="s3://blocks/a/prefix", endpoint=s3_url))

    assert await proxied.get(OTHER) == b"here"


async def test_an_object_larger_than_any_block_is_not_read(bucket: BucketBlocks) -> None:
    await bucket.put(OTHER, bytes(MAX_BLOCK_BYTES + 1))
    assert await bucket.get(OTHER) == b""


async def test_a_bucket_that_is_not_there_is_an_error(bucket: BucketBlocks) -> None:
    gone = BucketBlocks(SharedSettings(bucket="s3://blocks", endpoint="http://127.0.0.1:1"))
    with pytest.raises(RemoteError, match=r"\w"):
        await gone.get(KEY)
    assert await bucket.get(KEY) is None


BABBLE = [
    pytest.param(b"+OK\r\n", id="a-word"),
    pytest.param(b":7\r\n", id="a-number"),
    pytest.param(b":x\r\n", id="no-number"),
    pytest.param(b"*1\r\n*1\r\n:7\r\n", id="arrays-of-a-number"),
    pytest.param(b"*1\r\n" * 3000, id="3000-arrays"),
    pytest.param(
        b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$1\r\n7\r\n*2\r\n$4\r\nkeys\r\n$2\r\n00\r\n",
        id="a-place-that-is-none",
    ),
    pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="no-redis"),
]


@pytest.mark.parametrize("babble", BABBLE)
async def test_what_redis_babbles_is_a_failure_of_redis_and_no_other(babble: bytes) -> None:
    """Issue 12, 14: values from shared stores are parsed at the door."""
    async with RedisServer() as server:
        server.babble = babble
        redis = RedisBlocks(SharedSettings(redis=server.url, timeout=PATIENT_S))
        with suppress(RemoteError):
            assert await redis.get(KEY) in {None, b"OK"}  # of which no hash is right
        with suppress(RemoteError):
            assert await redis.purges_after("0-0") == []
        await redis.close()


async def test_a_purge_names_only_what_can_be_a_block(redis: RedisBlocks) -> None:
    """A key of megabytes is refused by the index as damage of its own."""
    keys = b" ".join([KEY.hex().encode(), b"00" * 2_000_000])
    await redis._redis.xadd(PURGES, {"keys": keys})
    ((_, told),) = await redis.purges_after("0-0")
    assert told == (KEY,)
