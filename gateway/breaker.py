"""A circuit breaker: what failed a few times in a row is left alone for a while."""

from typing import Final

from gateway.ports import Clock

FAILURES: Final = 3
"""In a row, before the circuit breaks: one lost packet is no outage."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0


class Breaker:
    """Says whether to ask. After a pause one question is let through; its answer decides."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._closed_at_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last answers were failures."""
        return self._failures >= FAILURES

    def may_ask(self) -> bool:
        """Tell whether to ask now; who is told so must say how it went."""
        if not self.is_open:
            return True
        now_s = self._clock.monotonic()
        if now_s < self._closed_at_s:
            return False
        self._closed_at_s = now_s + self._pause_s()  # the others wait for this one
        return True

    def succeeded(self) -> None:
        """Take in an answer, whatever it was."""
        self._failures = 0

    def failed(self) -> bool:
        """Take in an error, or no answer in time; tell whether that breaks it just now."""
        self._failures += 1
        self._closed_at_s = self._clock.monotonic() + self._pause_s()
        return self._failures == FAILURES

    def _pause_s(self) -> float:
        doublings = min(max(self._failures - FAILURES, 0), 16)
        return min(FIRST_PAUSE_S * 2.0**doublings, LONGEST_PAUSE_S)
