"""A circuit breaker: after a few failures in a row, calls are skipped for a while."""

from typing import Final

from gateway.ports import Clock

FAILURES: Final = 3
"""Failures in a row that open the circuit: one lost packet is not an outage."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0


class Breaker:
    """Decides whether to call a remote service; after a pause, one call probes it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._closed_at_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last calls failed."""
        return self._failures >= FAILURES

    def may_ask(self) -> bool:
        """Return whether to call now; if True, `succeeded` or `failed` must follow."""
        if not self.is_open:
            return True
        now_s = self._clock.monotonic()
        if now_s < self._closed_at_s:
            return False
        self._closed_at_s = now_s + self._pause_s()  # no other call before this one's result
        return True

    def succeeded(self) -> None:
        """Count an answer, whatever it says."""
        self._failures = 0

    def failed(self) -> bool:
        """Count an error or a timeout; return whether it has just opened the circuit."""
        self._failures += 1
        self._closed_at_s = self._clock.monotonic() + self._pause_s()
        return self._failures == FAILURES

    def _pause_s(self) -> float:
        doublings = min(max(self._failures - FAILURES, 0), 16)
        return min(FIRST_PAUSE_S * 2.0**doublings, LONGEST_PAUSE_S)
