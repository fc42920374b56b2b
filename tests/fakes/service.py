"""A gateway that is nothing but answers, for tests of processes; found by its factory's name."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.client_table import ClientTable
from gateway.errors import BadSetting, CannotStart
from gateway.ops.overview import WorkerSnapshot
from gateway.ops.statistics import Statistics
from gateway.processes.service import ServiceFactory
from gateway.settings import Settings

FACTORY = "tests.fakes.service:build"
MISCONFIGURED = "tests.fakes.service:build_misconfigured"
UNABLE = "tests.fakes.service:build_unable"
BROKEN = "tests.fakes.service:build_broken"
FULL = "tests.fakes.service:build_full"
STUCK = "tests.fakes.service:build_stuck"

Send = Callable[[dict[str, Any]], Awaitable[None]]


class FakeService:
    """Answers with its process id.

    `/count` adds how often any worker was asked that. `/slow` takes half a second, `/wait` until
    `release`, `/endless` for ever, `/hang` stops the whole process. Each request
    counts as a block that was missed.
    """

    def __init__(self, clients: ClientTable | None = None) -> None:
        self._clients = clients or ClientTable.private(slots=64)
        self.http_protocol: type[asyncio.Protocol] = HttpToolsProtocol
        self.statistics = Statistics()
        self.calls: list[str] = []
        self.orders: list[Mapping[str, Any]] = []
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def app(self, scope: dict[str, Any], receive: object, send: Send) -> None:
        self.statistics.block_missed()
        path = scope["path"]
        if path == "/slow":
            await asyncio.sleep(0.5)
        if path == "/wait":
            self.entered.set()
            await self.release.wait()
        if path == "/hang":
            os.kill(os.getpid(), signal.SIGSTOP)
        if path == "/endless":
            await self._send_endless(send)
        body = str(os.getpid()).encode()
        if path == "/count":
            body += b" %d" % self._count()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _count(self) -> int:
        slot = self._clients.claim(hash("/count"), 0.0)
        self._clients.times[slot] += 1
        return int(self._clients.times[slot])

    async def _send_endless(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 10, "more_body": True})
            await asyncio.sleep(0.01)

    def snapshot(self) -> WorkerSnapshot:
        return {
            "pid": os.getpid(),
            "started": 1.0,
            "taken": 2.0,
            "statistics": self.statistics.snapshot(),
            "cache": {"memory_bytes": 7},
            "cache_health": {"status": "healthy", "reason": ""},
            "upstreams": [],
            "process": {"rss_bytes": 1, "cpu_s": 0.5, "open_fds": 3},
        }

    async def obey(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        self.orders.append(order)
        if order["do"] == "wait":
            await self.release.wait()
        if order["do"] == "break":
            raise ValueError("a bug")
        return {"did": order["do"], "pid": os.getpid()}

    async def start(self) -> None:
        self.calls.append("start")

    async def close(self) -> None:
        self.calls.append("close")


class FullService(FakeService):
    """Cannot start; the class remembers what was called."""

    calls: list[str] = []  # noqa: RUF012 (shared on purpose: nobody sees the instance)

    async def start(self) -> None:
        raise OSError(28, "no space")

    async def close(self) -> None:
        FullService.calls.append("close")


class StuckService(FakeService):
    """Never closes."""

    async def close(self) -> None:
        await asyncio.Event().wait()


async def build(_: Settings, clients: ClientTable) -> FakeService:
    return FakeService(clients)


async def build_misconfigured(_: Settings, _clients: ClientTable) -> FakeService:
    raise BadSetting("geoip.database", "is not a database")


async def build_unable(_: Settings, _clients: ClientTable) -> FakeService:
    raise CannotStart("the disk is not there")


async def build_broken(_: Settings, _clients: ClientTable) -> FakeService:
    os._exit(9)


async def build_full(_: Settings, _clients: ClientTable) -> FakeService:
    return FullService()


async def build_stuck(_: Settings, _clients: ClientTable) -> FakeService:
    return StuckService()


_: ServiceFactory = build  # mypy proves that the fake still fits
