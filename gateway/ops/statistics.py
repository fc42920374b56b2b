"""What a worker counts, as plain numbers: an event costs a few additions.

Prometheus sees the sums over all workers only (`gateway.ops.metrics`). No label comes from a
request: the words counted here are those of enums and of the configuration.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from gateway.ops.histogram import DURATION_BUCKETS_S, TTFB_BUCKETS_S, Histogram, HistogramSnapshot
from gateway.ops.record import HOT, CacheState, Outcome, RequestKind, RequestRecord
from gateway.ops.snapshot import (
    BlockCounts,
    Counts,
    RequestCounts,
    StatisticsSnapshot,
    UpstreamCounts,
)
from gateway.ops.top_roots import TopKeys
from gateway.ports import Choice, MissReason, Rejection, Tier

CAR_FAILED: Final = "car_stream_fail"
TAR_FAILED: Final = "tar_stream_fail"
_FAILED: Final[Mapping[str, str]] = {RequestKind.CAR: CAR_FAILED, RequestKind.TAR: TAR_FAILED}
"""boxo's words for streams that broke off."""

MAX_LABELS: Final = 2048
"""Upstreams that are counted: nodes of a cluster come and go, with names that we do not give."""

_Series = dict[str, Histogram]


class _Cell:
    """All requests that have kind, status, cache state, tier and outcome in common.

    One dictionary look-up per request finds it; everything else is worked out for a snapshot.
    """

    __slots__ = ("duration", "size_bytes", "ttfb")

    def __init__(self) -> None:
        self.size_bytes = 0
        self.duration = Histogram(DURATION_BUCKETS_S)
        self.ttfb = Histogram(TTFB_BUCKETS_S)

    @property
    def requests(self) -> int:
        return sum(self.duration.counts)


class _Upstream:
    """What one upstream did."""

    __slots__ = ("asked", "changes", "chosen", "failed", "received_bytes", "ttfb")

    def __init__(self) -> None:
        self.asked: defaultdict[str, int] = defaultdict(int)
        self.chosen: defaultdict[str, int] = defaultdict(int)
        self.failed: defaultdict[str, int] = defaultdict(int)
        self.changes: defaultdict[str, int] = defaultdict(int)
        self.received_bytes = 0
        self.ttfb = Histogram(TTFB_BUCKETS_S)

    def snapshot(self) -> UpstreamCounts:
        return {
            "asked": _plain(self.asked),
            "chosen": _plain(self.chosen),
            "failed": _plain(self.failed),
            "changes": _plain(self.changes),
            "received_bytes": self.received_bytes,
            "ttfb": self.ttfb.snapshot(),
        }


class Statistics:
    """Implements `gateway.ports.Observer`, and is told of requests."""

    def __init__(self) -> None:
        self._started = 0
        self._finished = 0
        self._cells: defaultdict[tuple[str, str, int, str, str, str], _Cell] = defaultdict(_Cell)
        self._roots = TopKeys()
        self._found: defaultdict[str, int] = defaultdict(int)
        self._found_bytes: defaultdict[str, int] = defaultdict(int)
        self._missed: defaultdict[str, int] = defaultdict(int)
        self._verified = 0
        self._verified_bytes = 0
        self._rejected: dict[str, defaultdict[str, int]] = {}
        self._evicted: defaultdict[str, defaultdict[str, int]]
        self._evicted = defaultdict(partial(defaultdict, int))
        self._evicted_bytes: defaultdict[str, int] = defaultdict(int)
        self._upstreams: dict[str, _Upstream] = {}

    def request_started(self) -> None:
        """Count a request that came in."""
        self._started += 1

    def request_finished(self, record: RequestRecord) -> None:
        """Count the end of a request that was counted when it came in."""
        self._finished += 1
        cell = self._cells[
            record.namespace, record.kind, record.status, record.cache, record.tier, record.outcome
        ]
        cell.size_bytes += record.size_bytes
        cell.duration.observe(record.duration_s)
        cell.ttfb.observe(record.ttfb_s)
        if record.root:
            self._roots.add(record.root)

    def requests_repeated(self, record: RequestRecord, times: int) -> None:
        """Count requests that were over at once, all alike; none of them was counted before."""
        self._started += times
        self._finished += times
        cell = self._cells[
            record.namespace, record.kind, record.status, record.cache, record.tier, record.outcome
        ]
        cell.size_bytes += record.size_bytes * times
        cell.duration.observe(record.duration_s, times)
        cell.ttfb.observe(record.ttfb_s, times)
        if record.root:
            self._roots.add(record.root, times)

    def block_found(self, tier: Tier, size_bytes: int) -> None:
        """Count a block that was served from the cache."""
        self._found[tier] += 1
        self._found_bytes[tier] += size_bytes

    def block_missed(self, reason: MissReason = MissReason.ABSENT) -> None:
        """Count a block that was in no tier."""
        self._missed[reason] += 1

    def block_verified(self, size_bytes: int) -> None:
        """Count bytes from an upstream that were hashed and right."""
        self._verified += 1
        self._verified_bytes += size_bytes

    def block_rejected(self, reason: Rejection, source: str) -> None:
        """Count bytes that were hashed and wrong."""
        rejected = self._rejected.pop(source, None) or defaultdict(int)
        rejected[reason] += 1
        self._rejected[source] = rejected
        forget_oldest(self._rejected, MAX_LABELS)

    def block_evicted(self, tier: Tier, reason: str, size_bytes: int) -> None:
        """Count a block that left a tier."""
        self._evicted[tier][reason] += 1
        self._evicted_bytes[tier] += size_bytes

    def upstream_asked(self, choice: Choice, step: str) -> None:
        """Count a request to an upstream and the reason for which it was chosen."""
        upstream = self._upstream(choice.upstream)
        upstream.asked[step] += 1
        upstream.chosen[choice.reason] += 1

    def upstream_answered(self, upstream: str, step: str, ttfb_s: float) -> None:  # noqa: ARG002 (port)
        """Count the time to the first verified block."""
        self._upstream(upstream).ttfb.observe(ttfb_s)

    def upstream_received(self, upstream: str, size_bytes: int) -> None:
        """Count body bytes of an upstream."""
        self._upstream(upstream).received_bytes += size_bytes

    def upstream_failed(self, upstream: str, step: str, kind: str, reason: str) -> None:  # noqa: ARG002 (port)
        """Count a request to an upstream that failed."""
        self._upstream(upstream).failed[kind] += 1

    def upstream_state(self, upstream: str, state: str, reason: str, problem: str = "") -> None:  # noqa: ARG002 (port)
        """Count an upstream's change of state."""
        self._upstream(upstream).changes[state] += 1

    def _upstream(self, name: str) -> _Upstream:
        """Return the counts of an upstream; the one that was asked longest ago makes room."""
        counts = self._upstreams.pop(name, None) or _Upstream()
        self._upstreams[name] = counts
        forget_oldest(self._upstreams, MAX_LABELS)
        return counts

    def snapshot(self) -> StatisticsSnapshot:
        """Write down everything as JSON."""
        return {
            "requests": self._request_counts(),
            "blocks": self._block_counts(),
            "upstreams": {name: item.snapshot() for name, item in self._upstreams.items()},
            "top_roots": self._roots.snapshot(),
        }

    def _request_counts(self) -> RequestCounts:
        by_status: defaultdict[str, int] = defaultdict(int)
        by_cache: defaultdict[str, int] = defaultdict(int)
        by_outcome: defaultdict[str, int] = defaultdict(int)
        types: defaultdict[str, defaultdict[str, int]] = defaultdict(partial(defaultdict, int))
        by_tier: defaultdict[str, int] = defaultdict(int)
        bytes_by_tier: defaultdict[str, int] = defaultdict(int)
        for (namespace, kind, status, cache, tier, outcome), cell in self._cells.items():
            if tier:
                by_tier[tier] += cell.requests
                bytes_by_tier[tier] += cell.size_bytes
            by_status[str(status)] += cell.requests
            by_cache[cache] += cell.requests
            by_outcome[outcome] += cell.requests
            types[namespace][kind] += cell.requests
        return {
            "in_flight": self._started - self._finished,
            "by_status": dict(by_status),
            "by_cache": _plain(by_cache),
            "by_outcome": _plain(by_outcome),
            "bytes_served": sum(cell.size_bytes for cell in self._cells.values()),
            "by_tier": _plain(by_tier),
            "bytes_by_tier": _plain(bytes_by_tier),
            "hot_hits": by_tier[HOT],
            "types": {namespace: _plain(kinds) for namespace, kinds in types.items()},
            "durations": self._durations(),
            "ttfb": self._ttfb(),
        }

    def _durations(self) -> dict[str, dict[str, HistogramSnapshot]]:
        spaces: defaultdict[str, _Series] = defaultdict(dict)
        for (namespace, kind, status, _, _, outcome), cell in self._cells.items():
            series = _duration_series(kind, status, outcome)
            if series is not None:
                _add_to(spaces[namespace], series, cell.duration)
        return {namespace: _snapshots(series) for namespace, series in spaces.items()}

    def _ttfb(self) -> dict[str, HistogramSnapshot]:
        sums: _Series = {}
        for (_, _, status, cache, _, _), cell in self._cells.items():
            if status < 300 and cache != CacheState.NONE:
                _add_to(sums, cache, cell.ttfb)
        return _snapshots(sums)

    def _block_counts(self) -> BlockCounts:
        return {
            "found": _plain(self._found),
            "found_bytes": _plain(self._found_bytes),
            "missed": sum(self._missed.values()),
            "miss_reasons": _plain(self._missed),
            "verified": self._verified,
            "verified_bytes": self._verified_bytes,
            "rejected": {source: _plain(reasons) for source, reasons in self._rejected.items()},
            "evicted": {str(tier): _plain(reasons) for tier, reasons in self._evicted.items()},
            "evicted_bytes": _plain(self._evicted_bytes),
        }


def _duration_series(kind: str, status: int, outcome: str) -> str | None:
    if kind == RequestKind.OTHER or status >= 300:
        return None
    if outcome == Outcome.COMPLETE:
        return kind
    return _FAILED.get(kind) if outcome == Outcome.TRUNCATED else None


def _add_to(sums: _Series, name: str, histogram: Histogram) -> None:
    if name not in sums:
        sums[name] = Histogram(histogram.bounds)
    sums[name].add(histogram.snapshot())


def _snapshots(series: _Series) -> dict[str, HistogramSnapshot]:
    return {str(name): histogram.snapshot() for name, histogram in series.items()}


def forget_oldest(table: dict[Any, Any], most: int) -> None:
    """Take out what was put in first, as far as there is more than there may be."""
    while len(table) > most:
        del table[next(iter(table))]


def _plain(counts: Mapping[str, int]) -> Counts:
    """Return a copy whose keys are texts even where the words are enums."""
    return {str(word): count for word, count in counts.items()}
