"""Request rates per client, as token buckets on monotonic time.

`limits` reads the rates. Its in-memory storage was measured and not taken: 8.5 us to count and
9.3 us to read the remainder (fixed window; 11 and 7 for the moving one), wall-clock windows that
move with the clock, and 340 bytes for each client until its window ends, without a bound. The
bucket below is the generic cell rate algorithm (ITU-T I.371): one float per client, the
theoretical arrival time (TAT) at which its bucket is full again.
"""

from dataclasses import dataclass
from typing import Final

import limits

from gateway.errors import BadSetting

MAX_CLIENTS: Final = 262_144  # about 45 MB of table: 170 bytes for a key, a float and their slots
MIN_TURN_S: Final = 1.0  # small buckets fill faster; turning more often would gain nothing
SLACK_S: Final = 1e-6  # rounding of the sums, so that a client exactly on time is not refused


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    amount: int
    window_s: int


def parse_rate(text: str) -> Rate | None:
    """Read `600/minute` or `10 per 2 seconds`; the empty text is no limit.

    Raises:
        BadSetting: for anything else, zero included.
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
    """One bucket per key: `burst` requests at once, refilled at the rate.

    In any window of `rate.window_s` seconds at most `rate.amount + burst` requests pass.

    The table holds two generations. A bucket untouched for the time that it takes to fill is as
    good as none, so a generation that old is dropped whole and nothing is ever swept. When more
    than `max_keys` clients come within that time, those not seen for longest are forgotten: they
    have a full bucket again.
    """

    def __init__(self, rate: Rate, burst: int, max_keys: int = MAX_CLIENTS) -> None:
        self._interval = rate.window_s / rate.amount
        self._depth = self._interval * max(1, burst)
        self._most = self._depth + SLACK_S
        self._max_young = max(1, max_keys // 2)
        self._young: dict[str, float] = {}  # key to TAT
        self._old: dict[str, float] = {}
        self._turn_at = 0.0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def take(self, key: str, now: float) -> tuple[float, float]:
        """Count one request, unless it is over the limit.

        Args:
            key: whose bucket.
            now: monotonic seconds.

        Returns:
            `(wait_s, full_in_s)`: seconds until the request would be allowed, 0 when it is allowed
            now; and seconds until the bucket is full again.
        """
        if now >= self._turn_at or len(self._young) >= self._max_young:
            self._turn(now)
        arrival = self._young.get(key) or self._old.get(key, now)
        full_in = arrival - now if arrival > now else 0.0
        filled = full_in + self._interval
        if filled > self._most:
            return filled - self._depth, full_in
        self._young[key] = now + filled
        return 0.0, filled

    def remaining(self, full_in_s: float) -> int:
        """Return how many requests may still come at once, by what `take` returned."""
        return max(0, int((self._most - full_in_s) / self._interval))

    def _turn(self, now: float) -> None:
        self._old, self._young = self._young, {}
        self._turn_at = now + max(self._depth, MIN_TURN_S)
