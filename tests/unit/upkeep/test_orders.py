"""Orders as JSON."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.background import Background
from gateway.cache.control import Control
from gateway.cache.tiered_store import TieredStore
from gateway.guard.denylist import Denylist
from gateway.settings import CacheSettings
from gateway.upkeep.orders import NO_JOB, TOO_MANY_JOBS, Answer, Upkeep
from gateway.upkeep.warm import MAX_JOBS
from tests.fakes.clock import FakeClock
from tests.fakes.dags import dag_of
from tests.fakes.observer import RecordingObserver
from tests.fakes.source import DictRetriever

DAG = dag_of(10)
ROOT = str(DAG.root)
SIZE = sum(len(block.data) for block in DAG.blocks)


@pytest.fixture(name="upkeep")
async def upkeep_fixture(
    store: TieredStore, keeper: Control, clock: FakeClock
) -> AsyncIterator[Upkeep]:
    for block in DAG.blocks:
        await store.keep(block)
    upkeep = Upkeep(store, keeper, DictRetriever(DAG.blocks), clock)
    yield upkeep
    await upkeep.close()


async def purge(upkeep: Upkeep, *, recursive: bool) -> Answer:
    order = {"do": "purge", "cids": [ROOT], "recursive": recursive}
    (row,) = (await upkeep.obey(order))["purged"]
    return row  # type: ignore[no-any-return]  # JSON


async def test_a_purge_tells_what_went(upkeep: Upkeep) -> None:
    alone = await purge(upkeep, recursive=False)
    assert (alone["cid"], alone["blocks"], alone["whole"]) == (ROOT, 1, True)


async def test_a_recursive_purge_tells_what_went(upkeep: Upkeep) -> None:
    row = await purge(upkeep, recursive=True)
    assert (row["blocks"], row["bytes"]) == (len(DAG.blocks), SIZE)
    assert (row["pinned"], row["holes"], row["whole"]) == (0, 0, True)


async def test_a_purge_that_may_have_missed_something_says_so(upkeep: Upkeep) -> None:
    await purge(upkeep, recursive=False)
    row = await purge(upkeep, recursive=True)
    assert (row["holes"], row["whole"]) == (1, False)


async def test_other_workers_follow_through_the_disk(upkeep: Upkeep) -> None:
    order = {"do": "follow-purge", "cids": [ROOT], "recursive": True}
    assert await upkeep.obey(order) == {}


async def test_other_workers_purge_themselves_without_a_disk(
    tmp_path: Path, clock: FakeClock
) -> None:
    settings = CacheSettings(directory=str(tmp_path), disk_size=0)
    store = await TieredStore.open(settings, clock, RecordingObserver())
    await store.keep(DAG.blocks[0])
    upkeep = Upkeep(store, Control(store, clock), DictRetriever(), clock)
    cids = [str(DAG.blocks[0].cid)]
    await upkeep.obey({"do": "follow-purge", "cids": cids, "recursive": False})
    assert store.peek(DAG.blocks[0].cid) is None
    assert (
        "need the disk tier"
        in (await upkeep.obey({"do": "change-pins", "add": [ROOT], "remove": []}))["error"]
    )
    await upkeep.close()


async def test_a_warm_job_is_begun_and_looked_at(upkeep: Upkeep) -> None:
    begun = await upkeep.obey({"do": "warm", "cid": ROOT})
    told = await upkeep.obey({"do": "job", **begun})
    while told["state"] != "done":
        await asyncio.sleep(0)
        told = await upkeep.obey({"do": "job", **begun})
    assert told["bytes"] == SIZE
    assert await upkeep.obey({"do": "job", **begun}) == {"error": NO_JOB}


async def test_what_is_blocked_is_not_fetched_ahead(
    store: TieredStore, keeper: Control, clock: FakeClock, tmp_path: Path
) -> None:
    (tmp_path / "a.deny").write_text(f"/ipfs/{ROOT}")
    denylist = Denylist([str(tmp_path / "a.deny")], clock)
    upkeep = Upkeep(store, keeper, DictRetriever(DAG.blocks), clock, denylist)
    told = [
        await upkeep.obey({"do": "warm", "cid": ROOT}),
        await upkeep.obey({"do": "change-pins", "add": [ROOT], "remove": []}),
    ]
    assert [f"{ROOT} is blocked" in answer["error"] for answer in told] == [True, True]
    assert await upkeep.obey({"do": "pins"}) == {"pins": []}
    await upkeep.close()


async def test_a_job_can_be_cancelled(upkeep: Upkeep) -> None:
    begun = await upkeep.obey({"do": "warm", "cid": ROOT})
    assert await upkeep.obey({"do": "cancel", **begun}) == {}
    assert await upkeep.obey({"do": "job", **begun}) == {"error": NO_JOB}


async def test_too_many_jobs_are_refused(upkeep: Upkeep) -> None:
    told = [await upkeep.obey({"do": "warm", "cid": ROOT}) for _ in range(MAX_JOBS + 1)]
    assert told[-1] == {"error": TOO_MANY_JOBS}


async def test_pins_are_listed_after_a_change_and_carried_out(upkeep: Upkeep) -> None:
    upkeep.start(Background(FakeClock()))
    told = await upkeep.obey({"do": "change-pins", "add": [ROOT], "remove": []})
    while told["pins"][0]["state"] != "pinned":
        await asyncio.sleep(0.01)
        told = await upkeep.obey({"do": "pins"})
    (row,) = told["pins"]
    assert (row["cid"], row["blocks"]) == (ROOT, len(DAG.blocks))


async def test_an_unknown_order_is_refused(upkeep: Upkeep) -> None:
    assert "does not know" in (await upkeep.obey({"do": "dance"}))["error"]
