"""Budgets for retries and hedges. Pure: takes `now` (monotonic seconds).

Retries and hedges help while few requests need them; when many do, they add to the overload. So
both are limited to a share of the regular requests.
"""

from math import exp
from typing import Final

WINDOW_S: Final = 10.0  # time constant: a request counts 1 at first, 1/e after this time
RETRY_SHARE: Final = 0.2  # Envoy's budget_percent
RETRY_FLOOR: Final = 3.0  # Envoy's min_retry_concurrency
HEDGE_SHARE: Final = 0.02  # Dean and Barroso, The Tail at Scale: 2 % more requests cut the tail
MAX_HEDGES_AT_ONCE: Final = 20.0  # credit saved up: an upstream that stops may have many in flight


class RetryBudget:
    """Allows retries as a share of the requests of the last seconds, and always a few."""

    def __init__(self) -> None:
        self._asked = 0.0
        self._taken = 0.0
        self._at = 0.0

    def asked(self, now: float) -> None:
        """Count a request that is not a retry."""
        self._fade(now)
        self._asked += 1

    def take(self, now: float) -> bool:
        """Return whether one more retry is allowed; if so, count it."""
        self._fade(now)
        if self._taken + 1 > max(RETRY_FLOOR, RETRY_SHARE * self._asked):
            return False
        self._taken += 1
        return True

    def _fade(self, now: float) -> None:
        rest = exp((self._at - now) / WINDOW_S)
        self._asked *= rest
        self._taken *= rest
        self._at = now


class HedgeBudget:
    """Allows hedges as a share of all requests; unused credit is saved up to a limit."""

    def __init__(self) -> None:
        self._credit = 1.0

    def asked(self) -> None:
        """Count a request that is not a hedge."""
        self._credit = min(self._credit + HEDGE_SHARE, MAX_HEDGES_AT_ONCE)

    def take(self) -> bool:
        """Return whether one more hedge is allowed; if so, count it."""
        if self._credit < 1:
            return False
        self._credit -= 1
        return True
