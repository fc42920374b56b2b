import pytest

from benchmarks.swaps import measure_swaps


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_few_tries_are_answered_in_order_and_hot() -> None:
    table = measure_swaps(20)
    assert [row[:6] for row in table.rows] == [
        (workers, kind, "20", "20", "0", "0")
        for workers in ("1", "2")
        for kind in ("in memory", "in a file")
    ]
