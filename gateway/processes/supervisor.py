"""The supervisor of workers: restarts dead ones, queries all, keeps the counters of dead ones."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from gateway.background import STABLE_AFTER_S, Background, TaskRow, restart_delay_s
from gateway.errors import BadSettings, CannotStart
from gateway.ops.fleet import NO_ANSWER, Answer, Order
from gateway.ops.overview import WorkerSnapshot
from gateway.processes.retired_counts import retire
from gateway.processes.serving import GRACE_S

ORDER_TIMEOUT_S: Final = 600.0  # a purge of a million blocks takes a minute or two
ASK_TIMEOUT_S: Final = 2.0  # the metrics page waits no longer for a busy worker
HUNG_AFTER_S: Final = 5.0  # uvicorn's timeout_worker_healthcheck
HEARTBEAT_S: Final = 1.0
PAUSED_S: Final = 1.0  # a check so much too late means that this process was paused, too
KILL_AFTER_S: Final = GRACE_S + 5.0  # after GRACE_S a worker aborts its requests itself

_log = logging.getLogger("gateway.supervisor")


class Worker(Protocol):
    """One running worker. Production: `gateway.processes.worker_process.WorkerProcess`."""

    last: WorkerSnapshot | None
    """Its last snapshot; all that is left of a worker that has died."""

    @property
    def pid(self) -> int:
        """The process id."""
        ...

    async def wait_started(self) -> None:
        """Wait until it accepts connections.

        Raises:
            BadSettings, CannotStart: it did not start.
        """
        ...

    async def ask(self, timeout_s: float) -> WorkerSnapshot | None:
        """Return a snapshot; None if the worker does not answer in time."""
        ...

    async def order(self, order: Order, timeout_s: float) -> Answer:
        """Have the worker carry out an order; returns `NO_ANSWER` after the timeout."""
        ...

    async def wait_ended(self) -> int:
        """Wait for its end and return the exit code, negative for a signal."""
        ...

    def terminate(self) -> None:
        """Send SIGTERM: finish the requests in flight and end."""
        ...

    def kill(self) -> None:
        """Send SIGKILL."""
        ...


Spawn = Callable[[], Awaitable[Worker]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Intervals and timeouts of the supervision, in seconds; tests use shorter ones."""

    heartbeat_s: float = HEARTBEAT_S
    hung_after_s: float = HUNG_AFTER_S
    stable_after_s: float = STABLE_AFTER_S
    kill_after_s: float = KILL_AFTER_S


@dataclass(slots=True)
class _Place:
    """A slot for one worker, filled again whenever its worker dies."""

    task: str
    """Name of its background task, for operators."""
    worker: Worker | None
    deaths: int = 0
    """In a row."""


class Supervisor:
    """Keeps `count` workers alive. Implements the `Fleet` of the admin application."""

    def __init__(
        self, spawn: Spawn, count: int, background: Background, pace: Pace | None = None
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            spawn: starts one worker; may raise OSError.
            count: the number of workers.
            background: runs the supervising tasks.
            pace: intervals and timeouts; None for the defaults.
        """
        self._spawn = spawn
        self._count = count
        self._pace = pace or Pace()
        self._background = background
        self._failures: dict[str, str] = {}
        """Why slots are empty now, by their tasks."""
        self._alive: set[Worker] = set()
        self._serving: set[Worker] = set()
        self._departed: WorkerSnapshot | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._is_stopping = False

    @property
    def is_serving(self) -> bool:
        """Whether at least one worker accepts requests."""
        return bool(self._serving)

    @property
    def failure(self) -> str:
        """Why a worker could not be started again; empty if none is missing."""
        return next(iter(self._failures.values()), "")

    def tasks(self) -> Sequence[TaskRow]:
        """Return the states of the supervising tasks."""
        return self._background.rows()

    async def start(self) -> None:
        """Start all workers; returns once all accept connections.

        Raises:
            BadSettings, CannotStart: that of the first one that failed; the caller then calls
                `kill`.
        """
        workers = [await self._spawn_one() for _ in range(self._count)]
        places = [_Place(f"worker-{number}", worker) for number, worker in enumerate(workers)]
        self._keepers = [
            self._background.keep(place.task, partial(self._keep, place)) for place in places
        ]
        await asyncio.gather(*(worker.wait_started() for worker in workers))
        self._serving |= self._alive

    async def snapshots(self) -> Sequence[WorkerSnapshot]:
        """Return the snapshots of all workers, and one of the counters of dead ones.

        A worker that does not answer in time is represented by its last snapshot.
        """
        asked = list(self._serving)
        answers = await asyncio.gather(*(worker.ask(ASK_TIMEOUT_S) for worker in asked))
        latest = [answer or worker.last for answer, worker in zip(answers, asked, strict=True)]
        return [snapshot for snapshot in (*latest, self._departed) if snapshot is not None]

    async def order(self, order: Order) -> Answer:
        """Have the worker with the lowest number carry out an order."""
        first = self._in_order()[:1]
        return await first[0].order(order, ORDER_TIMEOUT_S) if first else NO_ANSWER

    async def order_rest(self, order: Order) -> Sequence[Answer]:
        """Have all the other workers carry out an order."""
        rest = self._in_order()[1:]
        return await asyncio.gather(*(worker.order(order, ORDER_TIMEOUT_S) for worker in rest))

    def _in_order(self) -> list[Worker]:
        return sorted(self._serving, key=lambda worker: worker.pid)

    async def drain(self) -> None:
        """End all workers after their requests in flight; kills those that take too long."""
        self._is_stopping = True
        self._serving.clear()
        for worker in self._alive:
            worker.terminate()
        try:
            async with asyncio.timeout(self._pace.kill_after_s):
                await asyncio.gather(*(worker.wait_ended() for worker in self._alive))
        except TimeoutError:
            _log.warning("killing %d workers that did not end in time", len(self._alive))
        await self.kill()

    async def kill(self) -> None:
        """Kill all workers and wait for their ends."""
        self._is_stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        for worker in self._alive:
            worker.kill()
        await asyncio.gather(*(worker.wait_ended() for worker in self._alive))

    async def _spawn_one(self) -> Worker:
        worker = await self._spawn()
        self._alive.add(worker)
        return worker

    async def _keep(self, place: _Place) -> None:
        """Keep one slot filled: whenever its worker dies, start another one.

        Raises:
            OSError: no worker can be started now; `Background` calls this again after a delay.
        """
        loop = asyncio.get_running_loop()
        while True:
            worker = await self._fill(place)
            born = loop.time()
            code = await self._live(place, worker)
            if self._is_stopping:
                await asyncio.Event().wait()  # until cancelled: the slot stays empty
            is_stable = loop.time() - born > self._pace.stable_after_s
            place.deaths = 1 if is_stable else place.deaths + 1
            delay_s = restart_delay_s(place.deaths)
            _log.error("worker %d ended with %d; restart in %.1f s", worker.pid, code, delay_s)
            self._background.report(place.task, f"its worker ended with {code}")
            await asyncio.sleep(delay_s)

    async def _fill(self, place: _Place) -> Worker:
        """Return the worker of a slot; starts one if it is empty."""
        if place.worker is None:
            try:
                place.worker = await self._spawn_one()
            except Exception as exc:
                self._failures[place.task] = str(exc)
                raise
            self._failures.pop(place.task, None)
        return place.worker

    async def _live(self, place: _Place, worker: Worker) -> int:
        """Watch one worker to its end, then take over its counters; return its exit code."""
        watching = asyncio.create_task(self._watch(place, worker))
        try:
            code = await worker.wait_ended()
        finally:
            watching.cancel()
        self._alive.discard(worker)
        self._serving.discard(worker)
        place.worker = None
        self._take_over(worker)
        return code

    def _take_over(self, worker: Worker) -> None:
        if worker.last is not None:
            known = [snapshot for snapshot in (self._departed, worker.last) if snapshot is not None]
            self._departed = retire(known)

    async def _watch(self, place: _Place, worker: Worker) -> None:
        """Watch a worker; kill it if the watch itself fails."""
        try:
            await self._look_after(place, worker)
        except Exception:  # noqa: BLE001 (an unwatched worker may hang for ever)
            _log.exception("worker %d cannot be watched", worker.pid)
            worker.kill()

    async def _look_after(self, place: _Place, worker: Worker) -> None:
        """Query a worker at each heartbeat; kill it once it is silent for too long."""
        try:
            await worker.wait_started()
        except (BadSettings, CannotStart) as exc:
            _log.error("worker %d cannot start: %s", worker.pid, exc)
            return
        self._serving.add(worker)
        self._background.report(place.task, "")
        while not self._is_stopping:
            if await self._has_hung(worker) and not self._is_stopping:
                _log.error("worker %d has hung", worker.pid)
                worker.kill()
                return
            await asyncio.sleep(self._pace.heartbeat_s)

    async def _has_hung(self, worker: Worker) -> bool:
        """Query a worker; return whether it is silent for too long.

        Silence does not count if this process was paused meanwhile, too: so it is after a pause of
        the virtual machine, or SIGSTOP to all processes.
        """
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        is_silent = await worker.ask(self._pace.hung_after_s) is None
        return is_silent and loop.time() - asked_at < self._pace.hung_after_s + PAUSED_S
