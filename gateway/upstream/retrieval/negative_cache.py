"""What no upstream has, as they said a moment ago. Pure: takes `now` (monotonic seconds).

Half of what is asked of a public gateway has no provider (RFM3, 2022): the second request for it
gets its 404 at once. An entry lives for a moment only, because nobody tells us when the content
appears elsewhere, and goes when the block comes here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.errors import Attempt

ABSENT_S: Final = 3.0
"""What appears is served within 5 s, the time of a fetch included. A browser that reloads, or
a page that names the same missing picture ten times, costs one search."""
MAX_ABSENCES: Final = 4096  # 1 KB each with the attempts of three upstreams


@dataclass(frozen=True, slots=True)
class _NegativeEntry:
    said_at: float
    attempts: tuple[Attempt, ...]


class NegativeCache:
    """Blocks that nobody has, by multihash, the oldest first."""

    def __init__(self) -> None:
        self._negative_cache: dict[bytes, _NegativeEntry] = {}

    def __len__(self) -> int:
        return len(self._negative_cache)

    def note(self, multihash: bytes, attempts: Sequence[Attempt], now: float) -> None:
        """Remember that nobody has it."""
        self._negative_cache.pop(multihash, None)
        if len(self._negative_cache) >= MAX_ABSENCES:
            del self._negative_cache[next(iter(self._negative_cache))]
        self._negative_cache[multihash] = _NegativeEntry(now, tuple(attempts))

    def find(self, multihash: bytes, now: float) -> tuple[Attempt, ...] | None:
        """Return who was asked and said no; None when nobody was asked lately."""
        absence = self._negative_cache.get(multihash)
        if absence is None:
            return None
        age_s = now - absence.said_at
        if age_s >= ABSENT_S:
            del self._negative_cache[multihash]
            return None
        return tuple(
            replace(attempt, outcome=f"{attempt.outcome}, it said {age_s:.1f} s ago")
            for attempt in absence.attempts
        )

    def forget(self, multihash: bytes) -> None:
        """Take note that it is here."""
        self._negative_cache.pop(multihash, None)
