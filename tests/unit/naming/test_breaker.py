"""Who fails is left alone for a while."""

import pytest

from gateway.naming.breaker import BREAK_AFTER, BREAK_S, Breaker
from tests.fakes.clock import FakeClock


@pytest.fixture(name="clock")
def clock_fixture() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="broken")
def broken_fixture(clock: FakeClock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(BREAK_AFTER):
        breaker.failed()
    return breaker


def test_a_few_failures_in_a_row_break_it(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    assert [breaker.failed() for _ in range(BREAK_AFTER + 1)] == [False, False, True, False]
    assert not breaker.may_ask()


def test_a_success_begins_the_count_again(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    for _ in range(2):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.may_ask()


def test_after_a_while_one_tries_alone(clock: FakeClock, broken: Breaker) -> None:
    clock.advance(BREAK_S)
    assert [broken.may_ask() for _ in range(3)] == [True, False, False]


def test_the_one_that_succeeds_lets_all_come(clock: FakeClock, broken: Breaker) -> None:
    clock.advance(BREAK_S)
    assert broken.may_ask()
    broken.succeeded()
    assert [broken.may_ask() for _ in range(3)] == [True, True, True]


def test_the_one_that_fails_breaks_it_again(clock: FakeClock, broken: Breaker) -> None:
    clock.advance(BREAK_S)
    broken.may_ask()
    assert not broken.failed()
    assert not broken.may_ask()


def test_one_that_never_reports_does_not_keep_it_broken(clock: FakeClock, broken: Breaker) -> None:
    clock.advance(BREAK_S)
    assert broken.may_ask()
    clock.advance(BREAK_S)
    assert broken.may_ask()
