"""How long an answer about a name counts."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.naming.held import Age, Held

HELD = Held("x", fresh_until=10, stale_until=20, grace_until=30, resting_until=0)
seconds = st.floats(0, 100)
helds = st.builds(Held, st.just("x"), seconds, seconds, seconds | st.just(inf), seconds)


@pytest.mark.parametrize(
    ("now", "age"),
    [
        pytest.param(9.9, Age.FRESH, id="fresh"),
        pytest.param(10, Age.STALE, id="its-time-is-over"),
        pytest.param(19.9, Age.STALE, id="stale"),
        pytest.param(20, Age.OLD, id="old"),
        pytest.param(29.9, Age.OLD, id="in-grace"),
        pytest.param(30, Age.GONE, id="gone"),
    ],
)
def test_an_answer_ages(now: float, age: Age) -> None:
    assert HELD.age(now) is age


@pytest.mark.parametrize(
    ("now", "age"),
    [
        pytest.param(5, Age.FRESH, id="fresh"),
        pytest.param(12, Age.RESTING, id="stale"),
        pytest.param(24, Age.RESTING, id="old"),
        pytest.param(25, Age.OLD, id="rested"),
        pytest.param(30, Age.GONE, id="gone"),
    ],
)
def test_an_answer_that_rests_is_not_asked_for_again(now: float, age: Age) -> None:
    assert HELD.rest(25).age(now) is age


@pytest.mark.property
@given(held=helds, now=seconds, later=seconds)
def test_an_answer_never_gets_fresh_again(held: Held[str], now: float, later: float) -> None:
    is_fresh_now = held.age(now) is Age.FRESH
    is_fresh_later = held.age(now + later) is Age.FRESH
    assert is_fresh_now or not is_fresh_later


@pytest.mark.property
@given(held=helds, now=seconds)
def test_what_is_left_is_the_time_to_the_end_of_freshness(held: Held[str], now: float) -> None:
    left_s = held.left_s(now)
    assert left_s >= 0
    assert (left_s > 0) == (held.age(now) is Age.FRESH)
    assert held.age(now + left_s + 1e-6) is not Age.FRESH
