import pytest

from benchmarks.restarts import (
    LARGE_BYTES,
    Restart,
    make_items,
    measure_restarts,
    restarts_table,
)

WELL = Restart(answers_s=0.5, ready_s=0.6, hit_s=0.7, hits=0.995, wrong=0)


def test_a_tenth_of_the_blocks_is_large_and_the_rest_small() -> None:
    sizes = [item.size for item in make_items(20_000)]
    assert sizes.count(LARGE_BYTES) / len(sizes) == pytest.approx(0.1, abs=0.01)
    assert all(1024 <= size < 16 * 1024 for size in sizes if size != LARGE_BYTES)


@pytest.mark.parametrize(
    ("one", "is_held"),
    [
        pytest.param(WELL, True, id="all-well"),
        pytest.param(Restart(0.5, 2.1, 2.1, 1.0, 0), False, id="ready-late"),
        pytest.param(Restart(0.5, 0.6, 2.1, 1.0, 0), False, id="first-hit-late"),
        pytest.param(Restart(0.5, 0.6, 0.7, 0.98, 0), False, id="blocks-lost"),
        pytest.param(Restart(0.5, 0.6, 0.7, 1.0, 1), False, id="a-wrong-body"),
    ],
)
def test_a_row_says_whether_the_bar_is_held(one: Restart, is_held: bool) -> None:  # noqa: FBT001 (a table)
    ((*_, verdict),) = restarts_table([(1, one)], "").rows
    assert ("MISSED" not in verdict) is is_held


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_killed_gateways_have_all_their_blocks_when_they_start_again() -> None:
    table = measure_restarts(40, rounds=1)
    assert [(row[0], row[4], row[5]) for row in table.rows] == [
        ("1", "100.00%", "0"),
        ("2", "100.00%", "0"),
    ]
