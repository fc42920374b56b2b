"""All workers as one: the shape of a worker's snapshot, and the rules that merge them.

- What was counted is added.
- The disk tier is shared: its figures are those of the worker that reported last.
- Memory belongs to each worker: its figures are added.
- An upstream is in the worst state that any worker sees; its time to first byte is the mean,
  weighted by requests.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NotRequired, TypedDict

from gateway.background import TaskRow, merge_tasks
from gateway.ops.snapshot import StatisticsSnapshot, merge
from gateway.ops.statistics import Statistics

STATES: Final = ("healthy", "backing-off", "ejected")
"""States of an upstream, the worst one last; a word that is not here is worse than all."""

OWN_FIGURES: Final = frozenset(
    (
        "memory_blocks",
        "memory_bytes",
        "memory_limit",
        "pending_bytes",
        "purged",
        "purged_bytes",
        "quarantined",
        "shared_dropped",
        "shared_errors",
        "shared_pending_bytes",
        "shared_written",
        "write_errors",
    )
)
"""Figures of the cache that each worker has for itself; the others are of the shared directory."""


class Status(StrEnum):
    """How a part is; gets worse from the first to the last."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class HealthCondition(TypedDict):
    """How a part is, and why; JSON."""

    status: str
    """A word of `Status`."""
    reason: str


NO_PROCESS: Final = 0
"""The `pid` of a snapshot that holds what workers counted which have ended."""


class ProcessFigures(TypedDict):
    """What the system says of one process."""

    rss_bytes: int
    cpu_s: float
    open_fds: int


class UpstreamRow(TypedDict):
    """One upstream as one worker, or all of them together, see it."""

    name: str
    tier: str
    state: str
    reason: str
    problem: NotRequired[str]
    """What it did, as it was told, when it is not healthy."""
    ttfb_ms: float | None
    in_flight: int
    requests: int
    failures: dict[str, int]
    """By kind."""
    share: float
    """Part of all requests to upstreams, 0 to 1."""
    bytes: int
    """Received from it."""
    budget_left: NotRequired[int | None]
    """Requests that it still allows us; None when nothing limits them."""


class WorkerSnapshot(TypedDict):
    """All that one worker tells of itself; JSON."""

    pid: int
    started: float
    """Seconds since the Unix epoch."""
    taken: float
    """When the snapshot was taken, likewise."""
    statistics: StatisticsSnapshot
    cache: Mapping[str, object]
    """`TieredStore.stats()`."""
    cache_health: HealthCondition
    """`TieredStore.health()`."""
    upstreams: Sequence[UpstreamRow]
    process: ProcessFigures
    cluster: NotRequired[HealthCondition]
    """What the cluster's API says, if there is one."""
    tasks: NotRequired[Sequence[TaskRow]]
    """How its work behind requests goes on."""
    denylist: NotRequired[Mapping[str, object]]
    """`Denylist.state()`, if there is one."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker in an overview."""

    pid: int
    started: float
    process: ProcessFigures


@dataclass(frozen=True, slots=True)
class Overview:
    """All workers as one."""

    workers: tuple[Worker, ...]
    """The oldest first."""
    statistics: StatisticsSnapshot
    cache: Mapping[str, object]
    cache_health: HealthCondition
    upstreams: tuple[UpstreamRow, ...]
    cluster: HealthCondition | None = None
    """What the cluster's API says, as the worker sees it that sees it worst."""
    tasks: tuple[TaskRow, ...] = ()
    """Work behind requests, of all processes together."""
    denylists: tuple[Mapping[str, object], ...] = ()
    """What each worker says of its denylist; empty without one."""


def merge_workers(
    snapshots: Sequence[WorkerSnapshot], parent_tasks: Sequence[TaskRow] = ()
) -> Overview:
    """Merge what all workers tell, those that have ended included; there may be none.

    Args:
        snapshots: of the workers.
        parent_tasks: how the work of their parent goes on.
    """
    oldest_first = sorted(snapshots, key=lambda snapshot: (snapshot["started"], snapshot["pid"]))
    alive = [snapshot for snapshot in oldest_first if snapshot["pid"] != NO_PROCESS]
    latest_last = sorted(snapshots, key=lambda snapshot: snapshot["taken"])
    clusters = [told for snapshot in alive if (told := snapshot.get("cluster")) is not None]
    statistics = [snapshot["statistics"] for snapshot in oldest_first]
    return Overview(
        tuple(_worker(snapshot) for snapshot in alive),
        merge(statistics or [Statistics().snapshot()]),
        merge_cache([snapshot["cache"] for snapshot in latest_last]),
        _worst_condition([snapshot["cache_health"] for snapshot in alive]),
        merge_upstreams([snapshot["upstreams"] for snapshot in oldest_first]),
        _worst_condition(clusters) if clusters else None,
        tuple(merge_tasks([parent_tasks, *(s.get("tasks", ()) for s in oldest_first)])),
        tuple(snapshot["denylist"] for snapshot in alive if "denylist" in snapshot),
    )


def _worker(snapshot: WorkerSnapshot) -> Worker:
    return Worker(snapshot["pid"], snapshot["started"], snapshot["process"])


def _worst_condition(conditions: Sequence[HealthCondition]) -> HealthCondition:
    if not conditions:
        return {"status": Status.UNHEALTHY.value, "reason": "no worker reports"}
    return max(conditions, key=lambda condition: _rank(tuple(Status), condition["status"]))


def _rank(words: Sequence[str], word: str) -> int:
    """Return where a word stands in a list that gets worse; unknown words are the worst."""
    return words.index(word) if word in words else len(words)


def merge_cache(tables: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Merge what the caches say, the figures taken last standing last."""
    merged: dict[str, object] = {}
    for table in tables:
        for name, value in table.items():
            known = merged.get(name)
            if (
                name in OWN_FIGURES
                and isinstance(known, int | float)
                and isinstance(value, int | float)
            ):
                merged[name] = known + value
            else:
                merged[name] = value
    return merged


def merge_upstreams(tables: Sequence[Sequence[UpstreamRow]]) -> tuple[UpstreamRow, ...]:
    """Merge the rows of all workers, in the order of the configuration."""
    by_name: dict[str, list[UpstreamRow]] = {}
    for rows in tables:
        for row in rows:
            by_name.setdefault(row["name"], []).append(row)
    merged = [_merge_rows(rows) for rows in by_name.values()]
    total = sum(row["requests"] for row in merged)
    for row in merged:
        row["share"] = round(row["requests"] / total, 4) if total else 0.0
    return tuple(merged)


def _merge_rows(rows: Sequence[UpstreamRow]) -> UpstreamRow:
    worst = max(rows, key=lambda row: _rank(STATES, row["state"]))
    merged = rows[0].copy()
    merged["state"] = worst["state"]
    merged["reason"] = worst["reason"]
    merged["problem"] = worst.get("problem", "")
    merged["ttfb_ms"] = _mean_ttfb_ms(rows)
    merged["in_flight"] = sum(row["in_flight"] for row in rows)
    merged["requests"] = sum(row["requests"] for row in rows)
    merged["bytes"] = sum(row["bytes"] for row in rows)
    left = [row.get("budget_left") for row in rows]
    merged["budget_left"] = None if None in left else sum(each or 0 for each in left)
    kinds = dict.fromkeys(kind for row in rows for kind in row["failures"])
    merged["failures"] = {kind: sum(row["failures"].get(kind, 0) for row in rows) for kind in kinds}
    return merged


def _mean_ttfb_ms(rows: Iterable[UpstreamRow]) -> float | None:
    measured = [
        (row["ttfb_ms"], max(1, row["requests"])) for row in rows if row["ttfb_ms"] is not None
    ]
    if not measured:
        return None
    weighted = sum(ttfb_ms * weight for ttfb_ms, weight in measured)
    return round(weighted / sum(weight for _, weight in measured), 3)
