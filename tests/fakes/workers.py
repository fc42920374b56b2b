"""Snapshots of workers, and a fleet that gives them."""

from collections.abc import Sequence

from gateway.background import TaskRow
from gateway.ops.fleet import Answer, Fleet, Order
from gateway.ops.overview import UpstreamRow, WorkerSnapshot
from gateway.ops.statistics import Statistics


def upstream_row(name: str = "a", **changes: object) -> UpstreamRow:
    """Return the row of a healthy upstream that was never asked."""
    row: UpstreamRow = {
        "name": name,
        "tier": "cluster",
        "state": "healthy",
        "reason": "",
        "ttfb_ms": None,
        "in_flight": 0,
        "requests": 0,
        "failures": {},
        "share": 0.0,
        "bytes": 0,
    }
    row.update(changes)  # type: ignore[typeddict-item]  # the test names the fields
    return row


def worker_snapshot(
    statistics: Statistics | None = None,
    upstreams: Sequence[UpstreamRow] = (),
    **changes: object,
) -> WorkerSnapshot:
    """Return what a worker with an empty cache tells."""
    snapshot: WorkerSnapshot = {
        "pid": 1,
        "started": 1_700_000_000.0,
        "taken": 1_700_000_100.0,
        "statistics": (statistics or Statistics()).snapshot(),
        "cache": {
            "blocks": 0,
            "disk_bytes": 0,
            "disk_limit": 1000,
            "memory_blocks": 0,
            "memory_bytes": 0,
            "memory_limit": 100,
            "pending_bytes": 0,
            "quarantined": 0,
            "write_errors": 0,
        },
        "cache_health": {"status": "healthy", "reason": ""},
        "upstreams": list(upstreams),
        "process": {"rss_bytes": 50_000_000, "cpu_s": 1.5, "open_fds": 20},
    }
    snapshot.update(changes)  # type: ignore[typeddict-item]  # the test names the fields
    return snapshot


class FakeFleet:
    """Workers that tell what they were given."""

    def __init__(self, *workers: WorkerSnapshot) -> None:
        self.workers = list(workers)
        self.orders: list[Order] = []
        self.answers: dict[str, Answer] = {"pins": {"pins": []}}
        """By `do`; what has none is answered with nothing."""
        self.parent_tasks: list[TaskRow] = []
        self.rest: list[Answer] = []

    async def snapshots(self) -> list[WorkerSnapshot]:
        return list(self.workers)

    def tasks(self) -> list[TaskRow]:
        return self.parent_tasks

    async def order(self, order: Order) -> Answer:
        self.orders.append(order)
        return self.answers.get(order["do"], {})

    async def order_rest(self, order: Order) -> list[Answer]:
        self.orders.append(order)
        return self.rest


_: Fleet = FakeFleet()  # mypy proves that the fake still fits
