"""The number of workers stays, and nothing that they counted is lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.background import Background
from gateway.errors import BadSetting, BadSettings, CannotStart
from gateway.ops.fleet import NO_ANSWER
from gateway.ops.overview import WorkerSnapshot
from gateway.processes import supervisor as module
from gateway.processes.supervisor import Pace, Supervisor
from tests.fakes.clock import FakeClock
from tests.fakes.worker import FakeSpawner, FakeWorker

QUICK = Pace(heartbeat_s=0.001, hung_after_s=0.05, stable_after_s=60.0, kill_after_s=0.05)


class Crew:
    """A supervisor of fake workers."""

    def __init__(self, count: int) -> None:
        self.spawner = FakeSpawner()
        self.supervisor = Supervisor(self.spawner, count, Background(FakeClock()), QUICK)
        self.count = count

    async def start(self) -> list[FakeWorker]:
        """Start, and let every worker say that it has started."""
        starting = asyncio.create_task(self.supervisor.start())
        workers = [await self.next_worker() for _ in range(self.count)]
        for worker in workers:
            worker.started.set_result(None)
        await starting
        return workers

    async def next_worker(self) -> FakeWorker:
        return await self.spawner.born.get()


@pytest.fixture(name="crew")
async def crew_fixture() -> AsyncIterator[Crew]:
    crew = Crew(2)
    yield crew
    await crew.supervisor.kill()


async def test_it_serves_once_all_workers_have_started(crew: Crew) -> None:
    before = crew.supervisor.is_serving

    await crew.start()

    assert (before, crew.supervisor.is_serving) == (False, True)
    assert [s["pid"] for s in await crew.supervisor.snapshots()]


async def test_one_worker_gets_an_order_and_the_others_another(crew: Crew) -> None:
    first, second = await crew.start()

    assert await crew.supervisor.order({"do": "purge"}) == {"pid": first.pid, "do": "purge"}
    assert await crew.supervisor.order_rest({"do": "x"}) == [{"pid": second.pid, "do": "x"}]


async def test_without_workers_nobody_answers_an_order() -> None:
    assert await Crew(2).supervisor.order({"do": "purge"}) == NO_ANSWER


async def test_a_worker_that_dies_is_replaced(crew: Crew) -> None:
    first, _ = await crew.start()

    first.die(-9)
    successor = await crew.next_worker()
    successor.started.set_result(None)

    assert successor.pid != first.pid
    assert crew.supervisor.is_serving


async def test_a_worker_that_cannot_be_started_is_tried_again(crew: Crew) -> None:
    """Issue 12, 26: one OSError, as in an upgrade of the environment, was the end of its place."""
    workers = await crew.start()
    crew.spawner.failures = [FileNotFoundError(2, "No such file") for _ in range(3)]

    for worker in workers:
        worker.die(1)
    for _ in workers:
        (await crew.next_worker()).started.set_result(None)
    while crew.supervisor.failure or not crew.supervisor.is_serving:  # noqa: ASYNC110 (no event)
        await asyncio.sleep(0)

    assert crew.spawner.failures == []
    assert sum(row["failures"] for row in crew.supervisor.tasks()) == 3


async def test_a_place_that_stays_empty_is_seen(crew: Crew) -> None:
    first, _ = await crew.start()
    crew.spawner.failures = [FileNotFoundError(2, "No such file") for _ in range(100)]

    first.die(1)
    while not crew.supervisor.failure:  # noqa: ASYNC110 (no event)
        await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert crew.supervisor.failure == "[Errno 2] No such file"
    assert [row["task"] for row in crew.supervisor.tasks() if row["problem"]] == ["worker-0"]


async def test_what_cannot_be_taken_over_costs_no_worker(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await crew.start()

    def fail(_: object) -> WorkerSnapshot:
        raise ValueError("a bug")

    monkeypatch.setattr(module, "retire", fail)
    await crew.supervisor.snapshots()
    first.die(1)

    assert (await crew.next_worker()).pid != first.pid


async def test_a_worker_that_cannot_be_watched_is_replaced(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await crew.start()
    ask = FakeWorker.ask

    async def fail(worker: FakeWorker, timeout_s: float) -> WorkerSnapshot | None:
        if worker is first:
            raise KeyError("snapshot")
        return await ask(worker, timeout_s)

    monkeypatch.setattr(FakeWorker, "ask", fail)
    await crew.next_worker()

    assert first.signals == ["kill"]


async def test_what_a_dead_worker_counted_stays(crew: Crew) -> None:
    first, second = await crew.start()
    for worker in (first, second):
        worker.service.statistics.block_missed()
    before = await crew.supervisor.snapshots()

    first.die(-9)
    await crew.next_worker()
    after = await crew.supervisor.snapshots()

    assert [sum(s["statistics"]["blocks"]["missed"] for s in told) for told in (before, after)] == [
        2,
        2,
    ]


async def test_a_worker_that_does_not_answer_in_time_has_its_last_word(crew: Crew) -> None:
    first, _ = await crew.start()
    first.service.statistics.block_missed()
    await crew.supervisor.snapshots()

    first.is_mute = True
    told = await crew.supervisor.snapshots()

    assert sum(s["statistics"]["blocks"]["missed"] for s in told) == 1


async def test_a_worker_that_hangs_is_killed_and_replaced(crew: Crew) -> None:
    first, _ = await crew.start()

    first.is_mute = True
    await crew.next_worker()

    assert first.signals == ["kill"]


async def test_who_was_stopped_together_with_a_worker_does_not_judge_it(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock jumps while it waits for the first answer, as after SIGSTOP and SIGCONT."""
    loop = asyncio.get_running_loop()
    clock, skipped, asked = loop.time, [0.0], asyncio.Event()
    monkeypatch.setattr(loop, "time", lambda: clock() + sum(skipped))

    async def ask(worker: FakeWorker, _timeout_s: float) -> WorkerSnapshot | None:
        if len(skipped) > 1:
            asked.set()
            return worker.service.snapshot()
        skipped.append(1000.0)
        return None

    monkeypatch.setattr(FakeWorker, "ask", ask)
    workers = await crew.start()
    await asked.wait()

    assert [worker.signals for worker in workers] == [[], []]


async def test_a_successor_that_cannot_start_is_replaced_in_turn(crew: Crew) -> None:
    first, _ = await crew.start()
    first.die(1)
    second = await crew.next_worker()

    second.started.set_exception(CannotStart("the disk is not there"))
    second.die(1)
    third = await crew.next_worker()

    assert third.pid > second.pid


@pytest.mark.parametrize(
    "failure",
    [
        CannotStart("the disk is not there"),
        BadSettings([BadSetting("a.b", "the disk is not there")]),
    ],
    ids=["machine", "configuration"],
)
async def test_a_first_worker_that_cannot_start_ends_it_all(crew: Crew, failure: Exception) -> None:
    starting = asyncio.create_task(crew.supervisor.start())
    first, second = await crew.next_worker(), await crew.next_worker()
    second.started.set_result(None)

    first.started.set_exception(failure)

    with pytest.raises(type(failure), match="the disk is not there"):
        await starting
    await crew.supervisor.kill()
    assert second.signals == ["kill"]


async def test_draining_asks_all_workers_and_starts_no_other(crew: Crew) -> None:
    workers = await crew.start()

    await crew.supervisor.drain()

    assert [worker.signals[0] for worker in workers] == ["terminate", "terminate"]
    assert crew.spawner.count == 2
    assert not crew.supervisor.is_serving


async def test_draining_kills_who_does_not_end(crew: Crew) -> None:
    first, second = await crew.start()
    first.is_stubborn = True

    await crew.supervisor.drain()

    assert first.signals == ["terminate", "kill"]
    assert second.code.result() == 0
