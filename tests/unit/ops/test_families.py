import pytest
from prometheus_client import Metric

from gateway.ops.families import by_word, counter, gauge, histogram, untyped


def samples(metric: Metric) -> dict[str, float]:
    return {
        "|".join([sample.name, *sample.labels.values()]): sample.value for sample in metric.samples
    }


@pytest.mark.parametrize(
    ("metric", "kind", "name"),
    [
        pytest.param(
            counter("x", "help", ["l"], [(["a"], 2)]), "counter", "ipfs_x_total|a", id="c"
        ),
        pytest.param(gauge("x", "help", ["l"], [(["a"], 2)]), "gauge", "ipfs_x|a", id="g"),
        pytest.param(untyped("x", "help", ["l"], [(["a"], 2)]), "unknown", "ipfs_x|a", id="u"),
    ],
)
def test_families_have_a_type_a_help_text_and_rows(metric: Metric, kind: str, name: str) -> None:
    assert (metric.type, metric.documentation) == (kind, "help")
    assert samples(metric) == {name: 2}


def test_histogram_buckets_are_cumulative_and_end_with_infinity() -> None:
    rows = [("a", {"counts": [1, 2, 3], "sum": 4.5})]
    metric = histogram("x", "help", "l", (1.0, 2.0), rows)  # type: ignore[arg-type]  # a TypedDict
    assert samples(metric) == {
        "ipfs_x_bucket|a|1.0": 1,
        "ipfs_x_bucket|a|2.0": 3,
        "ipfs_x_bucket|a|+Inf": 6,
        "ipfs_x_count|a": 6,
        "ipfs_x_sum|a": 4.5,
    }


def test_words_that_must_be_there_are_there() -> None:
    assert by_word({"b": 2, "c": 3}, ["a", "b"]) == [(["a"], 0), (["b"], 2), (["c"], 3)]
