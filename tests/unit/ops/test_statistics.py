import json

import pytest

from gateway.ops import statistics as module
from gateway.ops.histogram import DURATION_BUCKETS_S, TTFB_BUCKETS_S
from gateway.ops.record import CacheState, Outcome, RequestKind, RequestRecord
from gateway.ops.statistics import Statistics
from gateway.ports import Choice, MissReason, Observer, Rejection, Tier
from tests.fakes.requests import RECORD


def told(*records: RequestRecord) -> Statistics:
    statistics = Statistics()
    for record in records:
        statistics.request_started()
        statistics.request_finished(record)
    return statistics


def series(record: RequestRecord) -> list[str]:
    """Names of the duration histograms in which a record is counted."""
    durations = told(record).snapshot()["requests"]["durations"]
    return [name for kinds in durations.values() for name in kinds]


def test_requests_are_counted_by_status_cache_outcome_and_type() -> None:
    requests = told(
        RECORD,
        RECORD._replace(status=404, kind=RequestKind.OTHER, cache=CacheState.MISS, size_bytes=7),
        RECORD._replace(namespace="ipns", outcome=Outcome.LEFT, tier="hot"),
    ).snapshot()["requests"]
    assert requests["by_status"] == {"200": 2, "404": 1}
    assert requests["by_cache"] == {"hit": 2, "miss": 1}
    assert requests["by_outcome"] == {"complete": 2, "left": 1}
    assert requests["types"] == {"ipfs": {"unixfs_file": 1, "other": 1}, "ipns": {"unixfs_file": 1}}
    assert (requests["bytes_served"], requests["hot_hits"]) == (2007, 1)


def test_repeated_requests_count_like_as_many_of_them() -> None:
    statistics = Statistics()
    statistics.requests_repeated(RECORD, 3)
    assert statistics.snapshot() == told(RECORD, RECORD, RECORD).snapshot()


def test_every_request_has_exactly_one_outcome() -> None:
    statistics = told(*[RECORD._replace(outcome=outcome) for outcome in Outcome] * 3)
    requests = statistics.snapshot()["requests"]
    assert sum(requests["by_outcome"].values()) == sum(requests["by_status"].values()) == 9


def test_in_flight_is_what_started_and_did_not_end() -> None:
    statistics = told(RECORD)
    statistics.request_started()
    assert statistics.snapshot()["requests"]["in_flight"] == 1


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        pytest.param({}, ["unixfs_file"], id="whole"),
        pytest.param({"status": 206}, ["unixfs_file"], id="range"),
        pytest.param({"status": 304}, [], id="unchanged"),
        pytest.param({"status": 502}, [], id="failed"),
        pytest.param({"kind": RequestKind.OTHER}, [], id="no-content"),
        pytest.param({"outcome": Outcome.LEFT}, [], id="client-left"),
        pytest.param({"outcome": Outcome.TRUNCATED}, [], id="file-broke-off"),
        pytest.param(
            {"kind": RequestKind.CAR, "outcome": Outcome.TRUNCATED},
            ["car_stream_fail"],
            id="car-broke-off",
        ),
    ],
)
def test_durations_are_of_whole_successful_answers(
    changes: dict[str, object], names: list[str]
) -> None:
    assert series(RECORD._replace(**changes)) == names  # type: ignore[arg-type]  # of the table


def test_durations_of_all_tiers_are_added() -> None:
    requests = told(RECORD, RECORD._replace(tier="disk", duration_s=100)).snapshot()["requests"]
    histogram = requests["durations"]["ipfs"]["unixfs_file"]
    assert histogram["counts"][DURATION_BUCKETS_S.index(0.25)] == 1
    assert histogram["counts"][DURATION_BUCKETS_S.index(120)] == 1
    assert histogram["sum"] == pytest.approx(100.2)


def test_ttfb_is_by_cache_state_of_successful_answers() -> None:
    ttfb = told(
        RECORD,
        RECORD._replace(cache=CacheState.MISS, ttfb_s=0.3),
        RECORD._replace(cache=CacheState.NONE),
        RECORD._replace(status=404),
    ).snapshot()["requests"]["ttfb"]
    assert ttfb.keys() == {"hit", "miss"}
    assert ttfb["hit"]["counts"][TTFB_BUCKETS_S.index(0.0025)] == 1
    assert ttfb["miss"]["sum"] == 0.3


def test_roots_are_ranked_and_requests_without_one_left_out() -> None:
    records = [RECORD._replace(root=root) for root in ("a", "b", "", "b")]
    assert told(*records).snapshot()["top_roots"] == [["b", 2, 0], ["a", 1, 0]]


def test_blocks_are_counted() -> None:
    observer = Statistics()
    observer.block_found(Tier.MEMORY, 10)
    observer.block_found(Tier.DISK, 20)
    observer.block_found(Tier.DISK, 30)
    observer.block_missed(MissReason.ABSENT)
    observer.block_missed(MissReason.EVICTED)
    observer.block_verified(40)
    observer.block_rejected(Rejection.MISMATCH, "a")
    observer.block_rejected(Rejection.DISK, "disk")
    observer.block_evicted(Tier.MEMORY, "capacity", 50)
    assert observer.snapshot()["blocks"] == {
        "found": {"memory": 1, "disk": 2},
        "found_bytes": {"memory": 10, "disk": 50},
        "missed": 2,
        "miss_reasons": {"absent": 1, "evicted": 1},
        "verified": 1,
        "verified_bytes": 40,
        "rejected": {"a": {"mismatch": 1}, "disk": {"disk": 1}},
        "evicted": {"memory": {"capacity": 1}},
        "evicted_bytes": {"memory": 50},
    }


def test_upstreams_are_counted() -> None:
    observer = Statistics()
    observer.upstream_asked(Choice("a", "nearest", 12.0), "car")
    observer.upstream_asked(Choice("a", "other-step"), "raw")
    observer.upstream_answered("a", "car", 0.3)
    observer.upstream_received("a", 100)
    observer.upstream_received("a", 20)
    observer.upstream_failed("a", "raw", "silent", "said nothing for 10 s")
    observer.upstream_state("a", "ejected", "silent")
    counts = observer.snapshot()["upstreams"]["a"]
    assert counts["ttfb"]["sum"] == 0.3
    assert {name: value for name, value in counts.items() if name != "ttfb"} == {
        "asked": {"car": 1, "raw": 1},
        "chosen": {"nearest": 1, "other-step": 1},
        "failed": {"silent": 1},
        "changes": {"ejected": 1},
        "received_bytes": 120,
    }


def test_a_snapshot_is_json() -> None:
    statistics = told(RECORD)
    statistics.block_found(Tier.MEMORY, 10)
    statistics.block_rejected(Rejection.MISMATCH, "a")
    statistics.upstream_asked(Choice("a", "first"), "car")
    snapshot = statistics.snapshot()
    assert json.loads(json.dumps(snapshot)) == snapshot


_: Observer = Statistics()  # mypy proves that it fits the port


def test_upstreams_that_are_counted_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """issue 12, 14: the one that was asked longest ago makes room, with all its series."""
    monkeypatch.setattr(module, "MAX_LABELS", 2)
    statistics = Statistics()
    for name in ("a", "b", "a", "c"):
        statistics.upstream_asked(Choice(name, "first"), "raw")
        statistics.block_rejected(Rejection.MISMATCH, name)
    snapshot = statistics.snapshot()
    assert snapshot["upstreams"].keys() == {"a", "c"}
    assert snapshot["upstreams"]["a"]["asked"] == {"raw": 2}
    assert snapshot["blocks"]["rejected"] == {"a": {"mismatch": 2}, "c": {"mismatch": 1}}
