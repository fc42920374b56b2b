"""Totals of dead workers stay; what they held goes."""

from gateway.ops.overview import NO_PROCESS, WorkerSnapshot, merge_workers
from gateway.processes.retired_counts import retire
from tests.fakes.service import FakeService


def snapshot_of(missed: int, *, requests: int = 0, taken: float = 2.0) -> WorkerSnapshot:
    service = FakeService()
    for _ in range(missed):
        service.statistics.block_missed()
    for _ in range(requests):
        service.statistics.request_started()
    row = {"name": "a", "tier": "public", "state": "ejected", "reason": "lied", "ttfb_ms": 5.0}
    cache = {"memory_bytes": 7, "quarantined": 1}
    counts = {"in_flight": 2, "requests": missed, "failures": {"lie": 1}, "share": 1.0, "bytes": 9}
    return {**service.snapshot(), "taken": taken, "cache": cache, "upstreams": [{**row, **counts}]}  # type: ignore[typeddict-item]  # built of two halves


def test_counts_of_dead_workers_are_added() -> None:
    departed = retire([snapshot_of(3), snapshot_of(4)])

    assert departed["statistics"]["blocks"]["missed"] == 7
    assert departed["upstreams"][0]["requests"] == 7
    assert departed["upstreams"][0]["failures"] == {"lie": 2}


def test_counts_survive_any_number_of_deaths() -> None:
    once = retire([snapshot_of(3)])
    twice = retire([once, snapshot_of(4)])

    assert twice["statistics"]["blocks"]["missed"] == 7


def test_nothing_that_a_dead_worker_held_is_left() -> None:
    departed = retire([snapshot_of(1, requests=5)])

    assert departed["pid"] == NO_PROCESS
    assert departed["statistics"]["requests"]["in_flight"] == 0
    assert departed["cache"] == {"quarantined": 1}
    assert departed["process"] == {"rss_bytes": 0, "cpu_s": 0.0, "open_fds": 0}


def test_the_state_of_an_upstream_is_for_the_living_to_say() -> None:
    row = retire([snapshot_of(1)])["upstreams"][0]

    assert (row["state"], row["reason"], row["ttfb_ms"], row["in_flight"]) == (
        "healthy",
        "",
        None,
        0,
    )


def test_the_living_and_the_dead_make_one_overview() -> None:
    overview = merge_workers([snapshot_of(3, requests=1), retire([snapshot_of(4)])])

    assert overview.statistics["blocks"]["missed"] == 7
    assert overview.statistics["requests"]["in_flight"] == 1
    assert overview.cache == {"memory_bytes": 7, "quarantined": 2}
    assert len(overview.workers) == 1
