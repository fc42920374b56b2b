"""Fetching ahead, as jobs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.cache.control import Control
from gateway.content.walk import Want
from gateway.upkeep.warm import ENDED, MAX_JOBS, MAX_RUNNING, UNSEEN_S, Warmer
from tests.fakes.clock import FakeClock
from tests.fakes.dags import dag_of
from tests.fakes.source import DictRetriever

DAG = dag_of(10)
SIZE = sum(len(block.data) for block in DAG.blocks)


class Gate:
    """Keeps fetches waiting until a test opens it."""

    def __init__(self) -> None:
        self.waiting = 0
        self.opened = asyncio.Event()
        self.entered = asyncio.Event()

    async def __call__(self, _: Want) -> None:
        self.waiting += 1
        self.entered.set()
        await self.opened.wait()


@pytest.fixture(name="retriever")
def retriever_fixture() -> DictRetriever:
    return DictRetriever(DAG.blocks)


@pytest.fixture(name="warmer")
async def warmer_fixture(
    retriever: DictRetriever, keeper: Control, clock: FakeClock
) -> AsyncIterator[Warmer]:
    warmer = Warmer(retriever, keeper, clock)
    yield warmer
    await warmer.close()


async def end_of(warmer: Warmer, number: int | None) -> dict[str, object]:
    assert number is not None
    while True:
        told = warmer.look(number)
        assert told is not None
        if told["state"] in ENDED:
            return told
        await asyncio.sleep(0)


async def test_a_job_fetches_all_and_is_forgotten_when_its_end_was_seen(warmer: Warmer) -> None:
    number = warmer.begin(DAG.root)
    assert await end_of(warmer, number) == {
        "cid": str(DAG.root),
        "state": "done",
        "blocks": len(DAG.blocks),
        "bytes": SIZE,
        "expected_bytes": SIZE,
        "reason": "",
    }
    assert number is not None
    assert warmer.look(number) is None


async def test_a_job_that_fails_says_why(warmer: Warmer, retriever: DictRetriever) -> None:
    retriever.far.clear()
    told = await end_of(warmer, warmer.begin(DAG.root))
    assert told["state"] == "failed"
    assert "was not found on any upstream" in str(told["reason"])


async def test_few_jobs_run_at_once(warmer: Warmer, retriever: DictRetriever) -> None:
    gate = retriever.before_get = Gate()
    numbers = [warmer.begin(DAG.root) for _ in range(MAX_RUNNING + 2)]
    await gate.entered.wait()
    await asyncio.sleep(0)
    assert gate.waiting == MAX_RUNNING
    gate.opened.set()
    assert [(await end_of(warmer, number))["state"] for number in numbers] == ["done"] * 6


async def test_there_is_a_bound_on_jobs(warmer: Warmer, retriever: DictRetriever) -> None:
    retriever.before_get = Gate()
    numbers = [warmer.begin(DAG.root) for _ in range(MAX_JOBS + 1)]
    assert None not in numbers[:MAX_JOBS]
    assert numbers[MAX_JOBS] is None


async def test_a_cancelled_job_ends_its_fetch(warmer: Warmer, retriever: DictRetriever) -> None:
    gate = retriever.before_get = Gate()
    number = warmer.begin(DAG.root)
    await gate.entered.wait()
    assert number is not None
    warmer.cancel(number)
    warmer.cancel(number)
    await asyncio.sleep(0.01)
    assert warmer.look(number) is None
    assert retriever.sessions[0].is_closed


async def test_a_job_that_nobody_looks_at_is_cancelled(
    warmer: Warmer, retriever: DictRetriever, clock: FakeClock
) -> None:
    gate = retriever.before_get = Gate()
    first, second = warmer.begin(DAG.root), warmer.begin(DAG.root)
    await gate.entered.wait()
    assert first is not None
    assert second is not None
    clock.advance(UNSEEN_S + 1)
    assert warmer.look(second) is not None
    warmer.drop_unseen()
    assert warmer.look(first) is None
    assert warmer.look(second) is not None
