"""Gateways that share a Redis count together; without it each counts alone."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.breaker import FAILURES
from gateway.client_table import ClientTable
from gateway.guard import shared
from gateway.guard.limits import Rate, TokenBuckets
from gateway.guard.shared import KEY_PREFIX, SharedCounts
from gateway.settings import SharedSettings
from gateway.shared_redis import connect
from tests.fakes.clock import FakeClock
from tests.fakes.redis_server import RedisServer
from tests.fakes.shared_stores import redis_server

pytestmark = pytest.mark.timeout(60)  # starting a server takes seconds on a busy machine

BURST = 10
PATIENT_S = 10.0


class Machine:
    """A gateway with buckets of its own."""

    def __init__(self, url: str, rate: Rate = Rate(60, 60), timeout_s: float = PATIENT_S) -> None:  # noqa: B008 (frozen)
        self.clock = FakeClock()
        self.buckets = TokenBuckets(rate, BURST, ClientTable.private(slots=1024))
        settings = SharedSettings(redis=url, timeout=timeout_s)
        self.counts = SharedCounts(self.buckets, rate, settings, self.clock)

    def take(self, client: str, times: int = 1) -> int:
        """Return how many of so many requests are allowed."""
        now = self.clock.monotonic()
        return sum(self.buckets.take(client, now)[0] == 0 for _ in range(times))

    def left(self, client: str) -> int:
        """Return how many requests may come now, by trying."""
        return self.take(client, BURST + 1)


@pytest.fixture(name="redis_url", scope="module")
def redis_url_fixture() -> Iterator[str]:
    with redis_server() as (url, _):
        yield url


@pytest.fixture(name="machines", params=[2, 3])
async def machines_fixture(
    request: pytest.FixtureRequest, redis_url: str
) -> AsyncIterator[list[Machine]]:
    """Three of them; in both versions of the protocol."""
    url = f"{redis_url}?protocol={request.param}"
    redis = connect(SharedSettings(redis=url, timeout=PATIENT_S))
    await redis.flushdb()
    machines = [Machine(url) for _ in range(3)]
    yield machines
    await redis.aclose()
    for machine in machines:
        await machine.counts.close()


async def test_what_one_allowed_the_others_do_not_allow_again(machines: list[Machine]) -> None:
    one, other, _ = machines
    one.take("192.0.2.1", 6)
    await one.counts.exchange()
    other.take("192.0.2.1")
    await other.counts.exchange()
    assert other.left("192.0.2.1") == BURST - 7
    assert other.left("192.0.2.2") == BURST


async def test_bursts_from_several_machines_are_paid_back(machines: list[Machine]) -> None:
    for machine in machines:
        assert machine.take("192.0.2.1", 99) == BURST
        await machine.counts.exchange()
    last = machines[-1]
    wait_s, _ = last.buckets.take("192.0.2.1", last.clock.monotonic())
    assert wait_s == pytest.approx(3 * BURST - (BURST - 1), abs=1)


async def test_who_is_refused_hears_of_the_others(machines: list[Machine]) -> None:
    one, other, _ = machines
    for machine in (one, other, one):  # the last time none of its requests is allowed
        machine.take("192.0.2.1", BURST)
        await machine.counts.exchange()
    wait_s, _ = one.buckets.take("192.0.2.1", one.clock.monotonic())
    assert wait_s == pytest.approx(BURST + 1, abs=1)


async def test_refused_requests_are_not_counted(machines: list[Machine]) -> None:
    one, other, _ = machines
    one.take("192.0.2.1", 10_000)
    await one.counts.exchange()
    other.take("192.0.2.1")
    await other.counts.exchange()
    wait_s, _ = other.buckets.take("192.0.2.1", other.clock.monotonic())
    assert wait_s == pytest.approx(2, abs=1)


async def test_other_rates_count_apart(redis_url: str, machines: list[Machine]) -> None:
    fast = Machine(redis_url, Rate(600, 60))
    machines[0].take("192.0.2.1", BURST)
    await machines[0].counts.exchange()
    fast.take("192.0.2.1")
    await fast.counts.exchange()
    assert fast.left("192.0.2.1") == BURST - 1
    await fast.counts.close()


async def test_hearing_of_a_client_that_redis_has_forgotten_changes_nothing(
    redis_url: str, machines: list[Machine]
) -> None:
    machine = machines[0]
    machine.take("192.0.2.1", BURST)
    machine.buckets.hand_over()
    machine.take("192.0.2.1")
    await machine.counts.exchange()
    wait_s, _ = machine.buckets.take("192.0.2.1", machine.clock.monotonic())
    assert wait_s == pytest.approx(1)
    redis = connect(SharedSettings(redis=redis_url, timeout=PATIENT_S))
    assert await redis.keys("*") == []
    await redis.aclose()


async def test_keys_go_when_the_bucket_is_full(redis_url: str, machines: list[Machine]) -> None:
    machines[0].take("192.0.2.1", 3)
    await machines[0].counts.exchange()
    redis = connect(SharedSettings(redis=redis_url, timeout=PATIENT_S))
    (key,) = await redis.keys("*")
    assert key == f"{KEY_PREFIX}:60/60:192.0.2.1".encode()
    assert 0 < await redis.pttl(key) <= 3000
    await redis.aclose()


async def test_the_busiest_are_told_in_batches(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "MAX_CLIENTS", 5)
    monkeypatch.setattr(shared, "BATCH", 2)
    one, other, _ = machines
    for number in range(9):
        one.take(f"192.0.2.{number}", 1 + number)
    await one.counts.exchange()
    monkeypatch.setattr(shared, "MAX_CLIENTS", 99)
    for number in range(9):
        other.take(f"192.0.2.{number}")
    await other.counts.exchange()
    left = [other.left(f"192.0.2.{number}") for number in range(9)]
    assert left == [9, 9, 9, 9, 4, 3, 2, 1, 0]


async def test_a_redis_that_is_gone_is_not_felt(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine("redis://127.0.0.1:1/0")
    with caplog.at_level(logging.WARNING):
        for _ in range(FAILURES + 3):
            machine.take("192.0.2.1")
            await machine.counts.exchange()
    assert len(caplog.records) == 1
    assert machine.left("192.0.2.1") == BURST - FAILURES - 3
    await machine.counts.close()


@pytest.mark.parametrize(
    "babble",
    [
        pytest.param(b"+OK\r\n", id="no-list"),
        pytest.param(b":7\r\n", id="a-number"),
        pytest.param(b"*0\r\n", id="too-few"),
        pytest.param(b"*2\r\n$1\r\n1\r\n$1\r\n1\r\n", id="too-many"),
        pytest.param(b"*1\r\n$1\r\nx\r\n", id="no-number"),
        pytest.param(b"*1\r\n$-1\r\n", id="nothing"),
        pytest.param(b"*1\r\n:%b\r\n" % (b"9" * 401), id="401-digits"),
        pytest.param(b"*1\r\n" * 3000, id="3000-arrays"),
        pytest.param(b"-ERR unknown command\r\n", id="error"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="no-redis"),
    ],
)
async def test_what_redis_babbles_changes_nothing(babble: bytes) -> None:
    async with RedisServer() as server:
        server.babble = babble
        machine = Machine(server.url)
        machine.take("192.0.2.1")
        await machine.counts.exchange()
        assert machine.left("192.0.2.1") == BURST - 1
        await machine.counts.close()


async def test_a_mute_redis_is_left_after_the_timeout() -> None:
    async with RedisServer() as server:
        server.is_mute = True
        machine = Machine(server.url, timeout_s=0.01)
        machine.take("192.0.2.1")
        async with asyncio.timeout(PATIENT_S):
            await machine.counts.exchange()
        assert machine.left("192.0.2.1") == BURST - 1
        await machine.counts.close()


async def test_counts_go_out_while_it_runs(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "EXCHANGE_EVERY_S", 0.001)
    one, other, _ = machines
    one.take("192.0.2.1", BURST)
    await one.counts.exchange()
    other.take("192.0.2.1")
    running = asyncio.create_task(other.counts.run())
    async with asyncio.timeout(PATIENT_S):
        while other.take("192.0.2.1"):  # at its own rate, it would be allowed for ever
            other.clock.advance(1.0)
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
