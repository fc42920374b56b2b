"""What upstreams may be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import UpstreamSettings
from gateway.upstream.balancing.quota import Quota

NOW = 1000.0


def quota(requests: str = "", daily: int = 0, workers: int = 1) -> Quota:
    settings = UpstreamSettings(
        name="public", url="https://a", requests=requests, daily_requests=daily
    )
    return Quota(settings, workers)


def take_all(taken_from: Quota, now: float) -> int:
    taken = 0
    while taken_from.ready_at(now) <= now and taken < 10_000:
        taken_from.take(now)
        taken += 1
    return taken


def test_without_a_limit_nothing_is_counted() -> None:
    free = quota()
    free.take(NOW)
    assert (free.left(NOW), free.ready_at(NOW) <= NOW, free.is_limited) == (None, True, False)


def test_a_tenth_may_come_at_once_then_the_rate() -> None:
    limited = quota("60/minute")
    assert take_all(limited, NOW) == 6
    assert limited.left(NOW) == 0
    assert limited.ready_at(NOW) == pytest.approx(NOW + 1)
    assert take_all(limited, NOW + 1) == 1
    assert take_all(limited, NOW + 100) == 6


def test_a_small_limit_allows_one() -> None:
    assert take_all(quota("3/day"), NOW) == 1


def test_workers_share_it() -> None:
    assert take_all(quota("600/minute", workers=4), NOW) == 15


def test_a_day_has_its_budget() -> None:
    limited = quota(daily=5)
    assert take_all(limited, NOW) == 5
    assert limited.ready_at(NOW + 10) == NOW + 86_400
    assert take_all(limited, NOW + 86_400) == 5


def test_what_is_left_is_the_smaller_of_both() -> None:
    limited = quota("600/minute", daily=20)
    assert limited.left(NOW) == 20
    for _ in range(15):
        limited.take(NOW)
    assert limited.left(NOW + 100) == 5


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 500))
def test_never_more_than_burst_and_rate(pauses: list[float], count: int) -> None:
    limited, now, taken = quota(f"{count}/minute"), NOW, 0
    for pause in pauses:
        now += pause
        taken += take_all(limited, now)
    assert taken <= max(1.0, count * 0.1) + count / 60 * (now - NOW) + 1e-6
