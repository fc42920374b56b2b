"""Taking content out, with all that is below it."""

import pytest

from gateway.cache.control import Control
from gateway.cache.tiered_store import TieredStore
from gateway.content.cid import DAG_PB
from gateway.ports import Purged
from gateway.upkeep import purge as module
from gateway.upkeep.purge import purge_dag, reach
from tests.fakes.blocks import block_of
from tests.fakes.dags import Dag, dag_of

DAG = dag_of(10)


async def keep(store: TieredStore, dag: Dag) -> None:
    for block in dag.blocks:
        await store.keep(block)
    await store.flush()


async def test_all_that_is_cached_below_a_root_is_taken_out(
    store: TieredStore, keeper: Control
) -> None:
    await keep(store, DAG)
    purged, reached = await purge_dag(store, keeper, DAG.root)
    assert purged == Purged(len(DAG.blocks), sum(len(b.data) for b in DAG.blocks), 0)
    assert (reached.holes, reached.is_cut) == (0, False)
    assert [await store.find(block.cid) for block in DAG.blocks] == [None] * len(DAG.blocks)


async def test_other_content_stays(store: TieredStore, keeper: Control) -> None:
    other = dag_of(10, seed=1)
    await keep(store, DAG)
    await keep(store, other)
    await purge_dag(store, keeper, DAG.root)
    assert None not in [await store.find(block.cid) for block in other.blocks]


async def test_a_node_that_is_not_cached_is_told(store: TieredStore, keeper: Control) -> None:
    await keep(store, DAG)
    inner = next(b for b in DAG.blocks if b.cid.codec == DAG_PB and b.cid != DAG.root)
    await keeper.purge([inner.cid])
    reached = await reach(store, DAG.root)
    assert (reached.holes, len(reached.cids)) == (1, len(DAG.blocks) - 4)


async def test_a_malformed_node_has_nothing_below_it(store: TieredStore) -> None:
    broken = block_of(b"\xff", DAG_PB)
    await store.keep(broken)
    assert (await reach(store, broken.cid)).cids == (broken.cid,)


async def test_a_purge_has_a_bound(store: TieredStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BLOCKS", 5)
    await keep(store, DAG)
    reached = await reach(store, DAG.root)
    assert (len(reached.cids), reached.is_cut) == (5, True)
