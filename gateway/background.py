"""Supervision of background tasks that run until the process ends.

A task that ends by itself, with an error or without, is logged, shown in the health report and in
the metrics, and restarted after a delay. No long-running work is a bare `create_task`.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from gateway.ports import Clock

FIRST_DELAY_S: Final = 0.1
LONGEST_DELAY_S: Final = 30.0
STABLE_AFTER_S: Final = 60.0
"""A task that has run for so long counts as healthy again; twice the longest delay, so that a task
that fails over and over never does."""

Work = Callable[[], Coroutine[Any, Any, None]]
"""Returns a coroutine that works until it is cancelled."""

_log = logging.getLogger(__name__)


class TaskRow(TypedDict):
    """State of one task, as JSON."""

    task: str
    failures: int
    """How often it has ended by itself."""
    problem: str
    """What is wrong with it; empty while it is healthy."""


@dataclass(slots=True)
class _Kept:
    failures: int = 0
    in_a_row: int = 0
    failed_s: float = 0.0
    reason: str = ""
    """Of the last failure."""
    reported: str = ""
    """The problem that `report` was called with last."""


def restart_delay_s(failures: int) -> float:
    """Return the seconds to wait before a restart; `failures` in a row, at least 1."""
    return min(FIRST_DELAY_S * 2.0 ** min(failures - 1, 16), LONGEST_DELAY_S)


class Background:
    """The background tasks of one process. Not thread-safe: use it from the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def keep(self, name: str, work: Work) -> asyncio.Task[None]:
        """Run work and restart it whenever it ends; the owner cancels the task that this returns.

        Args:
            name: shown to operators; several tasks of one name share a row.
            work: called for the first run and for each restart.
        """
        kept = self._kept.setdefault(name, _Kept())
        return asyncio.create_task(self._keep(name, kept, work), name=name)

    def report(self, name: str, problem: str) -> None:
        """Report a problem of a task that goes on running; empty text clears it."""
        kept = self._kept.setdefault(name, _Kept())
        if problem and problem != kept.reported:
            _log.warning("%s: %s", name, problem)
        kept.reported = problem

    def rows(self) -> list[TaskRow]:
        """Return the state of each task."""
        now_s = self._clock.monotonic()
        return [
            {"task": name, "failures": kept.failures, "problem": _problem_of(kept, now_s)}
            for name, kept in self._kept.items()
        ]

    async def _keep(self, name: str, kept: _Kept, work: Work) -> None:
        while True:
            began_s = self._clock.monotonic()
            error: BaseException | None = None
            try:
                await work()
            except asyncio.CancelledError as exc:
                if _is_being_cancelled():
                    raise
                error = exc
            except Exception as exc:  # noqa: BLE001 (any error: the work has to go on)
                error = exc
            reason = "it ended" if error is None else f"{type(error).__name__}: {error}"
            delay_s = self._note(kept, reason, began_s)
            _log.error("%s: %s; restart in %.1f s", name, reason, delay_s, exc_info=error)
            await asyncio.sleep(delay_s)

    def _note(self, kept: _Kept, reason: str, began_s: float) -> float:
        """Count a failure; return the seconds until the restart."""
        kept.failed_s = self._clock.monotonic()
        was_stable = kept.failed_s - began_s > STABLE_AFTER_S
        kept.in_a_row = 1 if was_stable else kept.in_a_row + 1
        kept.failures += 1
        kept.reason = reason
        return restart_delay_s(kept.in_a_row)


def merge_tasks(tables: Iterable[Iterable[TaskRow]]) -> list[TaskRow]:
    """Merge the rows of several processes: failures add up, one problem stands for all."""
    merged: dict[str, TaskRow] = {}
    for row in (row for table in tables for row in table):
        known = merged.setdefault(row["task"], {"task": row["task"], "failures": 0, "problem": ""})
        known["failures"] += row["failures"]
        known["problem"] = known["problem"] or row["problem"]
    return list(merged.values())


def _problem_of(kept: _Kept, now_s: float) -> str:
    has_just_failed = kept.failures > 0 and now_s - kept.failed_s <= STABLE_AFTER_S
    problems = (kept.reported, kept.reason if has_just_failed else "")
    return "; ".join(problem for problem in problems if problem)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
