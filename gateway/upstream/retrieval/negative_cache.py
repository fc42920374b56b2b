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
class _Absence:
    said_at: float
    attempts: tuple[Attempt, ...]


class Absences:
    """Roots that nobody has, by multihash, the oldest first."""

    def __init__(self) -> None:
        self._absences: dict[bytes, _Absence] = {}

    def __len__(self) -> int:
        return len(self._absences)

    def note(self, multihash: bytes, attempts: Sequence[Attempt], now: float) -> None:
        """Remember that nobody has it."""
        self._absences.pop(multihash, None)
        if len(self._absences) >= MAX_ABSENCES:
            del self._absences[next(iter(self._absences))]
        self._absences[multihash] = _Absence(now, tuple(attempts))

    def find(self, multihash: bytes, now: float) -> tuple[Attempt, ...] | None:
        """Return who was asked and said no; None when nobody was asked lately."""
        absence = self._absences.get(multihash)
        if absence is None:
            return None
        age_s = now - absence.said_at
        if age_s >= ABSENT_S:
            del self._absences[multihash]
            return None
        return tuple(
            replace(attempt, outcome=f"{attempt.outcome}, it said {age_s:.1f} s ago")
            for attempt in absence.attempts
        )

    def forget(self, multihash: bytes) -> None:
        """Take note that it is here."""
        self._absences.pop(multihash, None)
