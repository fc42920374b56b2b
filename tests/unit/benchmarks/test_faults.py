"""The tables of faults, from figures that are made up."""

from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.faults import faults_table
from benchmarks.report.fault_bars import check_faults
from benchmarks.rig.link import Fault
from benchmarks.rig.scenario import QUIET, SLOW, TROUBLES, Run, Scale

DOWN = next(trouble for trouble in TROUBLES if trouble.name == "down")
ONE_QUIET = Run(QUIET, [10.0] * 100, asked=100)
ONE_DOWN = Run(DOWN, [20.0] * 100, ejected_s=2.0, back_s=60.0, asked=110, hedges=2)


def missed(run: Run) -> list[str]:
    return [one.text for one in check_faults([ONE_QUIET, run]) if not one.is_held]


def test_every_fault_of_a_link_is_a_trouble() -> None:
    assert [trouble.name for trouble in TROUBLES[2:]] == list(Fault)[1:]


def test_a_row_compares_with_the_quiet_run() -> None:
    table = faults_table([ONE_QUIET, ONE_DOWN], Scale(100, 10, 1))
    assert table.rows[1] == (
        *("down", "100", "0", "20.0", "20.0", "2.00", "20", "2.0", "60.0", "1.100", "2.00%"),
    )


def test_all_is_held_at_the_limits() -> None:
    assert len(list(check_faults([ONE_QUIET, ONE_DOWN]))) == 2 + 5
    assert missed(ONE_DOWN) == []


@pytest.mark.parametrize(
    ("run", "promise"),
    [
        pytest.param(
            replace(ONE_DOWN, failures=Counter({"502": 1})), "down: 0 failed of 100", id="failed"
        ),
        pytest.param(
            replace(ONE_DOWN, latencies_ms=[21.0] * 100), "down: p99 <= 2 x quiet", id="late"
        ),
        pytest.param(replace(ONE_DOWN, ejected_s=2.1), "down: ejected within 2 s", id="slow-out"),
        pytest.param(replace(ONE_DOWN, ejected_s=None), "down: ejected within 2 s", id="never-out"),
        pytest.param(replace(ONE_DOWN, back_s=None), "down: back within 60 s", id="never-back"),
        pytest.param(replace(ONE_DOWN, hedges=3), "down: hedges <= 2% of requests", id="hedges"),
        pytest.param(Run(SLOW, [12.0] * 100), "slow: p99 <= 1.1 x quiet", id="slow-link"),
    ],
)
def test_what_is_not_held_is_missed(run: Run, promise: str) -> None:
    assert missed(run) == [promise]


def test_a_slow_upstream_need_not_be_ejected() -> None:
    assert missed(Run(SLOW, [11.0] * 100)) == []
