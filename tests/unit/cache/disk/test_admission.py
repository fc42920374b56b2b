"""Second-hit admission: once is not enough, except for what operators want."""

import pytest

from gateway.cache.control import Control
from gateway.cache.disk.admission import SecondHit
from gateway.cache.tiered_store import TieredStore
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock
from tests.unit.cache.conftest import OpenStore

BLOCK = numbered(1, 1000)


@pytest.fixture(name="store")
async def store_fixture(open_store: OpenStore) -> TieredStore:
    store = await open_store()
    store.second_hit = SecondHit()
    return store


def test_a_block_is_admitted_when_it_comes_again() -> None:
    admission = SecondHit()
    keys = [numbered(n, 8).cid.multihash for n in range(3)]
    assert [admission.admits(key) for key in (*keys, *keys)] == [False] * 3 + [True] * 3


async def test_what_is_fetched_twice_is_written(store: TieredStore) -> None:
    await store.keep(BLOCK)
    await store.flush()
    assert await store.find(BLOCK.cid) is None
    await store.keep(BLOCK)
    await store.flush()
    assert await store.find(BLOCK.cid) is not None


async def test_what_operators_want_is_written_at_once(store: TieredStore, clock: FakeClock) -> None:
    await store.keep(BLOCK)
    keeper = Control(store, clock)
    for _ in range(2):
        await keeper.keep(BLOCK)
    await store.flush()
    assert await store.find(BLOCK.cid) is not None


async def test_where_all_is_admitted_operators_have_nothing_to_add(
    open_store: OpenStore, clock: FakeClock
) -> None:
    store = await open_store()
    await Control(store, clock).keep(BLOCK)
    await store.flush()
    assert await store.find(BLOCK.cid) is None
