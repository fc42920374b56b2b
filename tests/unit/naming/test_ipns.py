"""What keys point to: newest wins, time is kept, and nothing goes back."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cid import Cid
from gateway.content.ipns import IpnsRecord
from gateway.errors import GatewayError, NotFound, Unavailable
from gateway.naming.held import Age
from gateway.naming.ipns import DEFAULT_TTL_S, MAX_TTL_S, STALE_S, Keys, hold, ttl_s
from gateway.naming.name_cache import REST_S
from gateway.naming.shared import SharedRecords
from gateway.ports import RecordSource
from gateway.settings import SharedSettings
from tests.fakes.clock import FakeClock
from tests.fakes.ipns_forge import MINUTE_NS, owner
from tests.fakes.redis_server import RedisServer

OWNER = owner()
KEY = OWNER.name
TTL_S = 300


class Source:
    """Records from nowhere."""

    def __init__(self, record: IpnsRecord | None = None) -> None:
        self.record = record
        self.error: GatewayError | None = None
        self.asked = 0

    async def fetch(self, key: Cid) -> IpnsRecord:
        self.asked += 1
        if self.error is not None:
            raise self.error
        if self.record is None:
            raise NotFound(key, [])
        return self.record


_: RecordSource = Source()  # mypy proves the fake still fits the port


class World:
    """Keys with a source, and other machines that share a Redis."""

    def __init__(self, redis: RedisServer | None = None, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.source = Source(OWNER.record(sequence=1))
        settings = SharedSettings(redis=redis.url if redis else "", timeout=5.0)
        shared = SharedRecords(settings, self.clock) if redis else None
        self.keys = Keys(self.source, shared, self.clock)

    async def get(self) -> tuple[int, bool]:
        held, is_stale = await self.keys.get(KEY)
        return held.value.sequence, is_stale

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture(name="world")
def world_fixture() -> World:
    return World()


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [
        pytest.param(None, DEFAULT_TTL_S, id="none"),
        pytest.param(0, 0.0, id="zero"),
        pytest.param(-1, 0.0, id="negative"),
        pytest.param(1, 1e-9, id="nanosecond"),
        pytest.param(MINUTE_NS, 60.0, id="minute"),
        pytest.param(2**63, MAX_TTL_S, id="absurd"),
        pytest.param(2**64 - 1, MAX_TTL_S, id="largest"),
    ],
)
def test_a_ttl_is_clamped(ttl: int | None, seconds: float) -> None:
    assert ttl_s(OWNER.record(TTL=ttl)) == seconds


@pytest.mark.property
@given(
    ttl=st.none() | st.integers(-(2**64), 2**64 - 1),
    valid_s=st.integers(1, 10**6),
    age_s=st.floats(0, 1e6),
    later_s=st.floats(0, 1e6),
)
def test_a_record_is_fresh_neither_beyond_its_ttl_nor_its_end(
    ttl: int | None, valid_s: int, age_s: float, later_s: float
) -> None:
    clock = FakeClock()
    ttl_ns = None if ttl is None else ttl
    record = IpnsRecord(KEY, b"", 1, int(clock.now() + valid_s) * 10**9, ttl_ns, b"")
    held = hold(record, clock, age_s)
    clock.advance(later_s)
    left_s = held.left_s(clock.monotonic())
    assert 0 <= left_s <= MAX_TTL_S
    assert left_s <= max(0.0, ttl_s(record) - age_s - later_s) + 1e-6
    assert left_s <= max(0.0, valid_s - later_s) + 1e-6
    assert held.age(clock.monotonic()) is not Age.GONE


async def test_a_record_is_fetched_once_in_its_ttl(world: World) -> None:
    assert await world.get() == (1, False)
    world.clock.advance(TTL_S - 1)
    assert await world.get() == (1, False)
    assert world.source.asked == 1


async def test_after_its_ttl_it_is_used_while_the_next_is_fetched(world: World) -> None:
    await world.get()
    world.source.record = OWNER.record(sequence=2)
    world.clock.advance(TTL_S + 1)
    assert await world.get() == (1, True)
    await world.settle()
    assert await world.get() == (2, False)


async def test_long_after_its_ttl_the_next_is_fetched_first(world: World) -> None:
    await world.get()
    world.source.record = OWNER.record(sequence=2)
    world.clock.advance(TTL_S + STALE_S + 1)
    assert await world.get() == (2, False)


@pytest.mark.parametrize("error", [NotFound(KEY, []), Unavailable(KEY, [])], ids=["404", "502"])
async def test_a_valid_record_is_used_when_there_is_none(world: World, error: GatewayError) -> None:
    await world.get()
    world.source.error = error
    world.clock.advance(365 * 86_400)
    assert await world.get() == (1, True)


async def test_a_record_that_is_over_is_not_used(world: World) -> None:
    world.source.record = OWNER.record(Validity=b"2023-11-14T22:14:20Z")
    await world.get()
    world.source.error = Unavailable(KEY, [])
    world.clock.advance(59)
    assert await world.get() == (1, False)
    world.clock.advance(1)
    with pytest.raises(Unavailable, match=str(KEY)):
        await world.get()


async def test_an_older_record_does_not_replace_a_newer_one(world: World) -> None:
    world.source.record = OWNER.record(sequence=5)
    await world.get()
    world.source.record = OWNER.record(sequence=4)
    world.clock.advance(TTL_S + STALE_S + 1)
    assert await world.get() == (5, False)
    assert world.source.asked == 2


async def test_a_newer_record_that_is_over_makes_way(world: World) -> None:
    world.source.record = OWNER.record(sequence=5, Validity=b"2023-11-14T22:14:20Z")
    await world.get()
    world.source.record = OWNER.record(sequence=4)
    world.clock.advance(61)
    assert await world.get() == (4, False)


async def test_a_ttl_of_zero_does_not_cost_a_search_a_request(world: World) -> None:
    world.source.record = OWNER.record(TTL=0)
    assert [await world.get() for _ in range(3)] == [(1, True)] * 3
    assert world.source.asked == 1
    world.clock.advance(REST_S)
    await world.get()
    await world.settle()
    assert world.source.asked == 2


@pytest.mark.parametrize("seconds", [-10 * 31_557_600, -300, 300], ids=["-10y", "-5min", "+5min"])
async def test_a_clock_that_jumps_changes_no_ttl(world: World, seconds: float) -> None:
    await world.get()
    world.clock.jump(seconds)
    assert await world.get() == (1, False)
    world.clock.advance(TTL_S + STALE_S + 1)
    await world.get()
    assert world.source.asked == 2


async def test_a_clock_that_is_years_ahead_ends_records(world: World) -> None:
    await world.get()
    world.clock.jump(100 * 31_557_600)
    world.source.error = Unavailable(KEY, [])
    with pytest.raises(Unavailable, match=str(KEY)):
        await world.get()


@pytest.fixture(name="redis")
async def redis_fixture() -> AsyncIterator[RedisServer]:
    async with RedisServer() as redis:
        yield redis


async def test_what_one_machine_fetched_saves_the_other_a_search(redis: RedisServer) -> None:
    one, other = World(redis), World(redis)
    await one.get()
    other.clock.advance(100)
    held, _ = await other.keys.get(KEY)
    assert (held.left_s(other.clock.monotonic()), other.source.asked) == (TTL_S - 100, 0)
    await one.keys.close()
    await other.keys.close()


async def test_what_is_shared_and_not_fresh_is_fetched_again(redis: RedisServer) -> None:
    one, other = World(redis), World(redis)
    await one.get()
    other.clock.advance(TTL_S)
    other.source.record = OWNER.record(sequence=2)
    assert await other.get() == (2, False)
    await one.keys.close()
    await other.keys.close()


async def test_what_is_shared_and_newer_counts(redis: RedisServer) -> None:
    one, other = World(redis), World(redis)
    one.source.record = OWNER.record(sequence=9)
    await one.get()
    other.clock.advance(TTL_S)
    assert await other.get() == (9, False)
    await one.keys.close()
    await other.keys.close()


async def test_what_is_shared_does_not_bring_back_an_older_one(redis: RedisServer) -> None:
    one, other = World(redis), World(redis)
    other.source.record = OWNER.record(sequence=9)
    await other.get()
    redis.kept.clear()
    await one.get()
    other.clock.advance(TTL_S + STALE_S + 1)
    one.clock.advance(TTL_S + STALE_S + 1)
    await one.keys.close()
    assert await other.get() == (9, False)
    await other.keys.close()


async def test_what_is_shared_is_used_when_nobody_answers(redis: RedisServer) -> None:
    one, other = World(redis), World(redis)
    await one.get()
    other.clock.advance(TTL_S + STALE_S + 1)
    other.source.error = Unavailable(KEY, [])
    assert [await other.get() for _ in range(3)] == [(1, True)] * 3
    assert other.source.asked == 1
    await one.keys.close()
    await other.keys.close()


async def test_nothing_shared_and_nobody_who_answers_is_a_failure(redis: RedisServer) -> None:
    world = World(redis)
    world.source.error = Unavailable(KEY, [])
    with pytest.raises(Unavailable, match=str(KEY)):
        await world.get()
    await world.keys.close()


async def test_of_what_is_shared_and_what_we_have_the_newer_survives(redis: RedisServer) -> None:
    one, other = World(redis), World(redis)
    other.source.record = OWNER.record(sequence=9)
    await other.get()
    redis.kept.clear()
    await one.get()
    other.source.error = Unavailable(KEY, [])
    other.clock.advance(TTL_S + STALE_S + 1)
    assert await other.get() == (9, True)
    await one.keys.close()
    await other.keys.close()
