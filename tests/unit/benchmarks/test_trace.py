"""The trace that is replayed, and its tables, from figures that are made up."""

import pytest

from benchmarks.rig.contenders import GATEWAY_ALONE, NGINX_CACHE, RAINBOW
from benchmarks.trace import (
    MEAN_BYTES,
    Hits,
    Replayed,
    count_hits,
    policy_hits,
    scaled_trace,
    trace_bars,
    trace_table,
)
from gateway.cache.policies import Asked

TRACE = scaled_trace(500)


def replayed(rate: float, memory: int = 0) -> Replayed:
    return Replayed(rate, 100, 1, 5, 70, 1 << 20, 2_000_000, Hits(memory, memory, 1000))


def test_a_request_has_the_mean_size_that_is_asked_for() -> None:
    sizes = [asked.size for asked in TRACE.requests]
    assert sum(sizes) / len(sizes) == pytest.approx(MEAN_BYTES, rel=0.01)
    assert TRACE.whole == sum(TRACE.sizes)
    assert len(TRACE.sizes) == 500


def test_hits_of_a_policy_are_those_after_the_caches_are_full() -> None:
    requests = [Asked(b"a", 1), Asked(b"b", 1), Asked(b"a", 1), Asked(b"c", 1)]
    assert policy_hits("LRU", 2, requests, warm=2) == 0.5


def test_requests_are_counted_by_the_slowest_tier_that_they_needed() -> None:
    figures = {
        "requests": {"hit": 8, "miss": 2},
        "requests_by_tier": {"hot": 3, "memory": 1, "disk": 4},
    }
    assert count_hits(figures) == Hits(memory=4, every=8, requests=10)
    assert Hits(4, 8, 10).since(Hits(1, 2, 3)) == Hits(3, 6, 7)


@pytest.mark.parametrize(
    ("ours", "verdicts"),
    [
        pytest.param(replayed(700, 490), ["held", "held", "held"], id="held"),
        pytest.param(replayed(699, 489), ["MISSED", "MISSED", "MISSED"], id="missed"),
    ],
)
def test_bars_are_rates_and_what_memory_holds(ours: Replayed, verdicts: list[str]) -> None:
    found = {NGINX_CACHE: replayed(1000), RAINBOW: replayed(35), GATEWAY_ALONE: ours}
    assert [row[-1] for row in trace_bars(found, memory=0.5).rows] == verdicts


def test_the_table_ends_with_what_the_policies_would_have_had() -> None:
    found = {NGINX_CACHE: replayed(1000), GATEWAY_ALONE: replayed(500, 400)}
    table = trace_table(found, TRACE, 0.5, 0.75)
    assert table.rows[1][:4] == (GATEWAY_ALONE, "500", "0.50", "100")
    assert table.rows[1][-2:] == ("40.0%", "40.0%")
    assert table.rows[-1] == ("policies", *("",) * 9, "50.0%", "75.0%")
    assert {len(row) for row in table.rows} == {len(table.columns)}
