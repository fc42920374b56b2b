"""One worker describes itself."""

import os
import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from gateway.ops.overview import ProcessFigures, UpstreamRow, WorkerSnapshot
from gateway.ops.statistics import Statistics

_STATM: Final = Path("/proc/self/statm")  # proc(5): the second number is resident pages
_FDS: Final = (Path("/proc/self/fd"), Path("/dev/fd"))


def take_snapshot(
    statistics: Statistics,
    cache: tuple[Mapping[str, object], tuple[str, str]],
    upstreams: Sequence[Mapping[str, Any]],
    started: float,
    now: float,
    cluster: tuple[str, str] | None = None,
) -> WorkerSnapshot:
    """Return all that this worker knows of itself, as JSON.

    Args:
        statistics: what it counted.
        cache: `TieredStore.stats()`, and status and reason as `TieredStore.health()` tells them.
        upstreams: `UpstreamPool.rows()`.
        started: when the worker started, in seconds since the Unix epoch.
        now: likewise.
        cluster: status and reason as `Cluster.condition()` tells them; None without one.
    """
    figures, (status, reason) = cache
    snapshot: WorkerSnapshot = {
        "pid": os.getpid(),
        "started": started,
        "taken": now,
        "statistics": statistics.snapshot(),
        "cache": figures,
        "cache_health": {"status": str(status), "reason": reason},
        "upstreams": cast("Sequence[UpstreamRow]", upstreams),
        "process": read_process(),
    }
    if cluster is not None:
        snapshot["cluster"] = {"status": cluster[0], "reason": cluster[1]}
    return snapshot


def read_process() -> ProcessFigures:
    """Return memory, CPU time and open files of this process, now."""
    return {"rss_bytes": _rss_bytes(), "cpu_s": time.process_time(), "open_fds": _open_fds()}


def _rss_bytes() -> int:
    try:
        pages = int(_STATM.read_text("ascii").split()[1])
    except OSError:  # no procfs here: the highest so far, in KiB (in bytes on macOS)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def _open_fds() -> int:
    for folder in _FDS:
        if folder.is_dir():
            return sum(1 for _ in folder.iterdir()) - 1  # listing opens one
    return 0
