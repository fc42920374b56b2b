"""What an upstream may be asked: a token bucket and a budget for each day. Pure: takes `now`.

Public gateways are other people's. Where operators publish a limit, it is 200 requests a minute
for each address (Filebase, nftstorage.link) or 300 (4everland); an address beyond it is locked out.
"""

from math import inf
from typing import Final

from gateway.settings import DURATION_OF_RATE, UpstreamSettings

DAY_S: Final = 86_400.0  # from the first request on; a restart begins a new one
BURST_SHARE: Final = 0.1  # of a period's requests may come at once: a page and its pictures


class Quota:
    """Counts requests to one upstream.

    Args:
        settings: of the upstream.
        workers: processes that share what it allows; each takes its part.
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
        """Whether there is anything to count."""
        return self._burst < inf or self._per_day < inf

    def take(self, now: float) -> None:
        """Count a request; it is the caller's to ask before whether there may be one."""
        if self.is_limited:
            self._advance(now)
            self._tokens -= 1
            self._today += 1

    def ready_at(self, now: float) -> float:
        """Return when the next request may be made; in the past when it may be made now."""
        if not self.is_limited:
            return -inf
        self._advance(now)
        ready = -inf if self._tokens >= 1 else now + (1 - self._tokens) / self._per_s
        return ready if self._today + 1 <= self._per_day else self._day_began + DAY_S

    def left(self, now: float) -> int | None:
        """Return how many requests may be made at once; None when nothing limits them."""
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
