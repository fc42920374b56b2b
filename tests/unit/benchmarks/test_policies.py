from collections import Counter

import pytest

from benchmarks.policies import BARS, make_trace, measure_policies, missed_bars, oracle
from gateway.cache.policies import POLICIES, footprint, replay

CIDS = 20_000


def test_half_of_the_trace_is_asked_for_once() -> None:
    counts = Counter(asked.key for asked in make_trace(CIDS))
    assert sum(count == 1 for count in counts.values()) / len(counts) == pytest.approx(
        0.5, abs=0.02
    )


def test_sizes_are_those_of_the_paper() -> None:
    sizes = sorted({asked.key: asked.size for asked in make_trace(CIDS)}.values())
    assert sizes[CIDS // 2] == pytest.approx(664_590, rel=0.1)
    assert sum(size > 100_000 for size in sizes) / CIDS == pytest.approx(0.79, abs=0.02)


@pytest.mark.timeout(120)
def test_the_models_hit_as_the_oracle_does() -> None:
    trace = make_trace(5000)
    whole = footprint(trace)
    expected = {"memory tier (S3-FIFO)": "S3FIFO", "LRU": "LRU"}
    for name, other in expected.items():
        ours = replay(POLICIES[name](whole // 10), trace).requests
        theirs = oracle(other, whole // 10, trace)
        assert ours == pytest.approx(theirs or ours, abs=0.015)


def test_a_bar_that_is_missed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BARS, "LRU", (0.1, 0.99))
    assert [line for line in missed_bars(make_trace(2000)) if line.startswith("LRU")]


@pytest.mark.timeout(120)
def test_the_table_has_a_row_for_each_policy_and_for_the_oracle() -> None:
    (table,) = measure_policies(make_trace(1000))
    assert [row[0] for row in table.rows] == [*POLICIES, "libcachesim S3FIFO", "libcachesim LRU"]
