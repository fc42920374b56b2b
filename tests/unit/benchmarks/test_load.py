import pytest

from benchmarks.load import percentile


@pytest.mark.parametrize(
    ("share", "value"),
    [
        pytest.param(0.5, 1.0, id="median"),
        pytest.param(0.9, 20.0, id="most"),
        pytest.param(0.99, 20.0, id="nearly-all"),
        pytest.param(1.0, 300.0, id="all"),
    ],
)
def test_percentile_reads_a_histogram(share: float, value: float) -> None:
    assert percentile({300.0: 1, 1.0: 60, 20.0: 39}, share) == value


def test_percentile_of_nothing_is_zero() -> None:
    assert percentile({}, 0.5) == 0.0
