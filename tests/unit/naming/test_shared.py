"""Records in a Redis that lies, fails or says nothing."""

import asyncio
import json
import logging
import time
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest

from gateway.breaker import FAILURES, FIRST_PAUSE_S
from gateway.naming.shared import MAX_KEPT_S, SharedRecords
from gateway.settings import SharedSettings
from tests.fakes.clock import FakeClock
from tests.fakes.ipns_forge import owner
from tests.fakes.redis_server import RedisServer

OWNER = owner()
KEY = OWNER.name
ENTRY = f"ipfs-gateway:name:{KEY}".encode()


class Kit:
    """A shared tier and its Redis."""

    def __init__(self, redis: RedisServer, timeout: float = 5.0, url: str = "") -> None:
        self.redis = redis
        self.clock = FakeClock()
        settings = SharedSettings(redis=url or redis.url, timeout=timeout)
        self.shared = SharedRecords(settings, self.clock)

    def put(self, record: object, at: object = None) -> None:
        """Write an entry by hand."""
        at = self.clock.now() if at is None else at
        self.redis.kept[ENTRY] = json.dumps({"record": record, "at": at}).encode()


@pytest.fixture(name="redis")
async def redis_fixture() -> AsyncIterator[RedisServer]:
    async with RedisServer() as redis:
        yield redis


@pytest.fixture(name="kit")
async def kit_fixture(redis: RedisServer) -> AsyncIterator[Kit]:
    kit = Kit(redis)
    yield kit
    await kit.shared.close()


def text(raw: bytes) -> str:
    return b64encode(raw).decode()


async def test_a_record_is_found_by_another_machine(kit: Kit) -> None:
    record = OWNER.record(sequence=3)
    await kit.shared.keep(record)
    other = Kit(kit.redis)
    other.clock.advance(7)
    assert await other.shared.find(KEY) == (record, 7.0)
    await other.shared.close()


async def test_nothing_is_found_under_another_name(kit: Kit) -> None:
    await kit.shared.keep(OWNER.record())
    assert await kit.shared.find(owner(number=1).name) is None


async def test_keys_have_a_prefix_and_an_end(kit: Kit) -> None:
    await kit.shared.keep(OWNER.record(Validity=b"2023-11-14T22:14:20Z"))
    assert kit.redis.lifetimes_s == {ENTRY: 60}
    await kit.shared.keep(OWNER.record())
    assert kit.redis.lifetimes_s == {ENTRY: MAX_KEPT_S}


async def test_a_record_in_its_last_second_is_not_kept(kit: Kit) -> None:
    await kit.shared.keep(OWNER.record(Validity=b"2023-11-14T22:13:20.5Z"))
    assert kit.redis.commands == []


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"record": text(owner(number=1).raw()), "at": 0}, id="forged"),
        pytest.param(
            {"record": text(OWNER.raw(Validity=b"2020-01-01T00:00:00Z")), "at": 0}, id="over"
        ),
        pytest.param({"record": text(b"x" * 20_000), "at": 0}, id="large"),
        pytest.param({"record": "*", "at": 0}, id="no-base64"),
        pytest.param({"record": 7, "at": 0}, id="number"),
        pytest.param({"record": text(OWNER.raw())}, id="no-time"),
        pytest.param({"record": text(OWNER.raw()), "at": "yesterday"}, id="odd-time"),
        pytest.param({"at": 0}, id="no-record"),
        pytest.param([], id="list"),
        pytest.param(None, id="null"),
    ],
)
async def test_what_is_no_valid_record_is_a_miss(kit: Kit, entry: object) -> None:
    kit.redis.kept[ENTRY] = json.dumps(entry).encode()
    assert await kit.shared.find(KEY) is None


RECORD = json.dumps(text(OWNER.raw())).encode()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"{", id="half"),
        pytest.param(b"\xff\xfe", id="no-text"),
        pytest.param(b"\x80\x04K\x01.", id="pickle"),
        pytest.param(b'{"record": %b, "at": 1%b}' % (RECORD, b"0" * 401), id="401-digits"),
        pytest.param(b'{"record": %b, "at": 1%b}' % (RECORD, b"0" * 5000), id="5000-digits"),
        pytest.param(b'{"record": %b, "at": -Infinity}' % RECORD, id="before-all-times"),
        pytest.param(b'{"record": "\\ud800", "at": 0}', id="half-of-a-pair"),
        pytest.param(b"[" * 3000, id="3000-brackets"),
        pytest.param(b'{"at": 0, "record": %b%b}' % (RECORD, b" " * 30_000), id="too-long"),
    ],
)
async def test_what_is_no_entry_is_a_miss_and_no_failure(kit: Kit, value: bytes) -> None:
    """Issue 12, 14: the last ones raised although nothing here raises. Nothing is unpickled."""
    for _ in range(FAILURES):
        kit.redis.kept[ENTRY] = value
        assert await kit.shared.find(KEY) is None
    await kit.shared.keep(OWNER.record())
    assert await kit.shared.find(KEY) is not None


@pytest.mark.parametrize(
    ("at", "age_s"),
    [
        pytest.param(1_700_000_000 - 60, 60.0, id="past"),
        pytest.param(1_700_000_000 + 60, 0.0, id="other-clock-ahead"),
        pytest.param(1e300, 0.0, id="far-future"),
        pytest.param(float("nan"), 0.0, id="nan"),
    ],
)
async def test_an_age_is_never_negative(kit: Kit, at: float, age_s: float) -> None:
    kit.put(text(OWNER.raw()), at)
    found = await kit.shared.find(KEY)
    assert found is not None
    assert found.age_s == age_s


async def test_slow_is_a_miss_and_after_a_few_it_is_left_alone(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis.is_mute = True
    kit = Kit(redis, timeout=0.05)
    with caplog.at_level(logging.WARNING):
        for _ in range(FAILURES):
            assert await kit.shared.find(KEY) is None
    assert [record.getMessage() for record in caplog.records if "gateway" in record.name] == [
        "the shared tier does not answer: TimeoutError"
    ]
    started = time.perf_counter()
    for _ in range(100):
        assert await kit.shared.find(KEY) is None
    assert time.perf_counter() - started < 0.05 * 20
    await kit.shared.close()


async def test_an_answer_that_comes_too_late_leaves_its_connection(redis: RedisServer) -> None:
    """Else a connection that takes longer than the timeout would never be made."""
    redis.delay_s = 0.2
    kit = Kit(redis, timeout=0.1)
    assert await kit.shared.find(KEY) is None
    while kit.shared._tasks:
        await asyncio.wait(kit.shared._tasks)
    redis.delay_s = 0.0
    await kit.shared.keep(OWNER.record())
    assert await kit.shared.find(KEY) is not None
    assert redis.connections == 1
    await kit.shared.close()


async def test_closing_ends_what_is_late(redis: RedisServer) -> None:
    redis.is_mute = True
    kit = Kit(redis, timeout=0.05)
    assert await kit.shared.find(KEY) is None
    await kit.shared.close()
    assert not kit.shared._tasks


async def test_it_is_tried_again_after_a_while(redis: RedisServer) -> None:
    redis.is_mute = True
    kit = Kit(redis, timeout=0.05)
    for _ in range(FAILURES):
        await kit.shared.find(KEY)
    redis.is_mute = False
    await kit.shared.close()
    kit.clock.advance(FIRST_PAUSE_S)
    again = SharedRecords(SharedSettings(redis=redis.url, timeout=5.0), kit.clock)
    await again.keep(OWNER.record())
    assert await again.find(KEY) is not None
    await again.close()


@pytest.mark.parametrize(
    "babble",
    [
        b"-ERR no\r\n",
        b"+OK\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$999999\r\nx",
        b":x\r\n",
        pytest.param(b"*1\r\n" * 3000, id="3000 arrays"),
    ],
)
async def test_what_is_no_redis_is_a_miss(redis: RedisServer, babble: bytes) -> None:
    redis.babble = babble
    kit = Kit(redis, timeout=0.2)
    await kit.shared.keep(OWNER.record())
    assert await kit.shared.find(KEY) is None
    await kit.shared.close()


async def test_nobody_there_is_a_miss(redis: RedisServer) -> None:
    kit = Kit(redis)
    await redis.stop()
    assert await kit.shared.find(KEY) is None
    await kit.shared.keep(OWNER.record())
    await kit.shared.close()


async def test_a_restart_is_survived(redis: RedisServer) -> None:
    kit = Kit(redis)
    await kit.shared.keep(OWNER.record())
    await redis.stop()
    assert await kit.shared.find(KEY) is None
    async with redis:
        assert await kit.shared.find(KEY) is not None
    await kit.shared.close()


async def test_many_at_once_get_their_own_answers(kit: Kit) -> None:
    owners = [owner(number=number) for number in range(20)]
    await asyncio.gather(*[kit.shared.keep(each.record()) for each in owners])
    found = await asyncio.gather(*[kit.shared.find(each.name) for each in owners])
    assert [f.record.name for f in found if f is not None] == [each.name for each in owners]


@pytest.mark.parametrize(
    ("url", "endpoint", "port", "db", "password"),
    [
        pytest.param("redis://cache", "cache", 6379, 0, None, id="host"),
        pytest.param("redis://:a%40b@cache:7000/3", "cache", 7000, 3, "a@b", id="password"),
        pytest.param("rediss://me:pw@cache/1", "cache", 6379, 1, "pw", id="tls"),
    ],
)
async def test_urls(url: str, endpoint: str, port: int, db: int, password: str | None) -> None:
    shared = SharedRecords(SharedSettings(redis=url), FakeClock())
    cache = shared._cache
    assert (cache.endpoint, cache.port, cache.db, cache.password) == (endpoint, port, db, password)
    await shared.close()


async def test_a_bug_is_no_miss(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        async def get(self, _key: str) -> object:
            return 1 // 0

        async def close(self) -> None:
            """Have nothing open."""

    kit = Kit(redis)
    await kit.shared.close()
    monkeypatch.setattr(kit.shared, "_cache", Broken())
    with pytest.raises(ZeroDivisionError, match="division"):
        await kit.shared.find(KEY)
    await kit.shared.close()
