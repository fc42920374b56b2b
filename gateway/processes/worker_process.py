"""The parent's handle of one worker: start, queries, end."""

import asyncio
import itertools
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, cast

from gateway.client_table import ClientTable
from gateway.errors import BadSetting, BadSettings, CannotStart
from gateway.ops.fleet import NO_ANSWER, Answer, Order
from gateway.ops.overview import WorkerSnapshot
from gateway.processes.channel import Channel
from gateway.processes.listeners import Listener
from gateway.settings import Settings, format_settings


@dataclass(frozen=True, slots=True)
class Inherited:
    """Resources that all workers of one parent inherit."""

    listener: Listener
    clients: ClientTable
    hash_seed: str = field(default_factory=lambda: str(secrets.randbelow(1 << 32)))
    """Makes all workers hash alike, which `clients` requires."""


class WorkerProcess:
    """One running worker."""

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self._process = process
        self._channel = channel
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any] | None]] = {}
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read())
        self.last: WorkerSnapshot | None = None
        """Its last snapshot; all that is left of a worker that has died."""

    @classmethod
    async def spawn(cls, settings: Settings, inherited: Inherited, factory: str) -> "WorkerProcess":
        """Start a worker process; `wait_started` reports how that went.

        Raises:
            OSError: it cannot be started; no process and no descriptor is left behind.
        """
        ours, its = socket.socketpair()
        with ExitStack() as undo:
            undo.callback(ours.close)
            with its:
                fds = (inherited.listener.socket.fileno(), its.fileno(), inherited.clients.fd)
                # -P: do not import a folder called "gateway" in the working directory instead.
                process = await asyncio.create_subprocess_exec(
                    *(
                        sys.executable,
                        "-P",
                        "-m",
                        "gateway.processes.worker",
                        factory,
                        *map(str, fds),
                    ),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=fds,
                    env={**os.environ, "PYTHONHASHSEED": inherited.hash_seed},
                )
            undo.callback(process.kill)
            channel = await Channel.open(ours)
            await channel.send({"settings": format_settings(settings)})
            undo.pop_all()
        return cls(process, channel)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def wait_started(self) -> None:
        """Wait until it accepts connections.

        Raises:
            BadSettings: the configuration has a mistake that only building the service reveals.
            CannotStart: the worker could not start, or ended before it had.
        """
        await asyncio.shield(self._started)

    async def ask(self, timeout_s: float) -> WorkerSnapshot | None:
        """Return a snapshot; None if the worker does not answer in time."""
        answer = await self._ask({}, timeout_s)
        return None if answer is None else answer["snapshot"]

    async def order(self, order: Order, timeout_s: float) -> Answer:
        """Have the worker carry out an order; returns `NO_ANSWER` after the timeout."""
        answer = await self._ask({"order": order}, timeout_s)
        return NO_ANSWER if answer is None else answer["result"]

    async def _ask(self, question: Mapping[str, Any], timeout_s: float) -> dict[str, Any] | None:
        if self._reading.done():
            return None
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._channel.send({"ask": number, **question})
                result: dict[str, Any] | None = await answer
                return result
        except TimeoutError:
            return None
        finally:
            del self._waiting[number]

    async def wait_ended(self) -> int:
        """Wait for its end and return the exit code, negative for a signal."""
        code = await self._process.wait()
        await asyncio.wait((self._reading,))
        self._channel.close()
        return code

    def terminate(self) -> None:
        """Send SIGTERM: finish the requests in flight and end."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _read(self) -> None:
        while (message := await self._channel.receive()) is not None:
            self._take(message)
        self._finish_start(CannotStart("a worker ended before it had started"))
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(None)

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"answer": int(number)}:
                if "snapshot" in message:
                    self.last = cast("WorkerSnapshot", message["snapshot"])
                waiting = self._waiting.get(number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            case {"problems": list(problems)}:
                self._finish_start(BadSettings([BadSetting(key, why) for key, why in problems]))
            case {"failure": str(reason)}:
                self._finish_start(CannotStart(reason))
            case _:
                self._finish_start(None)

    def _finish_start(self, failure: Exception | None) -> None:
        if self._started.done():
            return
        if failure is None:
            self._started.set_result(None)
        else:
            self._started.set_exception(failure)
            self._started.exception()  # marks it as retrieved, in case nothing awaits it
