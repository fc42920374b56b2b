"""Counters of dead workers, kept so that totals never go backwards."""

from collections.abc import Iterable
from typing import Final, cast

from gateway.background import merge_tasks
from gateway.ops.overview import (
    NO_PROCESS,
    UpstreamRow,
    WorkerSnapshot,
    merge_cache,
    merge_upstreams,
)
from gateway.ops.snapshot import merge

COUNTED: Final = frozenset(
    (
        "purged",
        "purged_bytes",
        "quarantined",
        "shared_dropped",
        "shared_errors",
        "shared_written",
        "write_errors",
    )
)
"""Figures of a cache that are counts; the others say what a worker held."""


def retire(snapshots: Iterable[WorkerSnapshot]) -> WorkerSnapshot:
    """Merge the last snapshots of dead workers into one with their counters, all gauges at zero.

    Args:
        snapshots: at least one; may include an earlier result of this function.
    """
    last = sorted(snapshots, key=lambda snapshot: snapshot["taken"])
    statistics = merge([snapshot["statistics"] for snapshot in last])
    statistics["requests"]["in_flight"] = 0
    cache = merge_cache([snapshot["cache"] for snapshot in last])
    return {
        "pid": NO_PROCESS,
        "started": last[0]["started"],
        "taken": 0.0,
        "statistics": statistics,
        "cache": {name: value for name, value in cache.items() if name in COUNTED},
        "cache_health": {"status": "healthy", "reason": ""},
        "upstreams": [_retire_row(row) for row in merge_upstreams([s["upstreams"] for s in last])],
        "tasks": [
            {**row, "problem": ""} for row in merge_tasks([s.get("tasks", ()) for s in last])
        ],
        "process": {"rss_bytes": 0, "cpu_s": 0.0, "open_fds": 0},
    }


def _retire_row(row: UpstreamRow) -> UpstreamRow:
    """Return a row with its counters; state and speed come from living workers only."""
    forgotten = {"state": "healthy", "reason": "", "ttfb_ms": None, "in_flight": 0}
    return cast("UpstreamRow", {**row, **forgotten})
