"""Both listeners come up, content first, and go down in order."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import BadSetting, BadSettings, CannotStart
from gateway.ops.descriptors import OPERATORS_ROOM
from gateway.processes.listeners import open_listener
from gateway.processes.process import serve, serve_alone, serve_with_workers
from gateway.processes.serving import GRACE_S
from gateway.processes.stopping import Stop
from gateway.settings import AdminSettings, ServerSettings, Settings
from tests.fakes import service

pytestmark = pytest.mark.timeout(60)  # starting a process takes seconds on a busy machine

ROOT = Path(__file__).parents[3]
SETTINGS = Settings(
    server=ServerSettings(listen="127.0.0.1:0"), admin=AdminSettings(listen="127.0.0.1:0")
)


class Running:
    """A gateway that runs as a task of this process, its workers as processes."""

    def __init__(self, workers: int) -> None:
        self.stop = Stop()
        self.said: asyncio.Queue[str] = asyncio.Queue()
        server = replace(SETTINGS.server, workers=workers)
        main = serve_alone if workers == 1 else serve_with_workers
        self.task = asyncio.create_task(
            main(
                self.stop,
                settings=replace(SETTINGS, server=server),
                say=self.said.put_nowait,
                factory=service.FACTORY,
            )
        )

    async def wait_listening(self) -> None:
        self.content, self.admin = [
            (await self.said.get()).removeprefix("listening on http://127.0.0.1:") for _ in range(2)
        ]

    async def fetch(self, port: str, path: str = "/") -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(
            f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
        )
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body

    async def read_cache(self) -> dict[str, Any]:
        figures: dict[str, Any] = json.loads((await self.fetch(self.admin, "/api/v1/cache"))[1])
        return figures


@pytest.fixture(name="running")
async def running_fixture(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # where workers find the fakes
    running = Running(request.param)
    await running.wait_listening()
    yield running
    running.stop.requested.set()
    await running.task


both = pytest.mark.parametrize("running", [1, 2], indirect=True, ids=["alone", "workers"])
workers = pytest.mark.parametrize("running", [2], indirect=True, ids=["workers"])


@both
async def test_content_and_operators_are_served(running: Running) -> None:
    status, body = await running.fetch(running.content)

    assert (status, body.isdigit()) == (200, True)
    assert (await running.fetch(running.admin, "/healthz"))[0] == 200
    assert (await running.fetch(running.admin, "/readyz"))[0] == 200


@both
@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 9_000_000, 431, id="endless"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHo", 408, id="half"),
    ],
)
async def test_operators_heads_have_the_limits_of_clients(
    running: Running, monkeypatch: pytest.MonkeyPatch, head: bytes, status: int
) -> None:
    """54 MB of head were taken before the token, and half heads for ever (issue 12, 23)."""
    monkeypatch.setattr("gateway.web.connection.request_reader.HEAD_TIMEOUT_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(running.admin))
    writer.write(head)
    with contextlib.suppress(ConnectionError):  # more was on its way than it reads
        assert (await reader.read()).startswith(b"HTTP/1.1 %d " % status)
    writer.close()


@pytest.mark.parametrize("running", [1], indirect=True, ids=["alone"])
async def test_one_operator_does_not_take_all_connections(running: Running) -> None:
    opened = [
        await asyncio.open_connection("127.0.0.1", int(running.admin))
        for _ in range(OPERATORS_ROOM)
    ]
    last = (await opened[-1][0].read()).split(b"\r\n")[0]
    for _, writer in opened:
        writer.close()
    assert last == b"HTTP/1.1 429 Too Many Requests"


@both
async def test_requests_of_all_workers_are_counted(running: Running) -> None:
    for _ in range(3):
        await running.fetch(running.content)

    assert (await running.read_cache())["misses"] == 3


@workers
async def test_all_workers_count_clients_in_one_table(running: Running) -> None:
    counts: list[int] = []
    workers: set[bytes] = set()
    async with asyncio.timeout(60):
        while len(workers) < 2:
            worker, count = (await running.fetch(running.content, "/count"))[1].split()
            workers.add(worker)
            counts.append(int(count))

    assert counts == list(range(1, len(counts) + 1))


@both
async def test_a_request_in_flight_is_finished(running: Running) -> None:
    slow = asyncio.create_task(running.fetch(running.content, "/slow"))
    while (await running.read_cache())["misses"] == 0:
        pass

    running.stop.requested.set()

    assert (await slow)[0] == 200
    await running.task


@both
async def test_nothing_listens_after_the_end(running: Running) -> None:
    running.stop.requested.set()
    await running.task

    for port in (running.content, running.admin):
        with pytest.raises(ConnectionRefusedError, match=r"refused|111"):
            await asyncio.open_connection("127.0.0.1", int(port))


@workers
async def test_a_killed_worker_loses_no_count_and_is_replaced(running: Running) -> None:
    _, first = await running.fetch(running.content)
    before = (await running.read_cache())["misses"]

    os.kill(int(first), signal.SIGKILL)
    while (await running.read_cache())["workers"] == 2:
        pass
    while (await running.read_cache())["workers"] == 1:
        await running.fetch(running.content)

    assert (await running.read_cache())["misses"] > before
    assert (await running.fetch(running.admin, "/readyz"))[0] == 200


async def die(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill all workers at a moment when no other one can be started."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    pids = set[bytes]()
    while len(pids) < 2:
        pids.add((await running.fetch(running.content))[1])
    for pid in pids:
        os.kill(int(pid), signal.SIGKILL)
    while (await running.fetch(running.admin, "/readyz"))[0] == 200:
        pass


@workers
async def test_workers_that_cannot_be_started_for_a_while_come_back(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12, 26: there were no workers ever again, and the parent lived on."""
    executable = sys.executable
    await die(running, monkeypatch)
    status, told = 0, {"reason": ""}
    while "No such file" not in told["reason"]:
        status, body = await running.fetch(running.admin, "/health/background")
        told = json.loads(body)
    whole, _ = await running.fetch(running.admin, "/health")

    monkeypatch.setattr(sys, "executable", executable)
    while (await running.fetch(running.admin, "/readyz"))[0] != 200:
        pass

    assert (status, told["status"], whole) == (200, "degraded", 503)
    assert (await running.fetch(running.content))[0] == 200


async def test_an_end_without_workers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    running = Running(2)
    await running.wait_listening()
    await die(running, monkeypatch)
    while "No such file" not in str(await running.fetch(running.admin, "/health/background")):
        pass

    running.stop.requested.set()

    with pytest.raises(CannotStart, match=r"could not be started again: .*No such file"):
        await running.task


@workers
async def test_workers_end_with_their_parent(running: Running) -> None:
    _, pid = await running.fetch(running.content)

    running.stop.requested.set()
    await running.task

    with pytest.raises(ProcessLookupError, match="No such process"):
        os.kill(int(pid), 0)


@pytest.mark.parametrize("listener", ["server", "admin"])
def test_a_taken_address_is_told(listener: str) -> None:
    with closing(open_listener("127.0.0.1:0")) as taken:
        address = str(taken).removeprefix("http://")
        section = replace(getattr(SETTINGS, listener), listen=address)

        with pytest.raises(CannotStart, match=f"cannot listen on {address}"):
            serve(replace(SETTINGS, **{listener: section}), print, service.FACTORY)


@pytest.mark.parametrize(
    ("count", "factory", "error"),
    [
        (1, service.MISCONFIGURED, BadSetting),
        (2, service.MISCONFIGURED, BadSettings),
        (1, service.UNABLE, CannotStart),
        (2, service.UNABLE, CannotStart),
    ],
)
def test_a_service_that_cannot_be_built_is_told(
    count: int, factory: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    settings = replace(SETTINGS, server=replace(SETTINGS.server, workers=count))

    with pytest.raises(error, match=r"is not a database|the disk is not there"):
        serve(settings, print, factory)


async def test_a_signal_while_workers_start_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stop = Stop()
    stop.ask()
    settings = replace(SETTINGS, server=replace(SETTINGS.server, workers=2))

    await serve_with_workers(stop, settings=settings, say=print, factory=service.UNABLE)


def test_the_second_signal_cuts_what_is_in_flight() -> None:
    said: list[str] = []
    held: list[asyncio.Task[None]] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            held.append(asyncio.create_task(hold_on(said[0].rpartition(":")[2])))

    async def hold_on(port: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            writer.transport.abort()

    started = time.monotonic()
    serve(SETTINGS, say, service.FACTORY)

    assert held[0].cancelled()
    assert time.monotonic() - started < GRACE_S
