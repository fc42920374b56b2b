"""Where the figures come from: all workers of this gateway."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.background import TaskRow
from gateway.ops.overview import Overview, WorkerSnapshot, merge_workers

Order = Mapping[str, Any]
Answer = Mapping[str, Any]
"""JSON; with `error` when the order was not carried out (`gateway.upkeep.orders`)."""

NO_ANSWER: Final[Answer] = {"error": "the worker does not answer"}


class Fleet(Protocol):
    """All workers.

    Production: `gateway.processes.process._Alone` or `gateway.processes.supervisor.Supervisor`.
    """

    async def snapshots(self) -> Sequence[WorkerSnapshot]:
        """Return what each worker tells, in time; workers that do not answer are left out."""
        ...

    def tasks(self) -> Sequence[TaskRow]:
        """Return how the work of the workers' parent goes on; none without a parent."""
        ...

    async def order(self, order: Order) -> Answer:
        """Have one worker, always the same while it lives, carry out an order."""
        ...

    async def order_rest(self, order: Order) -> Sequence[Answer]:
        """Have all the other workers carry out an order."""
        ...


async def look_over(fleet: Fleet) -> Overview:
    """Ask all workers and merge what they tell."""
    return merge_workers(await fleet.snapshots(), fleet.tasks())


@dataclass(frozen=True, slots=True)
class Operators:
    """What the operators' listener serves."""

    app: Any
    """The ASGI application."""
    http_protocol: type[asyncio.Protocol]
    """The connection protocol."""
