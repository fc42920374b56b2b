"""The Prometheus page, rendered from an `Overview` on each scrape.

Names are boxo's (`ipfs_http_gw_*`, `ipfs_http_blockstore_*`) where the meaning is the same, so that
dashboards made for Kubo and Rainbow work; everything else is `ipfs_gateway_*`. Label values are
words of enums, names from the configuration and numbers of workers; never a CID or a Host.
"""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.background import TaskRow
from gateway.ops.families import Rows, by_word, counter, gauge, histogram, untyped
from gateway.ops.histogram import (
    DURATION_BUCKETS_S,
    TTFB_BUCKETS_S,
    Histogram,
    HistogramSnapshot,
)
from gateway.ops.overview import STATES, Overview, UpstreamRow, Worker
from gateway.ops.record import HOT, CacheState, Outcome, RequestKind
from gateway.ops.snapshot import BlockCounts, RequestCounts, UpstreamCounts
from gateway.ops.statistics import CAR_FAILED, TAR_FAILED
from gateway.ports import MissReason, Tier

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_DURATIONS: Final[Mapping[str, tuple[str, str]]] = {
    RequestKind.FILE: ("unixfs_file_get", "Seconds to serve a file"),
    RequestKind.INDEX: ("unixfs_dir_indexhtml_get", "Seconds to serve a directory's index.html"),
    RequestKind.LISTING: (
        "unixfs_gen_dir_listing_get",
        "Seconds to serve a generated directory listing",
    ),
    RequestKind.CAR: ("car_stream_get", "Seconds to serve a CAR"),
    RequestKind.RAW: ("raw_block_get", "Seconds to serve a raw block"),
    RequestKind.TAR: ("tar_stream_get", "Seconds to serve a TAR"),
    RequestKind.DOCUMENT: ("jsoncbor_get", "Seconds to serve a JSON or CBOR document"),
    RequestKind.IPNS_RECORD: ("ipns_record_get", "Seconds to serve an IPNS record"),
    CAR_FAILED: ("car_stream_fail", "Seconds until a truncated CAR response ended"),
    TAR_FAILED: ("tar_stream_fail", "Seconds until a truncated TAR response ended"),
}

_MEDIA_TYPES: Final[Mapping[str, str]] = {  # boxo's label: the format asked for, "" for UnixFS
    RequestKind.CAR: "application/vnd.ipld.car",
    RequestKind.RAW: "application/vnd.ipld.raw",
    RequestKind.TAR: "application/x-tar",
    RequestKind.IPNS_RECORD: "application/vnd.ipfs.ipns-record",
}

_CACHE_GAUGES: Final = (
    ("gateway_cache_bytes", "Bytes of cached blocks, by tier", ("memory_bytes", "disk_bytes")),
    ("gateway_cache_limit_bytes", "Capacity of a tier in bytes", ("memory_limit", "disk_limit")),
    ("gateway_cache_blocks", "Cached blocks, by tier", ("memory_blocks", "blocks")),
)
"""Name, help, and the figures of the cache for memory and for disk."""

_CACHE_COUNTERS: Final = (
    ("quarantined", "gateway_cache_quarantined", "Damaged files moved to the quarantine"),
    ("write_errors", "gateway_cache_write_errors", "Blocks that could not be written to disk"),
    ("shared_written", "gateway_shared_written_blocks", "Blocks written to the shared tier"),
    ("shared_dropped", "gateway_shared_dropped_blocks", "Blocks not written to the shared tier"),
    ("shared_errors", "gateway_shared_errors", "Failures of the shared tier"),
    ("purged", "gateway_cache_purged_blocks", "Blocks purged by operators"),
    ("purged_bytes", "gateway_cache_purged_bytes", "Bytes of blocks purged by operators"),
)
_CACHE_FIGURES: Final = (
    ("pending_bytes", "gateway_cache_pending_bytes", "Bytes waiting to be written to disk"),
    (
        "coldest_age_s",
        "gateway_cache_coldest_age_seconds",
        "Seconds since the last use of the coldest block",
    ),
    ("pins", "gateway_cache_pins", "Roots pinned by operators"),
    ("pinned_bytes", "gateway_cache_pinned_bytes", "Bytes of pinned blocks"),
)
"""Figure of the cache, name, help."""


class _Page(Collector):
    """Collector of all metric families of one overview."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        """Yield every family, with its help text even while it has no samples."""
        overview = self._overview
        yield from _requests(overview.statistics["requests"])
        yield from _durations(overview.statistics["requests"])
        yield from _blocks(overview.statistics["blocks"], overview.statistics["requests"])
        yield from _cache(overview.cache)
        yield from _upstreams(overview.statistics["upstreams"])
        yield from _upstream_rows(overview.upstreams)
        yield from _workers(overview.workers)
        yield from _tasks(overview.tasks)
        yield from _denylists(overview.denylists)


def render(overview: Overview) -> bytes:
    """Return the page in the Prometheus text format 0.0.4."""
    return generate_latest(_Page(overview))


def _denylists(states: Sequence[Mapping[str, object]]) -> Iterator[Metric]:
    newest = max(states, key=lambda state: float(str(state["read_at"])), default=None)
    rules: Rows = [] if newest is None else [([], float(str(newest["rules"])))]
    yield gauge("gateway_denylist_rules", "Denylist rules in force", [], rules)
    problem: Rows = [([], float(any(state["problem"] for state in states)))] if states else []
    text = "1 if a worker has a problem with its denylists (/health has the reason), else 0"
    yield gauge("gateway_denylist_problem", text, [], problem)


def _requests(counts: RequestCounts) -> Iterator[Metric]:
    yield counter(
        "http_gw_responses", "Responses by status code", ["code"], by_word(counts["by_status"])
    )
    yield gauge(
        "http_gw_concurrent_requests", "Requests in progress", [], [([], counts["in_flight"])]
    )
    types: dict[tuple[str, str], int] = {}
    for space, kinds in counts["types"].items():
        for kind, count in kinds.items():
            key = (space, _MEDIA_TYPES.get(kind, ""))
            types[key] = types.get(key, 0) + count
    yield untyped(
        "http_gw_request_types",
        "Requests by namespace and by requested format",
        ["gateway", "type"],
        types.items(),
    )
    yield counter(
        "gateway_requests",
        "Requests by cache state: hit, partial, miss or none",
        ["cache"],
        by_word(counts["by_cache"], CacheState),
    )
    yield counter(
        "gateway_outcomes",
        "Requests by outcome: complete, truncated, or left by the client",
        ["outcome"],
        by_word(counts["by_outcome"], Outcome),
    )
    yield counter(
        "gateway_served_bytes", "Body bytes sent to clients", [], [([], counts["bytes_served"])]
    )


def _durations(counts: RequestCounts) -> Iterator[Metric]:
    spaces = counts["durations"]
    wholes: list[tuple[str, HistogramSnapshot]] = []
    for space, series in spaces.items():
        whole = Histogram(DURATION_BUCKETS_S)
        for kind, snapshot in series.items():
            if kind not in (CAR_FAILED, TAR_FAILED):
                whole.add(snapshot)
        wholes.append((space, whole.snapshot()))
    text = "Seconds to serve any successful response"
    yield histogram("http_gw_get_duration_seconds", text, "gateway", DURATION_BUCKETS_S, wholes)
    for kind, (word, text) in _DURATIONS.items():
        rows = [(space, series[kind]) for space, series in spaces.items() if kind in series]
        name = f"http_gw_{word}_duration_seconds"
        yield histogram(name, text, "gateway", DURATION_BUCKETS_S, rows)
    yield histogram(
        "gateway_ttfb_seconds",
        "Seconds to the first byte of a successful response",
        "cache",
        TTFB_BUCKETS_S,
        counts["ttfb"].items(),
    )


def _blocks(blocks: BlockCounts, requests: RequestCounts) -> Iterator[Metric]:
    hits = {HOT: requests["hot_hits"], **blocks["found"]}
    found = sum(blocks["found"].values())
    yield counter(
        "gateway_cache_hits",
        "Blocks found in the cache, by tier; whole responses in the tier `hot`",
        ["tier"],
        by_word(hits, Tier),
    )
    hit_bytes = {HOT: requests["bytes_by_tier"].get(HOT, 0), **blocks["found_bytes"]}
    yield counter(
        "gateway_cache_hit_bytes",
        "Bytes found in the cache, by tier",
        ["tier"],
        by_word(hit_bytes, Tier),
    )
    yield counter(
        "gateway_cache_misses",
        "Blocks found in no tier, by reason",
        ["reason"],
        by_word(blocks["miss_reasons"], MissReason),
    )
    yield counter(
        "gateway_evictions",
        "Blocks evicted from a tier, by reason",
        ["tier", "reason"],
        _by_two(blocks["evicted"]),
    )
    yield counter(
        "gateway_evicted_bytes",
        "Bytes of blocks evicted from a tier",
        ["tier"],
        by_word(blocks["evicted_bytes"], Tier),
    )
    yield untyped("http_blockstore_cache_hit", "Blocks found in the cache", [], [([], found)])
    yield untyped(
        "http_blockstore_cache_requests",
        "Blocks looked for in the cache",
        [],
        [([], found + blocks["missed"])],
    )
    yield from _cached_requests(requests)
    yield from _verification(blocks)


def _cached_requests(requests: RequestCounts) -> Iterator[Metric]:
    yield counter(
        "gateway_cached_requests",
        "Requests served without an upstream, by the slowest tier that was read",
        ["tier"],
        by_word(requests["by_tier"], Tier),
    )
    yield counter(
        "gateway_cached_served_bytes",
        "Body bytes of requests served without an upstream, by the slowest tier",
        ["tier"],
        by_word(requests["bytes_by_tier"], Tier),
    )


def _verification(blocks: BlockCounts) -> Iterator[Metric]:
    yield counter(
        "gateway_blocks_verified",
        "Blocks from upstreams that passed verification",
        [],
        [([], blocks["verified"])],
    )
    yield counter(
        "gateway_verified_bytes",
        "Bytes from upstreams that passed verification",
        [],
        [([], blocks["verified_bytes"])],
    )
    yield counter(
        "gateway_verification_failures",
        "Blocks that failed verification, by source: an upstream, or `disk`",
        ["source", "reason"],
        _by_two(blocks["rejected"]),
    )


def _by_two(table: Mapping[str, Mapping[str, int]]) -> list[tuple[list[str], float]]:
    return [([one, two], count) for one, row in table.items() for two, count in row.items()]


def _cache(cache: Mapping[str, object]) -> Iterator[Metric]:
    for name, text, figures in _CACHE_GAUGES:
        tiers = zip((Tier.MEMORY, Tier.DISK), figures, strict=True)
        rows = [([str(tier)], value) for tier, figure in tiers for value in _figure(cache, figure)]
        yield gauge(name, text, ["tier"], rows)

    for figure, name, text in _CACHE_COUNTERS:
        yield counter(name, text, [], [([], value) for value in _figure(cache, figure)])
    for figure, name, text in _CACHE_FIGURES:
        yield gauge(name, text, [], [([], value) for value in _figure(cache, figure)])


def _figure(cache: Mapping[str, object], name: str) -> list[float]:
    """Return the figure in a list, which is empty when the cache does not report it."""
    value = cache.get(name)
    return [float(value)] if isinstance(value, int | float) else []


def _upstreams(upstreams: Mapping[str, UpstreamCounts]) -> Iterator[Metric]:
    def table(pick: Callable[[UpstreamCounts], Mapping[str, int]]) -> Rows:
        return _by_two({name: pick(counts) for name, counts in upstreams.items()})

    yield counter(
        "gateway_upstream_requests",
        "Requests to upstreams, by step",
        ["upstream", "step"],
        table(lambda counts: counts["asked"]),
    )
    yield counter(
        "gateway_upstream_choices",
        "Requests to upstreams, by reason for the choice",
        ["upstream", "reason"],
        table(lambda counts: counts["chosen"]),
    )
    yield counter(
        "gateway_upstream_errors",
        "Failed requests to upstreams, by kind of failure",
        ["upstream", "kind"],
        table(lambda counts: counts["failed"]),
    )
    yield counter(
        "gateway_upstream_state_changes",
        "State changes of upstreams, by the state entered",
        ["upstream", "state"],
        table(lambda counts: counts["changes"]),
    )
    yield counter(
        "gateway_upstream_received_bytes",
        "Body bytes received from upstreams",
        ["upstream"],
        [([name], counts["received_bytes"]) for name, counts in upstreams.items()],
    )
    yield histogram(
        "gateway_upstream_ttfb_seconds",
        "Seconds to the first verified block of an upstream",
        "upstream",
        TTFB_BUCKETS_S,
        [(name, counts["ttfb"]) for name, counts in upstreams.items()],
    )


def _upstream_rows(rows: Sequence[UpstreamRow]) -> Iterator[Metric]:
    yield gauge(
        "gateway_upstream_state",
        "1 for the current state of an upstream, the worst that any worker reports; else 0",
        ["upstream", "state"],
        [([row["name"], state], row["state"] == state) for row in rows for state in STATES],
    )
    yield gauge(
        "gateway_upstream_in_flight",
        "Requests to upstreams in progress",
        ["upstream"],
        [([row["name"]], row["in_flight"]) for row in rows],
    )
    yield gauge(
        "gateway_upstream_budget_left",
        "Requests left in the budget of a rate-limited upstream, summed over all workers",
        ["upstream"],
        [([row["name"]], left) for row in rows if (left := row.get("budget_left")) is not None],
    )


def _tasks(tasks: Sequence[TaskRow]) -> Iterator[Metric]:
    yield counter(
        "gateway_task_failures",
        "Unexpected ends of background tasks; each was restarted",
        ["task"],
        [([row["task"]], row["failures"]) for row in tasks],
    )
    yield gauge(
        "gateway_task_ill",
        "1 while a background task has a problem (/health/background has the reason), else 0",
        ["task"],
        [([row["task"]], bool(row["problem"])) for row in tasks],
    )


def _workers(workers: Sequence[Worker]) -> Iterator[Metric]:
    numbered = [(str(number), worker) for number, worker in enumerate(workers)]
    yield gauge(
        "gateway_worker_resident_memory_bytes",
        "Resident memory of a worker",
        ["worker"],
        [([number], worker.process["rss_bytes"]) for number, worker in numbered],
    )
    yield counter(
        "gateway_worker_cpu_seconds",
        "CPU seconds used by a worker",
        ["worker"],
        [([number], worker.process["cpu_s"]) for number, worker in numbered],
    )
    yield gauge(
        "gateway_worker_open_fds",
        "Open file descriptors of a worker",
        ["worker"],
        [([number], worker.process["open_fds"]) for number, worker in numbered],
    )
    yield gauge(
        "gateway_worker_start_time_seconds",
        "Start time of a worker, in seconds since the Unix epoch",
        ["worker"],
        [([number], worker.started) for number, worker in numbered],
    )
    yield gauge(
        "gateway_build_info",
        "1; labels: versions of the gateway and of Python",
        ["version", "python"],
        [([__version__, platform.python_version()], 1)],
    )
