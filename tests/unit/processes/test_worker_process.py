"""Real processes: they serve the socket that they inherit, and their end is seen."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.client_table import ClientTable
from gateway.errors import BadSettings, CannotStart
from gateway.ops.fleet import NO_ANSWER
from gateway.processes.listeners import Listener, open_listener
from gateway.processes.worker_process import Inherited, WorkerProcess
from gateway.settings import Settings
from tests.fakes import service

pytestmark = pytest.mark.timeout(60)  # starting a process takes seconds on a busy machine

Spawn = Callable[[str], Awaitable[WorkerProcess]]
ROOT = Path(__file__).parents[3]


@pytest.fixture(name="listener")
def listener_fixture() -> Listener:
    return open_listener("127.0.0.1:0")


@pytest.fixture(name="spawn")
async def spawn_fixture(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Spawn]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # where the fakes are
    workers: list[WorkerProcess] = []

    inherited = Inherited(listener, ClientTable.shared())

    async def spawn(factory: str) -> WorkerProcess:
        workers.append(await WorkerProcess.spawn(Settings(), inherited, factory))
        return workers[-1]

    with closing(listener):
        yield spawn
        for worker in workers:
            worker.kill()
            await worker.wait_ended()


async def fetch(listener: Listener, path: str = "/") -> bytes:
    reader, writer = await asyncio.open_connection(*listener.socket.getsockname()[:2])
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_worker_serves_counts_and_ends(spawn: Spawn, listener: Listener) -> None:
    worker = await spawn(service.FACTORY)
    await worker.wait_started()

    answer = await fetch(listener)
    snapshot = await worker.ask(5.0)
    told = await worker.order({"do": "purge"}, 5.0)
    worker.terminate()

    assert answer.endswith(str(worker.pid).encode())
    assert snapshot is not None
    assert snapshot == worker.last
    assert snapshot["statistics"]["blocks"]["missed"] == 1
    assert told == {"did": "purge", "pid": worker.pid}
    assert await worker.wait_ended() == 0
    assert await worker.ask(5.0) is None
    assert await worker.order({"do": "purge"}, 5.0) == NO_ANSWER


async def test_a_killed_worker_has_its_signal_for_a_code(spawn: Spawn) -> None:
    worker = await spawn(service.FACTORY)
    await worker.wait_started()

    os.kill(worker.pid, signal.SIGKILL)

    assert await worker.wait_ended() == -signal.SIGKILL
    worker.kill()


async def test_a_stopped_worker_does_not_answer(spawn: Spawn) -> None:
    worker = await spawn(service.FACTORY)
    await worker.wait_started()
    os.kill(worker.pid, signal.SIGSTOP)

    assert await worker.ask(0.05) is None

    waiting = asyncio.create_task(worker.ask(20.0))
    await asyncio.sleep(0)
    worker.kill()
    assert await waiting is None


@pytest.mark.parametrize(
    ("factory", "error", "reason"),
    [
        (service.MISCONFIGURED, BadSettings, r"geoip\.database: is not a database"),
        (service.UNABLE, CannotStart, "the disk is not there"),
        (service.BROKEN, CannotStart, "a worker ended before it had started"),
    ],
    ids=["configuration", "machine", "crash"],
)
async def test_a_failed_start_is_told(
    spawn: Spawn, factory: str, error: type[Exception], reason: str
) -> None:
    worker = await spawn(factory)

    with pytest.raises(error, match=reason):
        await worker.wait_started()

    await worker.wait_ended()


async def test_a_worker_that_cannot_be_started_leaves_nothing_open(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12, 26: it is tried again and again, and must not use up the descriptors."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    seen = []
    for _ in range(3):
        with pytest.raises(FileNotFoundError, match="No such file"):
            await spawn(service.FACTORY)
        seen.append(sorted(os.listdir("/proc/self/fd")))  # noqa: PTH208 (names are all)

    assert seen[2] == seen[0]
