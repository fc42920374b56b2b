"""Histograms with fixed buckets, as plain integers."""

from bisect import bisect_left
from typing import Final, TypedDict

DURATION_BUCKETS_S: Final = (
    0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0,
)  # fmt: skip
"""boxo's, so that its dashboards work."""

TTFB_BUCKETS_S: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
)  # fmt: skip
"""From a hot answer (under 0.1 ms) to the default time that an upstream is given (10 s)."""


class HistogramSnapshot(TypedDict):
    """What a histogram holds, for JSON."""

    counts: list[int]
    """By bucket, not cumulative; the last one is for all that is above the highest bound."""
    sum: float


class Histogram:
    """Counts observations by bucket: `bounds[i - 1] < value <= bounds[i]`."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count one observation, or several of the same value."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    def add(self, other: HistogramSnapshot) -> None:
        """Add the observations of a histogram with the same bounds."""
        self.counts = [sum(pair) for pair in zip(self.counts, other["counts"], strict=True)]
        self.sum += other["sum"]

    def snapshot(self) -> HistogramSnapshot:
        """Return a copy for JSON."""
        return {"counts": list(self.counts), "sum": self.sum}
