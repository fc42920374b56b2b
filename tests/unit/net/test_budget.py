"""How many retries and hedges there may be."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.net.budget import MAX_HEDGES_AT_ONCE, HedgeBudget, RetryBudget

NOW = 1000.0


def test_a_few_retries_are_always_allowed() -> None:
    budget = RetryBudget()
    assert [budget.take(NOW) for _ in range(5)] == [True, True, True, False, False]


def test_retries_are_a_fifth_of_the_requests() -> None:
    budget = RetryBudget()
    for _ in range(100):
        budget.asked(NOW)
    assert sum(budget.take(NOW) for _ in range(100)) == 20


def test_retries_and_requests_fade() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.asked(NOW)
    assert sum(budget.take(NOW + 100) for _ in range(100)) == 3


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=300))
def test_retries_are_never_more_than_share_and_floor_in_a_window(
    steps: list[tuple[float, bool]],
) -> None:
    budget, now, asked, taken = RetryBudget(), NOW, 0, 0
    for passed_s, is_retry in steps:
        now += passed_s / len(steps)  # one second in all: next to nothing fades
        if is_retry:
            taken += budget.take(now)
        else:
            budget.asked(now)
            asked += 1
    assert taken <= max(3, 0.2 * asked) * 1.11 + 1


def test_hedges_are_one_in_fifty() -> None:
    budget, taken = HedgeBudget(), 0
    for _ in range(10_000):
        budget.asked()
        taken += budget.take()
    assert taken == 201


def test_what_is_saved_up_has_a_limit() -> None:
    budget = HedgeBudget()
    for _ in range(10_000):
        budget.asked()
    assert sum(budget.take() for _ in range(100)) == MAX_HEDGES_AT_ONCE
