import pytest

from gateway.ops.histogram import DURATION_BUCKETS_S, TTFB_BUCKETS_S, Histogram


@pytest.mark.parametrize(
    ("value", "bucket"),
    [
        pytest.param(0.0, 0, id="zero"),
        pytest.param(1.0, 0, id="on-the-bound"),
        pytest.param(1.5, 1, id="between"),
        pytest.param(99.0, 2, id="above-all"),
    ],
)
def test_observe_counts_in_the_bucket_whose_bound_is_not_below(value: float, bucket: int) -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.observe(value)
    expected = [0, 0, 0]
    expected[bucket] = 1
    assert histogram.snapshot() == {"counts": expected, "sum": value}


def test_add_takes_in_another_histogram() -> None:
    histogram = Histogram((1.0,))
    histogram.observe(0.5)
    histogram.add({"counts": [2, 3], "sum": 10.0})
    assert histogram.snapshot() == {"counts": [3, 3], "sum": 10.5}


def test_a_snapshot_does_not_change() -> None:
    histogram = Histogram((1.0,))
    before = histogram.snapshot()
    histogram.observe(0.5)
    assert before == {"counts": [0, 0], "sum": 0.0}


@pytest.mark.parametrize(
    "bounds",
    [pytest.param(DURATION_BUCKETS_S, id="duration"), pytest.param(TTFB_BUCKETS_S, id="ttfb")],
)
def test_bounds_grow(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))
