"""A circuit breaker: who has failed a few times in a row is left alone for a while."""

from math import inf
from typing import Final

from gateway.ports import Clock

BREAK_AFTER: Final = 3  # failures in a row
BREAK_S: Final = 10.0  # a restart takes a few seconds; an operator should not wait longer for us


class Breaker:
    """Says whether to ask. After a break one request tries alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._broken_until = -inf

    @property
    def is_broken(self) -> bool:
        """Whether it is left alone now."""
        return self._clock.monotonic() < self._broken_until

    def may_ask(self) -> bool:
        """Tell whether to ask now; whoever is told so has to report how it went."""
        if self.is_broken:
            return False
        if self._failures >= BREAK_AFTER:
            self._broken_until = self._clock.monotonic() + BREAK_S  # for all but this one
        return True

    def succeeded(self) -> None:
        """Take note that it answered."""
        self._failures = 0
        self._broken_until = -inf

    def failed(self) -> bool:
        """Take note that it did not; tell whether that breaks it just now."""
        self._failures += 1
        if self._failures < BREAK_AFTER:
            return False
        self._broken_until = self._clock.monotonic() + BREAK_S
        return self._failures == BREAK_AFTER
