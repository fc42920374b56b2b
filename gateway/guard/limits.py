"""Request rates per client, as token buckets on monotonic time.

The package `limits` parses the rates. Its in-memory storage was measured and not used: 8.5 us to
count and 9.3 us to read the remainder (fixed window; 11 and 7 for the moving one), wall-clock
windows that move with the clock, and 340 bytes for each client until its window ends, without a
bound. The bucket below is the generic cell rate algorithm (ITU-T I.371): one float per client, the
theoretical arrival time at which its bucket is full again.
"""

from dataclasses import dataclass
from typing import Final

import limits

from gateway.client_table import ClientTable
from gateway.errors import BadSetting

MAX_NOTED: Final = 100_000  # clients between two exchanges; ten times those that one sends
SLACK_S: Final = 1e-6  # for rounding errors: a client exactly on time is not refused


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate: `amount` requests in `window_s` seconds."""

    amount: int
    window_s: int


def parse_rate(text: str) -> Rate | None:
    """Parse `600/minute` or `10 per 2 seconds`; None (no limit) for empty text.

    Raises:
        BadSetting: for any other text, and for a rate of zero.
    """
    if not text:
        return None
    try:
        items = limits.parse_many(text)
    except ValueError as exc:
        raise BadSetting("limits.requests", str(exc)) from None
    if len(items) != 1 or items[0].amount < 1:
        raise BadSetting("limits.requests", f'"{text}" is not one rate of at least 1')
    return Rate(items[0].amount, items[0].get_expiry())


class TokenBuckets:
    """One token bucket per key: `burst` requests at once, refilled at the rate.

    In any window of `rate.window_s` seconds at most `rate.amount + burst` requests pass.

    Args:
        rate: how fast buckets fill.
        burst: capacity of a bucket, in requests.
        table: holds the buckets; all processes that share it share the buckets.
    """

    def __init__(self, rate: Rate, burst: int, table: ClientTable) -> None:
        self._interval = rate.window_s / rate.amount
        self._depth = self._interval * max(1, burst)
        self._most = self._depth + SLACK_S
        self._longest = self._depth + rate.window_s
        self._claim = table.claim
        self._mask = table.mask
        self._tags = table.tags
        self._times = table.times
        self._taken: dict[str, int] | None = None

    def take(self, key: str, now: float) -> tuple[float, float]:
        """Count one request, unless it is over the limit.

        Args:
            key: of the bucket.
            now: monotonic seconds.

        Returns:
            `(wait_s, full_in_s)`: seconds until the request would be allowed, 0 when it is allowed
            now; and seconds until the bucket is full again.
        """
        tag = hash(key)
        slot = tag & self._mask
        if self._tags[slot] != tag:
            slot = self._claim(tag, now)
        full_at = self._times[slot]
        full_in = full_at - now if full_at > now else 0.0
        filled = full_in + self._interval
        if filled > self._most:
            if self._taken is not None:
                self._note(self._taken, key, 0)
            return filled - self._depth, full_in
        self._times[slot] = now + filled
        if self._taken is not None:
            self._note(self._taken, key, 1)
        return 0.0, filled

    @staticmethod
    def _note(taken: dict[str, int], key: str, count: int) -> None:
        taken[key] = taken.get(key, 0) + count
        if len(taken) > MAX_NOTED:
            del taken[next(iter(taken))]

    def hand_over(self) -> dict[str, int]:
        """Return the requests allowed since the last call by client, and reset the counts.

        0 for a client whose requests were all refused. Counting begins with the first call, so a
        caller has to go on calling.
        """
        taken, self._taken = self._taken, {}
        return taken or {}

    def empty(self, key: str, full_in_s: float, now: float) -> None:
        """Take out tokens that other gateways have given: it is full in `full_in_s` at best.

        At most the time of a window and a burst, so that a wrong value locks no client out longer.
        """
        slot = self._claim(hash(key), now)
        # In this order, because NaN is not greater than anything.
        self._times[slot] = max(self._times[slot], now + min(full_in_s, self._longest))

    def remaining(self, full_in_s: float) -> int:
        """Return how many requests may still come at once, given the `full_in_s` of `take`."""
        return max(0, int((self._most - full_in_s) / self._interval))
