import pytest
from structlog.testing import capture_logs

from gateway.ops import events as module
from gateway.ops.events import LoggedStatistics
from gateway.ops.statistics import Statistics
from gateway.ports import Choice, Observer, Rejection
from tests.fakes.clock import FakeClock


def tell_all(observer: Observer) -> None:
    observer.block_rejected(Rejection.MISMATCH, "a")
    observer.upstream_asked(Choice("a", "nearest", 12.5), "car")
    observer.upstream_failed("a", "car", "mismatch", "sent bytes that do not match")
    observer.upstream_state("a", "ejected", "mismatch")


def test_everything_is_still_counted() -> None:
    plain, logged = Statistics(), LoggedStatistics(FakeClock())
    tell_all(plain)
    with capture_logs():
        tell_all(logged)
    assert logged.snapshot() == plain.snapshot()


def test_failures_and_states_are_written_in_the_same_words() -> None:
    with capture_logs() as logs:
        tell_all(LoggedStatistics(FakeClock()))
    assert logs == [
        {
            "event": "block_rejected",
            "source": "a",
            "kind": "mismatch",
            "skipped": 0,
            "log_level": "warning",
        },
        {
            "event": "upstream_failed",
            "source": "a",
            "kind": "mismatch",
            "step": "car",
            "reason": "sent bytes that do not match",
            "skipped": 0,
            "log_level": "warning",
        },
        {
            "event": "upstream_state",
            "upstream": "a",
            "state": "ejected",
            "reason": "mismatch",
            "log_level": "warning",
        },
    ]


def test_choices_are_written_when_asked_for() -> None:
    with capture_logs() as logs:
        LoggedStatistics(FakeClock(), with_choices=True).upstream_asked(
            Choice("a", "nearest", 12.5), "car"
        )
    assert logs == [
        {
            "event": "upstream_chosen",
            "upstream": "a",
            "reason": "nearest",
            "distance_km": 12.5,
            "ttfb_ms": None,
            "in_flight": 0,
            "step": "car",
            "log_level": "info",
        }
    ]


def test_a_storm_of_the_same_failure_is_one_line_a_second() -> None:
    clock = FakeClock()
    statistics = LoggedStatistics(clock)
    with capture_logs() as logs:
        for _ in range(1000):
            statistics.upstream_failed("a", "car", "busy", "429")
        statistics.upstream_failed("b", "car", "busy", "429")
        clock.advance(1)
        statistics.upstream_failed("a", "raw", "busy", "429")
    assert [(log["source"], log["skipped"]) for log in logs] == [("a", 0), ("b", 0), ("a", 999)]


_: Observer = LoggedStatistics(FakeClock())  # mypy proves that it fits the port


def test_what_was_written_is_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """issue 12, 14."""
    monkeypatch.setattr(module, "MAX_LABELS", 2)
    logged = LoggedStatistics(FakeClock())
    with capture_logs() as logs:
        for name in ("a", "a", "b", "b", "c", "c", "a"):
            logged.upstream_failed(name, "raw", "silent", "")
    told = [(log["source"], log["skipped"]) for log in logs]
    assert told == [("a", 0), ("b", 0), ("c", 0), ("a", 0)]
