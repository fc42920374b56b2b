"""A worker without a process, for tests of the supervisor."""

import asyncio

from gateway.ops.fleet import Answer, Order
from gateway.ops.overview import WorkerSnapshot
from gateway.processes.supervisor import Worker
from tests.fakes.service import FakeService


class FakeWorker:
    """Starts, answers and dies when a test says so; ends at once when it is asked to."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.service = FakeService()
        self.last: WorkerSnapshot | None = None
        self.is_mute = False
        self.is_stubborn = False
        self.signals: list[str] = []
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait_started(self) -> None:
        await asyncio.shield(self.started)

    async def ask(self, timeout_s: float) -> WorkerSnapshot | None:
        if self.is_mute:
            return None
        self.last = self.service.snapshot()
        await asyncio.sleep(0)
        return self.last

    async def order(self, order: Order, timeout_s: float) -> Answer:
        return {"pid": self.pid, **order}

    async def wait_ended(self) -> int:
        return await asyncio.shield(self.code)

    def terminate(self) -> None:
        self.signals.append("terminate")
        if not self.is_stubborn:
            self.die(0)

    def kill(self) -> None:
        self.signals.append("kill")
        self.die(-9)

    def die(self, code: int) -> None:
        if not self.code.done():
            self.code.set_result(code)


class FakeSpawner:
    """Makes fake workers and hands them to the test in the order of their birth."""

    def __init__(self) -> None:
        self.born: asyncio.Queue[FakeWorker] = asyncio.Queue()
        self.count = 0
        self.failures: list[OSError] = []
        """What comes of the next tries."""

    async def __call__(self) -> Worker:
        if self.failures:
            raise self.failures.pop()
        self.count += 1
        worker = FakeWorker(1000 + self.count)
        self.born.put_nowait(worker)
        return worker
