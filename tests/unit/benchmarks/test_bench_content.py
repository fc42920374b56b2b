import pytest

from benchmarks.micro.bench_content import Case, cases, measure_us


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases()])
def test_every_case_runs_and_takes_some_time(case: Case) -> None:
    assert measure_us(case.run, batches=1) > 0


def test_the_two_promises_have_bars() -> None:
    bars = {case.bar_us for case in cases() if case.bar_us is not None}
    assert bars == {15.0, 250.0}
