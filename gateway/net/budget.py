"""How much more than one request for each request upstreams get. Pure: takes `now` (monotonic).

Retries and hedges help while few need them. When many do, they make the trouble worse, so both are
a share of the requests that are made anyway.
"""

from math import exp
from typing import Final

WINDOW_S: Final = 10.0  # time constant: a request counts 1 when it is made, and 1/e after this
RETRY_SHARE: Final = 0.2  # Envoy's budget_percent
RETRY_FLOOR: Final = 3.0  # Envoy's min_retry_concurrency
HEDGE_SHARE: Final = 0.02  # Dean and Barroso, The Tail at Scale: 2 % more mend the tail
MAX_HEDGES_AT_ONCE: Final = 20.0  # saved up: an upstream that stops has more requests under way


class RetryBudget:
    """Retries are a share of the requests of the last seconds, and a few are always allowed."""

    def __init__(self) -> None:
        self._asked = 0.0
        self._taken = 0.0
        self._at = 0.0

    def asked(self, now: float) -> None:
        """Count a request that is no retry."""
        self._fade(now)
        self._asked += 1

    def take(self, now: float) -> bool:
        """Allow one retry, and count it, if there may be one."""
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
    """Hedges are a share of all requests; what was not used is saved up, to a limit."""

    def __init__(self) -> None:
        self._credit = 1.0

    def asked(self) -> None:
        """Count a request that is no hedge."""
        self._credit = min(self._credit + HEDGE_SHARE, MAX_HEDGES_AT_ONCE)

    def take(self) -> bool:
        """Allow one hedge, and count it, if there may be one."""
        if self._credit < 1:
            return False
        self._credit -= 1
        return True
