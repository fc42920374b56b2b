"""The parent of workers: keeps their number, asks them, remembers what dead ones counted."""

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
ASK_TIMEOUT_S: Final = 2.0  # a page of metrics does not wait longer for a busy worker
HUNG_AFTER_S: Final = 5.0  # uvicorn's timeout_worker_healthcheck
HEARTBEAT_S: Final = 1.0
PAUSED_S: Final = 1.0  # who looks so much too late has not been running either
KILL_AFTER_S: Final = GRACE_S + 5.0  # a worker cuts what is left after GRACE_S itself

_log = logging.getLogger("gateway.supervisor")


class Worker(Protocol):
    """One running worker. Production: `gateway.processes.worker_process.WorkerProcess`."""

    last: WorkerSnapshot | None
    """What it said last; all that is known of a worker that has died."""

    @property
    def pid(self) -> int:
        """The process id."""
        ...

    async def wait_started(self) -> None:
        """Wait until it accepts connections; raises BadSettings or CannotStart."""
        ...

    async def ask(self, timeout_s: float) -> WorkerSnapshot | None:
        """Ask for a snapshot; None if there is none in time."""
        ...

    async def order(self, order: Order, timeout_s: float) -> Answer:
        """Have it carry out an order; `NO_ANSWER` if it does not say so in time."""
        ...

    async def wait_ended(self) -> int:
        """Wait for its end; returns the exit code, negative for a signal."""
        ...

    def terminate(self) -> None:
        """Ask it to finish what is in flight and end."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...


Spawn = Callable[[], Awaitable[Worker]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often workers are looked at; tests look more often."""

    heartbeat_s: float = HEARTBEAT_S
    hung_after_s: float = HUNG_AFTER_S
    stable_after_s: float = STABLE_AFTER_S
    kill_after_s: float = KILL_AFTER_S


@dataclass(slots=True)
class _Place:
    """One place among the workers, which is to be filled again and again."""

    task: str
    """What operators call the work to keep it filled."""
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
            count: how many workers there shall be.
            background: where the work to keep them alive goes on.
            pace: how often they are looked at.
        """
        self._spawn = spawn
        self._count = count
        self._pace = pace or Pace()
        self._background = background
        self._failures: dict[str, str] = {}
        """Why places are empty now, by their tasks."""
        self._alive: set[Worker] = set()
        self._serving: set[Worker] = set()
        self._departed: WorkerSnapshot | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._is_stopping = False

    @property
    def is_serving(self) -> bool:
        """Whether at least one worker takes requests."""
        return bool(self._serving)

    @property
    def failure(self) -> str:
        """Why a worker is missing that could not be started; empty if none is."""
        return next(iter(self._failures.values()), "")

    def tasks(self) -> Sequence[TaskRow]:
        """Return how the work to keep the workers alive goes on."""
        return self._background.rows()

    async def start(self) -> None:
        """Start all workers; returns once all accept.

        Raises:
            BadSettings, CannotStart: what the first one that failed says; all are ended then.
        """
        workers = [await self._spawn_one() for _ in range(self._count)]
        places = [_Place(f"worker-{number}", worker) for number, worker in enumerate(workers)]
        self._keepers = [
            self._background.keep(place.task, partial(self._keep, place)) for place in places
        ]
        await asyncio.gather(*(worker.wait_started() for worker in workers))
        self._serving |= self._alive

    async def snapshots(self) -> Sequence[WorkerSnapshot]:
        """Ask all workers; who does not answer in time is represented by its last answer."""
        asked = list(self._serving)
        answers = await asyncio.gather(*(worker.ask(ASK_TIMEOUT_S) for worker in asked))
        told = [answer or worker.last for answer, worker in zip(answers, asked, strict=True)]
        return [snapshot for snapshot in (*told, self._departed) if snapshot is not None]

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
        """Ask all workers to finish, and wait for them; who takes too long is killed."""
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
        """End all workers now."""
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
        """Stay with one place among the workers: when its worker dies, start another one.

        Raises:
            OSError: none can be started now; this is called again after a while.
        """
        loop = asyncio.get_running_loop()
        while True:
            worker = await self._fill(place)
            born = loop.time()
            code = await self._live(place, worker)
            if self._is_stopping:
                await asyncio.Event().wait()  # for who stops it: the place stays empty
            is_stable = loop.time() - born > self._pace.stable_after_s
            place.deaths = 1 if is_stable else place.deaths + 1
            delay_s = restart_delay_s(place.deaths)
            _log.error("worker %d ended with %d; restart in %.1f s", worker.pid, code, delay_s)
            self._background.tell(place.task, f"its worker ended with {code}")
            await asyncio.sleep(delay_s)

    async def _fill(self, place: _Place) -> Worker:
        """Return the worker of a place, a new one if it has none."""
        if place.worker is None:
            try:
                place.worker = await self._spawn_one()
            except Exception as exc:
                self._failures[place.task] = str(exc)
                raise
            self._failures.pop(place.task, None)
        return place.worker

    async def _live(self, place: _Place, worker: Worker) -> int:
        """Watch one worker to its end, then take over what it had counted."""
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
        """Look after a worker; one that nobody can look after any more is killed."""
        try:
            await self._look_after(place, worker)
        except Exception:  # noqa: BLE001 (an unwatched worker may hang for ever)
            _log.exception("worker %d cannot be watched", worker.pid)
            worker.kill()

    async def _look_after(self, place: _Place, worker: Worker) -> None:
        """Ask again and again; kill a worker that says nothing for too long."""
        try:
            await worker.wait_started()
        except (BadSettings, CannotStart) as exc:
            _log.error("worker %d cannot start: %s", worker.pid, exc)
            return
        self._serving.add(worker)
        self._background.tell(place.task, "")
        while not self._is_stopping:
            if await self._has_hung(worker) and not self._is_stopping:
                _log.error("worker %d has hung", worker.pid)
                worker.kill()
                return
            await asyncio.sleep(self._pace.heartbeat_s)

    async def _has_hung(self, worker: Worker) -> bool:
        """Ask; silence counts unless this process was stopped meanwhile, perhaps with the worker.

        So it is with a virtual machine that is paused, and with SIGSTOP to all of them.
        """
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        is_silent = await worker.ask(self._pace.hung_after_s) is None
        return is_silent and loop.time() - asked_at < self._pace.hung_after_s + PAUSED_S
