"""Prometheus metric families from plain numbers."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UnknownMetricFamily,
)

from gateway.ops.histogram import HistogramSnapshot

Rows = Iterable[tuple[Sequence[str], float]]
"""Label values and sample value of each row."""


def counter(name: str, text: str, labels: Sequence[str], rows: Rows) -> Metric:
    """Return a counter family; `_total` is added to its name."""
    family = CounterMetricFamily(f"ipfs_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def gauge(name: str, text: str, labels: Sequence[str], rows: Rows) -> Metric:
    """Return a gauge family."""
    family = GaugeMetricFamily(f"ipfs_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def untyped(name: str, text: str, labels: Sequence[str], rows: Rows) -> Metric:
    """Return an untyped family: a counter under boxo's name, which has no `_total`."""
    family = UnknownMetricFamily(f"ipfs_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def histogram(
    name: str,
    text: str,
    label: str,
    bounds: tuple[float, ...],
    rows: Iterable[tuple[str, HistogramSnapshot]],
) -> Metric:
    """Return a histogram family with one label; `bounds` are the upper bounds of its buckets."""
    family = HistogramMetricFamily(f"ipfs_{name}", text, labels=[label])
    for value, snapshot in rows:
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*bounds, "+Inf"), snapshot["counts"], strict=True):
            total += count
            buckets.append((str(bound), total))
        family.add_metric([value], buckets, snapshot["sum"])
    return family


def by_word(counts: Mapping[str, int], words: Iterable[str] = ()) -> list[tuple[list[str], float]]:
    """Return a row for each key of `counts`, and for each of `words` even if its count is 0."""
    every = dict.fromkeys((*(str(word) for word in words), *counts))
    return [([word], counts.get(word, 0)) for word in every]
