"""What workers count, as JSON: its shape, and how several snapshots become one.

Every number in a `StatisticsSnapshot` is a sum, so merging is addition, key by key; `top_roots`
alone has its own rule.
"""

from collections.abc import Sequence
from typing import Any, TypedDict, cast

from gateway.ops.histogram import HistogramSnapshot
from gateway.ops.top_roots import merge_rows

Counts = dict[str, int]


class RequestCounts(TypedDict):
    """Requests of clients."""

    in_flight: int
    by_status: Counts
    by_cache: Counts
    """By `CacheState`."""
    by_outcome: Counts
    bytes_served: int
    by_tier: Counts
    """Requests that were answered whole from the cache, by the farthest tier that was needed."""
    bytes_by_tier: Counts
    """Body bytes of these."""
    hot_hits: int
    """Answers sent from the table of finished answers; no block is looked for then."""
    types: dict[str, Counts]
    """By namespace and `RequestKind`."""
    durations: dict[str, dict[str, HistogramSnapshot]]
    """Of whole successful answers, by namespace and `RequestKind`; of CARs that broke off
    as `car_stream_fail`."""
    ttfb: dict[str, HistogramSnapshot]
    """Of successful answers, by `CacheState`."""


class BlockCounts(TypedDict):
    """Blocks in and into the cache."""

    found: Counts
    """By tier."""
    found_bytes: Counts
    missed: int
    miss_reasons: Counts
    """By `gateway.ports.MissReason`."""
    verified: int
    verified_bytes: int
    rejected: dict[str, Counts]
    """By source and reason."""
    evicted: dict[str, Counts]
    """By tier and reason."""
    evicted_bytes: Counts
    """By tier."""


class UpstreamCounts(TypedDict):
    """Requests to one upstream."""

    asked: Counts
    """By step."""
    chosen: Counts
    """By reason."""
    failed: Counts
    """By kind."""
    changes: Counts
    """By the state that was entered."""
    received_bytes: int
    ttfb: HistogramSnapshot


class StatisticsSnapshot(TypedDict):
    """All that a worker, or all workers together, counted."""

    requests: RequestCounts
    blocks: BlockCounts
    upstreams: dict[str, UpstreamCounts]
    top_roots: list[list[str | int]]
    """`[root, requests, error]`, the most asked for first; see `gateway.ops.top_roots`."""


def merge(snapshots: Sequence[StatisticsSnapshot]) -> StatisticsSnapshot:
    """Add up the snapshots of at least one worker."""
    sums: dict[str, Any] = {
        part: _add([snapshot[part] for snapshot in snapshots])
        for part in ("requests", "blocks", "upstreams")
    }
    sums["top_roots"] = merge_rows([snapshot["top_roots"] for snapshot in snapshots])
    return cast("StatisticsSnapshot", sums)


def _add(values: Sequence[Any]) -> Any:
    """Add numbers; lists by position; dictionaries by key, where a missing key is nothing."""
    if isinstance(values[0], dict):
        keys = dict.fromkeys(key for value in values for key in value)
        return {key: _add([value[key] for value in values if key in value]) for key in keys}
    if isinstance(values[0], list):
        return [sum(numbers) for numbers in zip(*values, strict=True)]
    return sum(values)
