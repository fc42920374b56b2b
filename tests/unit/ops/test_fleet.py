from gateway.ops.fleet import Fleet, look_over
from tests.fakes.workers import FakeFleet, worker_snapshot


async def test_all_workers_are_looked_over() -> None:
    fleet: Fleet = FakeFleet(worker_snapshot(pid=3), worker_snapshot(pid=4))
    assert [worker.pid for worker in (await look_over(fleet)).workers] == [3, 4]
