"""Orders of operators on a real store."""

from collections.abc import Iterator

import pytest

from gateway.cache.control import PURGE_STEP, Control
from gateway.cache.disk.purge import MAX_NAMED
from gateway.cache.tiered_store import TieredStore
from gateway.content.cid import DAG_PB
from gateway.errors import CacheUnavailable
from gateway.ports import PinState, Purged
from tests.fakes.blocks import alias, numbered
from tests.fakes.clock import FakeClock
from tests.unit.cache.conftest import OpenStore

SMALL, LARGE = numbered(1, 1000), numbered(2, 50_000)
MIB = 1024 * 1024


class Drops:
    """Counts how often finished answers were dropped."""

    def __init__(self, store: TieredStore) -> None:
        self.count = 0
        store.on_purge(self.drop)

    def drop(self) -> None:
        self.count += 1


@pytest.fixture(name="store")
async def store_fixture(open_store: OpenStore) -> TieredStore:
    store = await open_store(memory_size=MIB)
    for block in (SMALL, LARGE):
        await store.keep(block)
    await store.flush()
    return store


@pytest.fixture(name="keeper")
def keeper_fixture(store: TieredStore, clock: FakeClock) -> Iterator[Control]:
    keeper = Control(store, clock)
    yield keeper
    keeper.close()


async def test_a_purged_block_is_in_no_tier(store: TieredStore, keeper: Control) -> None:
    drops = Drops(store)
    told = await keeper.purge([alias(SMALL.cid, DAG_PB), LARGE.cid])
    assert told == Purged(2, 51_000, 0)
    assert [store.peek(block.cid) for block in (SMALL, LARGE)] == [None, None]
    assert [await store.find(block.cid) for block in (SMALL, LARGE)] == [None, None]
    assert not store.has(SMALL.cid)
    assert drops.count


async def test_a_block_that_waits_to_be_written_is_purged_too(
    store: TieredStore, keeper: Control
) -> None:
    late = numbered(3, 1000)
    await store.keep(late)
    assert await keeper.purge([late.cid]) == Purged(1, 1000, 0)
    assert await store.find(late.cid) is None


async def test_a_purged_block_can_be_kept_again(store: TieredStore, keeper: Control) -> None:
    await keeper.purge([SMALL.cid])
    await store.keep(SMALL)
    await store.flush()
    assert await store.find(SMALL.cid) is not None
    assert store.has(SMALL.cid)


async def test_another_process_drops_what_was_purged(
    keeper: Control, open_store: OpenStore, clock: FakeClock
) -> None:
    other = await open_store(memory_size=MIB)
    drops = Drops(other)
    assert await other.find(SMALL.cid) is not None
    await Control(other, clock).catch_up()
    await keeper.purge([SMALL.cid])
    await Control(other, clock).catch_up()
    assert other.peek(SMALL.cid) is None
    assert drops.count


async def test_after_a_large_purge_another_process_drops_everything(
    keeper: Control, open_store: OpenStore, clock: FakeClock
) -> None:
    other = await open_store(memory_size=MIB)
    assert await other.find(SMALL.cid) is not None
    await Control(other, clock).catch_up()
    cids = [numbered(n, 8).cid for n in range(MAX_NAMED + PURGE_STEP)]
    await keeper.purge(cids)
    await Control(other, clock).catch_up()
    assert other.peek(SMALL.cid) is None
    assert await other.find(SMALL.cid) is not None


async def test_without_a_disk_a_purge_is_of_memory(open_store: OpenStore, clock: FakeClock) -> None:
    store = await open_store(disk_size=0, memory_size=MIB)
    await store.keep(SMALL)
    keeper = Control(store, clock)
    assert not keeper.is_shared
    await keeper.purge([SMALL.cid])
    await keeper.catch_up()
    assert store.peek(SMALL.cid) is None


async def test_pinned_blocks_stay_until_they_are_unpinned(keeper: Control) -> None:
    await keeper.pin(LARGE.cid, [LARGE])
    await keeper.finish_pin(LARGE.cid)
    (row,) = await keeper.pins()
    assert (row.root, row.state) == (LARGE.cid.multihash, PinState.PINNED)
    assert (await keeper.purge([LARGE.cid])).pinned == 1
    await keeper.unpin(LARGE.cid.multihash)
    assert (await keeper.purge([LARGE.cid])).blocks == 1


async def test_a_block_that_is_only_in_memory_is_written_when_it_is_pinned(
    store: TieredStore, keeper: Control
) -> None:
    fresh = numbered(9, 3000)
    await keeper.pin(fresh.cid, [fresh])
    await store.flush()
    store.drop([])
    assert await store.find(fresh.cid) is not None


async def test_a_failed_pin_says_why(keeper: Control) -> None:
    await keeper.finish_pin(SMALL.cid, "no upstream has it")
    (row,) = await keeper.pins()
    assert (row.state, row.reason) == (PinState.FAILED, "no upstream has it")


async def test_the_list_of_pins_goes_by_content(keeper: Control, clock: FakeClock) -> None:
    before = await keeper.pins_version()
    await keeper.change_pins([SMALL.cid], [])
    assert await keeper.pin_roots() == {str(SMALL.cid): clock.now()}
    assert await keeper.pins_version() != before
    await keeper.change_pins([], [alias(SMALL.cid, DAG_PB)])
    assert await keeper.pin_roots() == {}
    assert await keeper.lead_pins()


async def test_pins_need_a_disk(open_store: OpenStore, clock: FakeClock) -> None:
    keeper = Control(await open_store(disk_size=0), clock)
    assert (await keeper.pins(), await keeper.pin_roots()) == ((), {})
    assert (await keeper.lead_pins(), await keeper.pins_version()) == (False, 0)
    with pytest.raises(CacheUnavailable, match="need the disk tier"):
        await keeper.change_pins([SMALL.cid], [])


async def test_a_closed_store_takes_no_orders(store: TieredStore, keeper: Control) -> None:
    await store.close()
    with pytest.raises(CacheUnavailable, match="closed"):
        await keeper.purge([SMALL.cid])


async def test_a_damaged_list_of_pins_is_told(store: TieredStore, keeper: Control) -> None:
    assert store.disk is not None
    (store.disk.directory / "pins.json").write_text("?", "ascii")
    with pytest.raises(CacheUnavailable, match="list of pins"):
        await keeper.pin_roots()
