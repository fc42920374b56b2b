"""What has to go on goes on, and operators see when it did not. Issue 12, 13."""

import asyncio

import pytest

from gateway import background as module
from gateway.background import (
    STABLE_AFTER_S,
    Background,
    TaskRow,
    merge_tasks,
    restart_delay_s,
)
from tests.fakes.clock import FakeClock

END_S = 5.0


class Chore:
    """Work that ends by itself a few times, each time in its own way, and then goes on."""

    def __init__(self, *ends: BaseException | None) -> None:
        self.ends = list(ends)
        self.goes_on = asyncio.Event()
        self.is_cancelled = False

    async def work(self) -> None:
        if self.ends:
            end = self.ends.pop(0)
            if end is not None:
                raise end
            return
        self.goes_on.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_cancelled = True


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(name="clock")
def clock_fixture(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    monkeypatch.setattr(module, "FIRST_DELAY_S", 0.0)
    return FakeClock()


@pytest.mark.parametrize(
    ("failures", "delay_s"), [(1, 0.1), (2, 0.2), (4, 0.8), (9, 25.6), (10, 30.0), (10_000, 30.0)]
)
def test_a_restart_is_soon_at_first_and_later_slower(failures: int, delay_s: float) -> None:
    assert restart_delay_s(failures) == pytest.approx(delay_s)


@pytest.mark.parametrize(
    ("ended", "problem"),
    [
        pytest.param(None, "it ended", id="returns"),
        pytest.param(ValueError("odd"), "ValueError: odd", id="raises"),
        pytest.param(asyncio.CancelledError("inside"), "CancelledError: inside", id="cancelled"),
    ],
)
async def test_what_ends_is_logged_counted_seen_and_begun_anew(
    ended: BaseException | None, problem: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    background, chore = Background(clock), Chore(ended, ended)

    task = background.keep("chore", chore.work)
    await asyncio.wait_for(chore.goes_on.wait(), END_S)

    assert background.rows() == [{"task": "chore", "failures": 2, "problem": problem}]
    assert caplog.text.count(f"chore: {problem}; restart in") == 2
    await end(task)


async def test_who_cancels_it_ends_it(clock: FakeClock) -> None:
    background, chore = Background(clock), Chore()
    task = background.keep("chore", chore.work)
    await asyncio.wait_for(chore.goes_on.wait(), END_S)

    await end(task)

    assert (chore.is_cancelled, task.cancelled()) == (True, True)
    assert background.rows() == [{"task": "chore", "failures": 0, "problem": ""}]


async def test_what_went_on_for_long_is_well_and_stays_counted(clock: FakeClock) -> None:
    background, chore = Background(clock), Chore(ValueError("odd"))
    task = background.keep("chore", chore.work)
    await asyncio.wait_for(chore.goes_on.wait(), END_S)

    clock.advance(STABLE_AFTER_S + 1)

    assert background.rows() == [{"task": "chore", "failures": 1, "problem": ""}]
    await end(task)


def test_a_task_that_goes_on_can_say_what_is_wrong(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    background = Background(clock)

    for problem in ("one of two", "one of two", ""):
        background.report("chore", problem)
        assert background.rows() == [{"task": "chore", "failures": 0, "problem": problem}]

    assert caplog.text.count("chore: one of two") == 1


async def test_both_what_it_says_and_why_it_ended_are_seen(clock: FakeClock) -> None:
    background, chore = Background(clock), Chore(ValueError("odd"))
    background.report("chore", "one of two")

    task = background.keep("chore", chore.work)
    await asyncio.wait_for(chore.goes_on.wait(), END_S)

    assert [row["problem"] for row in background.rows()] == ["one of two; ValueError: odd"]
    await end(task)


def test_the_problem_of_one_process_is_that_of_all() -> None:
    def row(task: str, failures: int, problem: str = "") -> TaskRow:
        return {"task": task, "failures": failures, "problem": problem}

    merged = merge_tasks([[row("a", 1), row("b", 0)], [row("a", 2, "odd")], [row("a", 0, "late")]])

    assert merged == [row("a", 3, "odd"), row("b", 0)]
