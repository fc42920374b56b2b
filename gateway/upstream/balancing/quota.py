"""The quota of an upstream: a token bucket and a daily limit. Pure: takes `now`.

Public gateways belong to others. Where their operators publish a limit, it is 200 requests a minute
per address (Filebase, nftstorage.link) or 300 (4everland); an address beyond it is locked out.
"""

from math import inf
from typing import Final

from gateway.settings import DURATION_OF_RATE, UpstreamSettings

DAY_S: Final = 86_400.0  # begins with the first request, and anew after a restart
BURST_SHARE: Final = 0.1  # of a period's requests may come at once: a page and its pictures


class Quota:
    """Counts the requests to one upstream against its limits.

    Args:
        settings: of the upstream, with the limits.
        workers: processes that share the limits in equal parts.
    """

    def __init__(self, settings: UpstreamSettings, workers: int = 1) -> None:
        self._per_s = inf
        self._burst = inf
        if settings.requests:
            count, _, period = settings.requests.partition("/")
            self._per_s = int(count) / DURATION_OF_RATE[period] / workers
            self._burst = max(1.0, int(count) * BURST_SHARE / workers)
        self._per_day = settings.daily_requests / workers if settings.daily_requests else inf
        self._tokens = self._burst
        self._filled_at = -inf
        self._day_began = -inf
        self._today = 0

    @property
    def is_limited(self) -> bool:
        """Whether the upstream has any limit."""
        return self._burst < inf or self._per_day < inf

    def take(self, now: float) -> None:
        """Count a request; the caller has checked `ready_at` before."""
        if self.is_limited:
            self._advance(now)
            self._tokens -= 1
            self._today += 1

    def ready_at(self, now: float) -> float:
        """Return when the next request is allowed; a time in the past means now."""
        if not self.is_limited:
            return -inf
        self._advance(now)
        ready = -inf if self._tokens >= 1 else now + (1 - self._tokens) / self._per_s
        return ready if self._today + 1 <= self._per_day else self._day_began + DAY_S

    def left(self, now: float) -> int | None:
        """Return how many requests are allowed at once; None without a limit."""
        if not self.is_limited:
            return None
        self._advance(now)
        return max(0, int(min(self._tokens, self._per_day - self._today)))

    def _advance(self, now: float) -> None:
        if self._burst < inf and now > self._filled_at:
            if self._filled_at > -inf:
                self._tokens += (now - self._filled_at) * self._per_s
            self._tokens = min(self._tokens, self._burst)
            self._filled_at = now
        if now - self._day_began >= DAY_S:
            self._day_began = now
            self._today = 0
