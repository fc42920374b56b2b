from gateway.admin.api import (
    TOP_ROOTS_SHOWN,
    cache_figures,
    denylist_figures,
    upstream_rows,
)
from gateway.ops.overview import merge_workers
from gateway.ops.statistics import Statistics
from gateway.ports import Choice, MissReason, Rejection, Tier
from tests.fakes.requests import RECORD
from tests.fakes.workers import upstream_row, worker_snapshot


def worker_statistics() -> Statistics:
    told = Statistics()
    told.request_started()
    told.request_finished(RECORD._replace(tier="hot"))
    told.block_found(Tier.MEMORY, 10)
    told.block_found(Tier.DISK, 20)
    told.block_missed(MissReason.PURGED)
    told.block_verified(30)
    told.block_rejected(Rejection.DISK, "disk")
    told.block_evicted(Tier.MEMORY, "capacity", 1)
    told.block_evicted(Tier.DISK, "capacity", 1)
    told.upstream_asked(Choice("a", "first"), "car")
    told.upstream_received("a", 33)
    return told


def test_the_cache_in_numbers_is_of_all_workers() -> None:
    cache = {"blocks": 3, "disk_bytes": 60, "memory_bytes": 7, "quarantined": 1, "disk_limit": 100}
    workers = [worker_snapshot(worker_statistics(), cache=cache) for _ in range(2)]
    assert cache_figures(merge_workers(workers)) == {
        "hits": {"hot": 2, "memory": 2, "disk": 2, "shared": 0},
        "hit_bytes": {"hot": 2000, "memory": 20, "disk": 40},
        "misses": 2,
        "miss_reasons": {
            "absent": 0,
            "evicted": 0,
            "purged": 2,
            "damaged": 0,
            "slow": 0,
            "unavailable": 0,
        },
        "hit_ratio": 0.75,
        "byte_hit_ratio": 0.969,
        "requests": {"hit": 2},
        "requests_by_tier": {"hot": 2},
        "bytes_by_tier": {"hot": 2000},
        "bytes_served": 2000,
        "bytes_fetched": 66,
        "bytes_saved": 2060,
        "bytes_verified": 60,
        "rejected": {"disk": {"disk": 2}},
        "evictions": {"capacity": 4},
        "evicted": {"memory": {"capacity": 2}, "disk": {"capacity": 2}},
        "evicted_bytes": {"memory": 2, "disk": 2},
        "blocks": 3,
        "disk_bytes": 60,
        "memory_bytes": 14,
        "quarantined": 2,
        "purged": 0,
        "disk_limit": 100,
        "workers": 2,
        "top_roots": [{"root": "bafkqaaa", "requests": 2, "error": 0}],
    }


def test_every_promised_number_is_there_before_the_first_request() -> None:
    figures = cache_figures(merge_workers([]))
    assert figures["hits"] == {"hot": 0, "memory": 0, "disk": 0, "shared": 0}
    assert figures["hit_ratio"] == 0
    names = ("misses", "bytes_served", "bytes_fetched", "blocks", "disk_bytes", "memory_bytes")
    assert [figures[name] for name in names] == [0] * 6
    assert (figures["quarantined"], figures["evictions"], figures["top_roots"]) == (0, {}, [])


def test_only_the_first_roots_are_shown() -> None:
    told = Statistics()
    for number in range(100):
        told.request_started()
        told.request_finished(RECORD._replace(root=f"bafk{number}"))
    figures = cache_figures(merge_workers([worker_snapshot(told)]))
    assert len(figures["top_roots"]) == TOP_ROOTS_SHOWN


def test_upstreams_are_rows_in_the_order_of_the_configuration() -> None:
    rows = [upstream_row("b", requests=1), upstream_row("a", requests=3)]
    merged = upstream_rows(merge_workers([worker_snapshot(upstreams=rows)] * 2))
    assert [(row["name"], row["requests"], row["share"]) for row in merged] == [
        ("b", 2, 0.25),
        ("a", 6, 0.75),
    ]


def test_denylists_are_told_as_who_read_them_last_and_all_denials() -> None:
    workers = [worker_snapshot() for _ in range(2)]
    for number, worker in enumerate(workers):
        worker["denylist"] = {
            "rules": 7 - number,
            "denied": 2,
            "read_at": 10.0 - number,
            "problem": "gone" if number else "",
            "files": [],
        }
    assert denylist_figures(merge_workers(workers)) == {
        "rules": 7,
        "denied": 4,
        "read_at": 10.0,
        "problem": "gone",
        "files": [],
    }


def test_without_denylists_there_are_no_rules() -> None:
    assert denylist_figures(merge_workers([worker_snapshot()]))["rules"] == 0
