"""Where the figures come from: all workers of this gateway."""

from collections.abc import Sequence
from typing import Protocol

from gateway.ops.overview import Overview, WorkerSnapshot, merge_workers


class Fleet(Protocol):
    """All workers. Production: in `gateway.wiring`, one process or a supervisor of several."""

    async def snapshots(self) -> Sequence[WorkerSnapshot]:
        """Return what each worker tells, in time; workers that do not answer are left out."""
        ...


async def look_over(fleet: Fleet) -> Overview:
    """Ask all workers and merge what they tell."""
    return merge_workers(await fleet.snapshots())
