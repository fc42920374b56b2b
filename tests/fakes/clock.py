"""A clock that tests move by hand."""

from gateway.ports import Clock


class FakeClock:
    """Starts at a round epoch so that expected dates read well."""

    def __init__(self, now: float = 1_700_000_000.0, monotonic: float = 1_000.0) -> None:
        self._now = now
        self._monotonic = monotonic

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock (NTP, an operator); monotonic time does not notice."""
        self._now += seconds


_: Clock = FakeClock()  # mypy proves the fake still fits the port
