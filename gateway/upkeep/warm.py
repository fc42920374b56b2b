"""Fetching whole DAGs ahead, as jobs: begun, looked at, and cancelled when nobody looks."""

import asyncio
import itertools
import logging
from contextlib import aclosing
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from gateway.content.cid import Cid
from gateway.errors import GatewayError
from gateway.offload import run_offloaded
from gateway.ports import BlockControl, Clock, Retriever
from gateway.upkeep.fetch import expected_bytes, fetch_dag

MAX_JOBS: Final = 64
"""Jobs that are known; another one is refused."""
MAX_RUNNING: Final = 4
"""DAGs fetched at once; the others wait, so that clients' requests have the upstreams, too."""
UNSEEN_S: Final = 10.0
"""A job that nobody looked at for so long is cancelled: who began it is gone."""
SWEEP_S: Final = 1.0


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_log = logging.getLogger("gateway.warm")

ENDED: Final = frozenset((JobState.DONE, JobState.FAILED, JobState.CANCELLED))


@dataclass(slots=True)
class Progress:
    """How far the fetch of one DAG is."""

    cid: str
    state: JobState = JobState.WAITING
    blocks: int = 0
    bytes: int = 0
    expected_bytes: int | None = None
    """As the root says, if it says; a DAG that holds a block twice comes to less."""
    reason: str = ""
    """Why it failed."""


class _Job:
    def __init__(self, progress: Progress, seen_s: float) -> None:
        self.progress = progress
        self.seen_s = seen_s
        self.task: asyncio.Task[None] | None = None


class Warmer:
    """The jobs of one process. Belongs to the event loop."""

    def __init__(self, retriever: Retriever, keeper: BlockControl, clock: Clock) -> None:
        """Make a warmer without jobs."""
        self._keeper = keeper
        self._retriever = retriever
        self._clock = clock
        self._numbers = itertools.count(1)
        self._jobs: dict[int, _Job] = {}
        self._running = asyncio.Semaphore(MAX_RUNNING)
        self._sweeping: asyncio.Task[None] | None = None

    def begin(self, root: Cid) -> int | None:
        """Begin to fetch a DAG; return the number of the job, None when there are too many."""
        if len(self._jobs) >= MAX_JOBS:
            return None
        number = next(self._numbers)
        job = self._jobs[number] = _Job(Progress(str(root)), self._clock.monotonic())
        job.task = asyncio.create_task(self._run(root, job.progress))
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep())
        return number

    def look(self, number: int) -> dict[str, Any] | None:
        """Return how far a job is, as JSON; one that has ended is forgotten with it."""
        job = self._jobs.get(number)
        if job is None:
            return None
        job.seen_s = self._clock.monotonic()
        if job.progress.state in ENDED:
            del self._jobs[number]
        return asdict(job.progress)

    def cancel(self, number: int) -> None:
        """End a job; what it fetched stays in the cache."""
        job = self._jobs.pop(number, None)
        if job is not None and job.task is not None:
            job.task.cancel()

    async def close(self) -> None:
        """End all jobs."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        tasks += [self._sweeping] if self._sweeping is not None else []
        self._jobs.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, root: Cid, progress: Progress) -> None:
        try:
            async with self._running:
                progress.state = JobState.RUNNING
                async with aclosing(fetch_dag(self._retriever, root)) as blocks:
                    async for block in blocks:
                        if not progress.blocks:
                            progress.expected_bytes = await run_offloaded(
                                partial(expected_bytes, block)
                            )
                        await self._keeper.keep(block)
                        progress.blocks += 1
                        progress.bytes += len(block.data)
            progress.state = JobState.DONE
        except GatewayError as exc:
            progress.state, progress.reason = JobState.FAILED, str(exc)
        except asyncio.CancelledError:
            progress.state = JobState.CANCELLED
            raise
        except Exception:  # noqa: BLE001 (who asks for the job would wait for ever)
            _log.exception("warming %s failed", root)
            progress.state, progress.reason = JobState.FAILED, "it failed; the log says why"

    async def _sweep(self) -> None:
        while self._jobs:
            await asyncio.sleep(SWEEP_S)
            self.drop_unseen()
        self._sweeping = None

    def drop_unseen(self) -> None:
        """Cancel the jobs that nobody looked at for `UNSEEN_S`."""
        now_s = self._clock.monotonic()
        for number, job in list(self._jobs.items()):
            if now_s - job.seen_s > UNSEEN_S:
                self.cancel(number)
