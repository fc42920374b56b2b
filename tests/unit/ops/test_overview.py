import pytest

from gateway.ops.overview import NO_PROCESS, merge_cache, merge_upstreams, merge_workers
from gateway.ops.statistics import Statistics
from tests.fakes.requests import RECORD
from tests.fakes.workers import upstream_row, worker_snapshot


def counted(requests: int) -> Statistics:
    statistics = Statistics()
    for _ in range(requests):
        statistics.request_started()
        statistics.request_finished(RECORD)
    return statistics


def test_what_was_counted_is_added() -> None:
    overview = merge_workers([worker_snapshot(counted(2)), worker_snapshot(counted(3))])
    assert overview.statistics["requests"]["by_status"] == {"200": 5}
    assert overview.statistics["top_roots"] == [["bafkqaaa", 5, 0]]


def test_no_worker_is_an_overview_too() -> None:
    overview = merge_workers([])
    assert not overview.workers
    assert not overview.upstreams
    assert overview.statistics == Statistics().snapshot()
    assert overview.cache_health == {"status": "unhealthy", "reason": "no worker reports"}


def test_workers_are_listed_by_age() -> None:
    snapshots = [worker_snapshot(pid=pid, started=started) for pid, started in ((7, 3.0), (5, 1.0))]
    assert [worker.pid for worker in merge_workers(snapshots).workers] == [5, 7]


def test_ended_workers_count_but_are_not_there() -> None:
    ended = worker_snapshot(counted(4), pid=NO_PROCESS, cache={}, started=0.0)
    overview = merge_workers([ended, worker_snapshot(counted(1), pid=9)])
    assert overview.statistics["requests"]["by_status"] == {"200": 5}
    assert [worker.pid for worker in overview.workers] == [9]
    assert merge_workers([ended]).cache_health["status"] == "unhealthy"


def test_disk_is_shared_and_memory_is_not() -> None:
    one = {"blocks": 10, "disk_bytes": 100, "memory_bytes": 7, "quarantined": 1, "index_state": "x"}
    two = {"blocks": 12, "disk_bytes": 120, "memory_bytes": 5, "quarantined": 2, "index_state": "y"}
    assert merge_cache([one, two]) == {
        "blocks": 12,
        "disk_bytes": 120,
        "memory_bytes": 12,
        "quarantined": 3,
        "index_state": "y",
    }


def test_the_latest_figures_of_the_disk_count() -> None:
    late = worker_snapshot(taken=20.0, started=1.0, cache={"blocks": 2})
    early = worker_snapshot(taken=10.0, started=2.0, cache={"blocks": 1})
    assert merge_workers([late, early]).cache == {"blocks": 2}


def test_figures_that_a_worker_does_not_know_are_not_added() -> None:
    assert merge_cache([{"memory_bytes": 1}, {"memory_bytes": None}]) == {"memory_bytes": None}
    assert merge_cache([{"memory_bytes": None}, {"memory_bytes": 1}]) == {"memory_bytes": 1}


def test_the_worst_cache_speaks_for_all() -> None:
    statuses = ["degraded", "unhealthy", "healthy"]
    snapshots = [
        worker_snapshot(cache_health={"status": status, "reason": status}) for status in statuses
    ]
    assert merge_workers(snapshots).cache_health["status"] == "unhealthy"


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        pytest.param(["healthy", "healthy"], "healthy", id="well"),
        pytest.param(["backing-off", "healthy"], "backing-off", id="one-backs-off"),
        pytest.param(["backing-off", "ejected"], "ejected", id="one-ejected"),
        pytest.param(["ejected", "on-fire"], "on-fire", id="unknown-word"),
    ],
)
def test_an_upstream_is_in_the_worst_state_that_a_worker_sees(
    states: list[str], worst: str
) -> None:
    rows = merge_upstreams([[upstream_row(state=state, reason=state)] for state in states])
    assert [(row["state"], row["reason"]) for row in rows] == [(worst, worst)]


def test_figures_of_upstreams_are_added_and_shares_made_anew() -> None:
    one = [
        upstream_row("a", requests=3, in_flight=1, bytes=10, failures={"busy": 1}, share=1.0),
        upstream_row("b", requests=0),
    ]
    two = [
        upstream_row("a", requests=0, in_flight=2, bytes=5, failures={"busy": 1, "silent": 2}),
        upstream_row("b", requests=1, share=1.0),
    ]
    a, b = merge_upstreams([one, two])
    assert (a["requests"], a["in_flight"], a["bytes"], a["share"]) == (3, 3, 15, 0.75)
    assert a["failures"] == {"busy": 2, "silent": 2}
    assert (b["name"], b["share"]) == ("b", 0.25)


@pytest.mark.parametrize(
    ("measured", "mean"),
    [
        pytest.param([(None, 0), (None, 5)], None, id="never"),
        pytest.param([(10.0, 1), (None, 100)], 10.0, id="by-one"),
        pytest.param([(10.0, 3), (30.0, 1)], 15.0, id="weighted"),
        pytest.param([(10.0, 0), (30.0, 0)], 20.0, id="no-requests-yet"),
    ],
)
def test_ttfb_is_the_mean_by_requests(
    measured: list[tuple[float | None, int]], mean: float | None
) -> None:
    tables = [[upstream_row(ttfb_ms=ttfb, requests=requests)] for ttfb, requests in measured]
    assert merge_upstreams(tables)[0]["ttfb_ms"] == mean


def test_merging_leaves_rows_alone() -> None:
    row = upstream_row(requests=1)
    merge_upstreams([[row], [row]])
    assert row == upstream_row(requests=1)
