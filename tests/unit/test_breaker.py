"""The breaker leaves alone what fails, and tries again later and later."""

import pytest

from gateway.breaker import FAILURES, FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker
from tests.fakes.clock import FakeClock


@pytest.fixture(name="clock")
def clock_fixture() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="breaker")
def breaker_fixture(clock: FakeClock) -> Breaker:
    return Breaker(clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed()


def test_a_few_failures_are_no_outage(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    assert breaker.may_ask()
    breaker.succeeded()
    fail(breaker, FAILURES - 1)
    assert not breaker.is_open


def test_the_failure_that_breaks_it_is_told(breaker: Breaker) -> None:
    assert [breaker.failed() for _ in range(FAILURES + 1)] == [
        *[False] * (FAILURES - 1),
        True,
        False,
    ]


def test_after_failures_in_a_row_nobody_asks_for_a_while(
    breaker: Breaker, clock: FakeClock
) -> None:
    fail(breaker, FAILURES)
    assert (breaker.is_open, breaker.may_ask()) == (True, False)
    clock.advance(FIRST_PAUSE_S)
    assert breaker.may_ask()


def test_one_alone_tries_whether_it_is_over(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, FAILURES)
    clock.advance(FIRST_PAUSE_S)
    assert [breaker.may_ask() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert breaker.may_ask()


def test_each_failed_try_makes_the_pause_longer_up_to_a_bound(
    breaker: Breaker, clock: FakeClock
) -> None:
    fail(breaker, FAILURES + 1)
    clock.advance(FIRST_PAUSE_S)
    assert not breaker.may_ask()
    fail(breaker, 100)
    clock.advance(LONGEST_PAUSE_S)
    assert breaker.may_ask()
