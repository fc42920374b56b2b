"""Is it well? Verdicts for operators, from an `Overview`. Pure.

`healthy`: nothing to do. `degraded`: clients are served, but somebody should look. `unhealthy`:
some requests cannot be answered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.ops.overview import Overview, Status, UpstreamRow

CLUSTER_TIER: Final = "cluster"


_WORST_FIRST: Final = (Status.UNHEALTHY, Status.DEGRADED)


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    """One of the words, and why."""

    status: Status
    reason: str


def judge_ipfs(overview: Overview) -> HealthVerdict:
    """Judge the upstreams: can what is not cached be had?"""
    if not overview.upstreams:
        return HealthVerdict(Status.UNHEALTHY, "no upstream is configured")
    return _judge_rows(overview.upstreams)


def judge_cluster(overview: Overview) -> HealthVerdict:
    """Judge the upstreams of the operator's own cluster."""
    rows = [row for row in overview.upstreams if row["tier"] == CLUSTER_TIER]
    told = overview.cluster
    if not rows and told is None:
        return HealthVerdict(Status.HEALTHY, "no cluster configured")
    verdicts = [_judge_rows(rows)] if rows else []
    if told is not None:
        verdicts.append(HealthVerdict(Status(told["status"]), told["reason"]))
    return HealthVerdict(
        max((verdict.status for verdict in verdicts), key=tuple(Status).index),
        "; ".join(verdict.reason for verdict in verdicts),
    )


def _judge_rows(rows: Sequence[UpstreamRow]) -> HealthVerdict:
    ill = [row for row in rows if row["state"] != "healthy"]
    if not ill:
        return HealthVerdict(Status.HEALTHY, f"{len(rows)} of {len(rows)} upstreams healthy")
    told = ", ".join(f"{row['name']} {row['state']} ({row['reason']})" for row in ill)
    status = Status.UNHEALTHY if len(ill) == len(rows) else Status.DEGRADED
    return HealthVerdict(status, f"{len(ill)} of {len(rows)} upstreams not healthy: {told}")


def judge_cache(overview: Overview) -> HealthVerdict:
    """Judge the cache, which says of itself how it is."""
    told = overview.cache_health
    return HealthVerdict(Status(told["status"]), told["reason"] or "nothing to report")


def judge_denylist(overview: Overview) -> HealthVerdict:
    """Judge the denylists: are the rules in force those of the files?"""
    problems = {str(state["problem"]) for state in overview.denylists} - {""}
    if problems:
        return HealthVerdict(Status.DEGRADED, "; ".join(sorted(problems)))
    return HealthVerdict(Status.HEALTHY, "nothing to report")


def judge_background(overview: Overview) -> HealthVerdict:
    """Judge the work behind requests: does all of it go on?"""
    ill = [f"{row['task']} ({row['problem']})" for row in overview.tasks if row["problem"]]
    if ill:
        return HealthVerdict(Status.DEGRADED, f"does not go on as it should: {', '.join(ill)}")
    return HealthVerdict(
        Status.HEALTHY, f"{len(overview.tasks)} of {len(overview.tasks)} tasks go on"
    )


PARTS: Final[Mapping[str, Callable[[Overview], HealthVerdict]]] = {
    "ipfs": judge_ipfs,
    "cache": judge_cache,
    "cluster": judge_cluster,
    "background": judge_background,
}
"""What is judged by itself, by the name in the address."""


def judge(overview: Overview) -> HealthVerdict:
    """Judge the whole: it is as well as its worst part."""
    verdicts = {name: part(overview) for name, part in PARTS.items()}
    verdicts["denylist"] = judge_denylist(overview)
    for status in _WORST_FIRST:
        reasons = [f"{name}: {it.reason}" for name, it in verdicts.items() if it.status is status]
        if reasons:
            return HealthVerdict(status, "; ".join(reasons))
    return HealthVerdict(Status.HEALTHY, "all parts healthy")
