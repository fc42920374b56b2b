"""Health verdicts for operators, computed from an `Overview`. Pure.

`healthy`: no action is needed. `degraded`: clients are served, but an operator should look.
`unhealthy`: some requests cannot be answered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.ops.overview import Overview, Status, UpstreamRow

CLUSTER_TIER: Final = "cluster"


_WORST_FIRST: Final = (Status.UNHEALTHY, Status.DEGRADED)


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    """A status and the reason for it."""

    status: Status
    reason: str


def judge_ipfs(overview: Overview) -> HealthVerdict:
    """Judge the upstreams, from which all uncached content comes."""
    if not overview.upstreams:
        return HealthVerdict(Status.UNHEALTHY, "no upstream is configured")
    return _judge_rows(overview.upstreams)


def judge_cluster(overview: Overview) -> HealthVerdict:
    """Judge the upstreams of the operator's own cluster."""
    rows = [row for row in overview.upstreams if row["tier"] == CLUSTER_TIER]
    api = overview.cluster
    if not rows and api is None:
        return HealthVerdict(Status.HEALTHY, "no cluster configured")
    verdicts = [_judge_rows(rows)] if rows else []
    if api is not None:
        verdicts.append(HealthVerdict(Status(api["status"]), api["reason"]))
    return HealthVerdict(
        max((verdict.status for verdict in verdicts), key=tuple(Status).index),
        "; ".join(verdict.reason for verdict in verdicts),
    )


def _judge_rows(rows: Sequence[UpstreamRow]) -> HealthVerdict:
    ill = [row for row in rows if row["state"] != "healthy"]
    if not ill:
        return HealthVerdict(Status.HEALTHY, f"{len(rows)} of {len(rows)} upstreams healthy")
    reasons = ", ".join(f"{row['name']} {row['state']} ({row['reason']})" for row in ill)
    status = Status.UNHEALTHY if len(ill) == len(rows) else Status.DEGRADED
    return HealthVerdict(status, f"{len(ill)} of {len(rows)} upstreams not healthy: {reasons}")


def judge_cache(overview: Overview) -> HealthVerdict:
    """Judge the cache by the condition that its tiers report."""
    condition = overview.cache_health
    return HealthVerdict(Status(condition["status"]), condition["reason"] or "no problems")


def judge_denylist(overview: Overview) -> HealthVerdict:
    """Judge the denylists: degraded while the rules in force are not those of the files."""
    problems = {str(state["problem"]) for state in overview.denylists} - {""}
    if problems:
        return HealthVerdict(Status.DEGRADED, "; ".join(sorted(problems)))
    return HealthVerdict(Status.HEALTHY, "no problems")


def judge_background(overview: Overview) -> HealthVerdict:
    """Judge the background tasks: degraded while one of them has a problem."""
    ill = [f"{row['task']} ({row['problem']})" for row in overview.tasks if row["problem"]]
    if ill:
        return HealthVerdict(Status.DEGRADED, f"tasks with problems: {', '.join(ill)}")
    return HealthVerdict(
        Status.HEALTHY, f"{len(overview.tasks)} of {len(overview.tasks)} tasks healthy"
    )


PARTS: Final[Mapping[str, Callable[[Overview], HealthVerdict]]] = {
    "ipfs": judge_ipfs,
    "cache": judge_cache,
    "cluster": judge_cluster,
    "background": judge_background,
}
"""Judges of the parts that have their own page, by its name in `/health/{name}`."""


def judge(overview: Overview) -> HealthVerdict:
    """Judge the gateway: its status is that of its worst part."""
    verdicts = {name: part(overview) for name, part in PARTS.items()}
    verdicts["denylist"] = judge_denylist(overview)
    for status in _WORST_FIRST:
        reasons = [f"{name}: {it.reason}" for name, it in verdicts.items() if it.status is status]
        if reasons:
            return HealthVerdict(status, "; ".join(reasons))
    return HealthVerdict(Status.HEALTHY, "all parts healthy")
