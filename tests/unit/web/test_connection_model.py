"""A short form of `python -m tests.fuzz.connection_model` (issue 12, A)."""

import pytest

from tests.fuzz.connection_model import Model

RUNS = 500


@pytest.mark.parametrize("first", [0, 1_000_000, 2_000_000, 3_000_000])
def test_random_pipelines_are_answered_in_order_and_whole(first: int) -> None:
    model = Model()
    problems = [model.run(number) for number in range(first, first + RUNS)]
    assert [problem for problem in problems if problem] == []
