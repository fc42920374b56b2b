import re

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from gateway import __version__
from gateway.ops.metrics import CONTENT_TYPE, render
from gateway.ops.overview import Overview, merge_workers
from gateway.ops.record import CacheState, Outcome, RequestKind
from gateway.ops.statistics import Statistics
from gateway.ports import Choice, MissReason, Rejection, Tier
from tests.fakes.requests import RECORD
from tests.fakes.workers import upstream_row, worker_snapshot

BUSY_ROW = upstream_row("a", state="ejected", reason="mismatch", in_flight=3)


def busy() -> Statistics:
    """Return statistics in which every event happened."""
    told = Statistics()
    for kind in RequestKind:
        for cache in CacheState:
            told.request_started()
            told.request_finished(RECORD._replace(kind=kind, cache=cache))
    cut = RECORD._replace(kind=RequestKind.CAR, outcome=Outcome.TRUNCATED, duration_s=3.0)
    told.request_started()
    told.request_finished(cut)
    told.request_started()
    told.request_finished(cut._replace(kind=RequestKind.TAR, duration_s=4.0))
    told.request_started()
    told.block_found(Tier.MEMORY, 10)
    told.block_found(Tier.DISK, 20)
    told.block_missed(MissReason.EVICTED)
    told.block_verified(30)
    told.block_rejected(Rejection.MISMATCH, "a")
    told.block_evicted(Tier.DISK, "capacity", 40)
    told.upstream_asked(Choice("a", "nearest"), "car")
    told.upstream_answered("a", "car", 0.3)
    told.upstream_received("a", 50)
    told.upstream_failed("a", "car", "mismatch", "sent bytes that do not match")
    told.upstream_state("a", "ejected", "mismatch")
    return told


def families(overview: Overview) -> dict[str, Metric]:
    text = render(overview).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(overview: Overview, name: str, **labels: str) -> float:
    for family in families(overview).values():
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    raise AssertionError(f"no {name}{labels}")


IDLE = merge_workers([worker_snapshot()])
FIGURES = {"disk_bytes": 7, "blocks": 1, "quarantined": 2, "purged": 6, "coldest_age_s": 9.5}
BUSY = merge_workers([worker_snapshot(busy(), [BUSY_ROW], cache=FIGURES)])


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        pytest.param("ipfs_http_gw_responses_total", {"code": "200"}, 38, id="responses"),
        pytest.param("ipfs_http_gw_concurrent_requests", {}, 1, id="concurrent"),
        pytest.param(
            "ipfs_http_gw_request_types",
            {"gateway": "ipfs", "type": "application/vnd.ipld.raw"},
            4,
            id="types-raw",
        ),
        pytest.param(
            "ipfs_http_gw_request_types", {"gateway": "ipfs", "type": ""}, 20, id="types-unixfs"
        ),
        pytest.param(
            "ipfs_http_gw_get_duration_seconds_count", {"gateway": "ipfs"}, 32, id="all-durations"
        ),
        pytest.param(
            "ipfs_http_gw_unixfs_file_get_duration_seconds_bucket",
            {"gateway": "ipfs", "le": "0.25"},
            4,
            id="file-bucket",
        ),
        pytest.param(
            "ipfs_http_gw_car_stream_fail_duration_seconds_sum",
            {"gateway": "ipfs"},
            3,
            id="car-broke-off",
        ),
        pytest.param(
            "ipfs_http_gw_tar_stream_fail_duration_seconds_sum",
            {"gateway": "ipfs"},
            4,
            id="tar-broke-off",
        ),
        pytest.param(
            "ipfs_http_gw_tar_stream_get_duration_seconds_count", {"gateway": "ipfs"}, 4, id="tar"
        ),
        pytest.param(
            "ipfs_http_gw_jsoncbor_get_duration_seconds_count", {"gateway": "ipfs"}, 4, id="json"
        ),
        pytest.param("ipfs_http_blockstore_cache_hit", {}, 2, id="boxo-hit"),
        pytest.param("ipfs_http_blockstore_cache_requests", {}, 3, id="boxo-requests"),
        pytest.param("ipfs_gateway_cache_hits_total", {"tier": "disk"}, 1, id="disk-hits"),
        pytest.param("ipfs_gateway_cache_hits_total", {"tier": "hot"}, 0, id="hot-hits"),
        pytest.param("ipfs_gateway_cache_hit_bytes_total", {"tier": "disk"}, 20, id="hit-bytes"),
        pytest.param(
            "ipfs_gateway_cache_misses_total", {"reason": "evicted"}, 1, id="misses-by-reason"
        ),
        pytest.param("ipfs_gateway_cache_misses_total", {"reason": "absent"}, 0, id="no-misses"),
        pytest.param("ipfs_gateway_cached_requests_total", {"tier": "disk"}, 0, id="by-tier"),
        pytest.param("ipfs_gateway_cache_purged_blocks_total", {}, 6, id="purged"),
        pytest.param("ipfs_gateway_cache_coldest_age_seconds", {}, 9.5, id="coldest"),
        pytest.param("ipfs_gateway_requests_total", {"cache": "miss"}, 9, id="cache-state"),
        pytest.param("ipfs_gateway_outcomes_total", {"outcome": "truncated"}, 2, id="outcome"),
        pytest.param("ipfs_gateway_outcomes_total", {"outcome": "left"}, 0, id="outcome-zero"),
        pytest.param("ipfs_gateway_served_bytes_total", {}, 38_000, id="served"),
        pytest.param("ipfs_gateway_ttfb_seconds_count", {"cache": "hit"}, 11, id="ttfb"),
        pytest.param("ipfs_gateway_verified_bytes_total", {}, 30, id="verified-bytes"),
        pytest.param("ipfs_gateway_blocks_verified_total", {}, 1, id="verified"),
        pytest.param(
            "ipfs_gateway_verification_failures_total",
            {"source": "a", "reason": "mismatch"},
            1,
            id="lies",
        ),
        pytest.param(
            "ipfs_gateway_evictions_total", {"tier": "disk", "reason": "capacity"}, 1, id="evicted"
        ),
        pytest.param(
            "ipfs_gateway_upstream_requests_total", {"upstream": "a", "step": "car"}, 1, id="asked"
        ),
        pytest.param(
            "ipfs_gateway_upstream_choices_total",
            {"upstream": "a", "reason": "nearest"},
            1,
            id="choices",
        ),
        pytest.param(
            "ipfs_gateway_upstream_errors_total",
            {"upstream": "a", "kind": "mismatch"},
            1,
            id="errors",
        ),
        pytest.param(
            "ipfs_gateway_upstream_received_bytes_total", {"upstream": "a"}, 50, id="received"
        ),
        pytest.param(
            "ipfs_gateway_upstream_ttfb_seconds_sum", {"upstream": "a"}, 0.3, id="upstream-ttfb"
        ),
        pytest.param(
            "ipfs_gateway_upstream_state", {"upstream": "a", "state": "ejected"}, 1, id="state"
        ),
        pytest.param(
            "ipfs_gateway_upstream_state", {"upstream": "a", "state": "healthy"}, 0, id="not-state"
        ),
        pytest.param("ipfs_gateway_upstream_in_flight", {"upstream": "a"}, 3, id="in-flight"),
        pytest.param("ipfs_gateway_cache_bytes", {"tier": "disk"}, 7, id="disk-bytes"),
        pytest.param("ipfs_gateway_cache_quarantined_total", {}, 2, id="quarantined"),
        pytest.param(
            "ipfs_gateway_worker_resident_memory_bytes", {"worker": "0"}, 50_000_000, id="rss"
        ),
        pytest.param("ipfs_gateway_worker_cpu_seconds_total", {"worker": "0"}, 1.5, id="cpu"),
        pytest.param("ipfs_gateway_worker_open_fds", {"worker": "0"}, 20, id="fds"),
    ],
)
def test_metric(name: str, labels: dict[str, str], expected: float) -> None:
    assert value(BUSY, name, **labels) == pytest.approx(expected)


def test_every_family_has_help_and_a_name_of_ours_or_boxo() -> None:
    found = families(IDLE)
    assert found.keys() == families(BUSY).keys()
    assert all(family.documentation for family in found.values())
    assert all(re.match(r"ipfs_(http_gw|http_blockstore|gateway)_", name) for name in found)


def test_no_label_is_made_of_a_request() -> None:
    page = render(BUSY).decode()
    assert RECORD.root not in page
    assert RECORD.client not in page


def test_the_version_is_told() -> None:
    build = families(IDLE)["ipfs_gateway_build_info"].samples[0]
    assert build.labels["version"] == __version__


@pytest.mark.parametrize(("problem", "expected"), [("", 0), ("a.deny is empty", 1)])
def test_a_denylist_tells_its_rules_and_whether_they_are_old(problem: str, expected: int) -> None:
    """Issue 12, 8."""
    workers = [worker_snapshot() for _ in range(2)]
    workers[0]["denylist"] = {"rules": 3, "read_at": 1.0, "problem": ""}
    workers[1]["denylist"] = {"rules": 7, "read_at": 2.0, "problem": problem}
    page = merge_workers(workers)
    assert value(page, "ipfs_gateway_denylist_rules") == 7
    assert value(page, "ipfs_gateway_denylist_problem") == expected
    assert families(IDLE)["ipfs_gateway_denylist_problem"].samples == []


def test_a_name_cannot_break_out_of_its_label() -> None:
    odd = 'a"} 1\nipfs_forged 2\n\\'
    told = Statistics()
    told.upstream_received(odd, 5)
    page = merge_workers([worker_snapshot(told)])
    assert value(page, "ipfs_gateway_upstream_received_bytes_total", upstream=odd) == 5


def test_no_worker_is_a_page_too() -> None:
    assert families(merge_workers([])).keys() == families(IDLE).keys()


def test_the_content_type_is_that_of_the_text_format() -> None:
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
