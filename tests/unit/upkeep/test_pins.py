"""One process brings the cache in line with the list of pins."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.rig.cache_directory import index_file
from gateway.cache.control import Control
from gateway.cache.tiered_store import TieredStore
from gateway.content.cid import parse_cid
from gateway.content.walk import Want
from gateway.ports import PinState
from gateway.upkeep import pins as module
from gateway.upkeep.pins import PinKeeper, describe_pins
from tests.fakes.clock import FakeClock
from tests.fakes.dags import dag_of
from tests.fakes.source import DictRetriever

DAG = dag_of(10)


class KeepingRetriever(DictRetriever):
    """Keeps what it fetches, as the real one does."""

    def __init__(self, store: TieredStore) -> None:
        super().__init__(DAG.blocks)
        self._store = store
        self.before_get = self._keep

    async def _keep(self, want: Want) -> None:
        block = self.far.get(want.cid.multihash)
        if block is not None:
            await self._store.keep(block)


@pytest.fixture(name="retriever")
def retriever_fixture(store: TieredStore) -> KeepingRetriever:
    return KeepingRetriever(store)


@pytest.fixture(name="pins")
def pins_fixture(keeper: Control, retriever: KeepingRetriever, clock: FakeClock) -> PinKeeper:
    return PinKeeper(keeper, retriever, clock)


async def test_a_pinned_root_is_fetched_in_whole_and_stays(
    store: TieredStore, keeper: Control, pins: PinKeeper
) -> None:
    await keeper.change_pins([DAG.root], [])
    await pins.bring_in_line()
    (row,) = await keeper.pins()
    assert (row.state, row.blocks) == (PinState.PINNED, len(DAG.blocks))
    assert (await keeper.purge([block.cid for block in DAG.blocks])).pinned == len(DAG.blocks)
    assert None not in [await store.find(block.cid) for block in DAG.blocks]


async def test_what_is_pinned_is_not_fetched_again(
    keeper: Control, pins: PinKeeper, retriever: KeepingRetriever
) -> None:
    await keeper.change_pins([DAG.root], [])
    await pins.bring_in_line()
    await pins.bring_in_line()
    assert len(retriever.sessions) == 1


async def test_an_unpinned_root_can_go(keeper: Control, pins: PinKeeper) -> None:
    await keeper.change_pins([DAG.root], [])
    await pins.bring_in_line()
    await keeper.change_pins([], [DAG.root])
    await pins.bring_in_line()
    assert await keeper.pins() == []
    assert (await keeper.purge([DAG.root])).blocks == 1


async def test_a_root_that_cannot_be_had_fails_and_is_tried_again(
    keeper: Control, pins: PinKeeper, retriever: KeepingRetriever
) -> None:
    last = retriever.far.popitem()
    await keeper.change_pins([DAG.root], [])
    await pins.bring_in_line()
    (failed,) = await keeper.pins()
    retriever.far.update([last])
    await pins.bring_in_line()
    (row,) = await keeper.pins()
    assert (failed.state, row.state) == (PinState.FAILED, PinState.PINNED)
    assert "was not found" in failed.reason


async def test_a_pin_that_does_not_fit_holds_nothing(
    store: TieredStore, keeper: Control, pins: PinKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.disk is not None
    monkeypatch.setattr(store.disk, "_limit_bytes", 1000)
    await keeper.change_pins([DAG.root], [])
    await pins.bring_in_line()
    (row,) = await keeper.pins()
    assert (row.state, row.blocks, row.bytes) == (PinState.FAILED, 0, 0)
    assert "80% of cache.disk_size" in row.reason


async def test_a_pin_that_is_taken_back_while_it_is_fetched_ends(
    keeper: Control,
    pins: PinKeeper,
    retriever: KeepingRetriever,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STEP_BLOCKS", 2)
    keep = retriever.before_get
    assert keep is not None

    async def take_back(want: Want) -> None:
        await keep(want)
        if want.cid != DAG.root:
            await keeper.change_pins([], [DAG.root])

    retriever.before_get = take_back
    await keeper.change_pins([DAG.root], [])
    await pins.bring_in_line()
    assert len(retriever.sessions[0].asked) == 2
    assert retriever.sessions[0].is_closed


async def test_a_lost_index_is_marked_again(
    tmp_path: Path, store: TieredStore, keeper: Control, pins: PinKeeper
) -> None:
    await keeper.change_pins([DAG.root], [])
    await pins.bring_in_line()
    index_file(tmp_path).unlink()
    await store.flush()
    assert await keeper.pins() == []
    await pins.bring_in_line()
    (row,) = await keeper.pins()
    assert (row.state, row.blocks) == (PinState.PINNED, len(DAG.blocks))


async def test_one_wrong_root_costs_the_others_nothing(
    tmp_path: Path, keeper: Control, pins: PinKeeper
) -> None:
    """Issue 12, 13: pinning ended for good, and nobody was told."""
    (tmp_path / "pins.json").write_text(f'{{"Qm...": 1, "{DAG.root}": 2}}', "ascii")

    problem = await pins.bring_in_line()
    await keeper.change_pins([], [parse_cid("bafkqaaa")])
    rows = {row.root: row for row in await keeper.pins()}
    told = describe_pins(await keeper.pin_roots(), rows)

    assert problem == "1 of the pins left out, the first is 'Qm...': " + told[0]["reason"]
    assert [(row["cid"], row["state"]) for row in told] == [
        ("Qm...", "failed"),
        (str(DAG.root), "pinned"),
    ]
    assert told[0]["reason"].startswith("invalid CID: ")


async def test_a_bug_in_one_pin_costs_the_others_nothing(
    keeper: Control, pins: PinKeeper, retriever: KeepingRetriever
) -> None:
    odd = parse_cid("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")
    keep = retriever.before_get
    assert keep is not None

    async def break_once(want: Want) -> None:
        if want.cid == odd:
            raise ZeroDivisionError("a bug")
        await keep(want)

    retriever.before_get = break_once
    await keeper.change_pins([odd, DAG.root], [])

    await pins.bring_in_line()
    rows = {row.root: (row.state, row.reason) for row in await keeper.pins()}

    assert rows[odd.multihash] == (PinState.FAILED, "a bug")
    assert rows[DAG.root.multihash][0] is PinState.PINNED


async def test_what_is_wrong_with_the_list_is_told_until_it_is_mended(
    tmp_path: Path, pins: PinKeeper
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    (tmp_path / "pins.json").write_text('{"Qm...": 1}', "ascii")
    running = asyncio.create_task(pins.run(told.put_nowait))
    first = await told.get()

    (tmp_path / "pins.json").write_text("{}", "ascii")
    pins.wake()
    last = await told.get()

    assert first.startswith("1 of the pins left out")
    assert last == ""
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_leader_works_when_it_is_woken(keeper: Control, pins: PinKeeper) -> None:
    told: list[str] = []
    running = asyncio.create_task(pins.run(told.append))
    await keeper.change_pins([DAG.root], [])
    while not [row for row in await keeper.pins() if row.state is PinState.PINNED]:
        pins.wake()
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_pins_wait_while_the_cache_is_unavailable(tmp_path: Path, pins: PinKeeper) -> None:
    told: list[str] = []
    (tmp_path / "pins.json").write_text("?", "ascii")
    running = asyncio.create_task(pins.run(told.append))
    while not told:  # noqa: ASYNC110 (it has no event)
        await asyncio.sleep(0.01)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_pin_that_nobody_began_waits() -> None:
    (row,) = describe_pins({str(DAG.root): 5.0}, {})
    assert row == {
        "cid": str(DAG.root),
        "since": 5.0,
        "state": "waiting",
        "blocks": 0,
        "bytes": 0,
        "reason": "",
    }
