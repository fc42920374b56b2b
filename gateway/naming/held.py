"""What was found out about a name, and for how long that counts. Pure: takes `now`."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Generic, TypeVar

T = TypeVar("T")


class Age(Enum):
    """What to do with an answer of some age."""

    FRESH = auto()
    """Use it."""
    RESTING = auto()
    """Its time is over, but it was asked for a moment ago: use it and let it be."""
    STALE = auto()
    """Use it, and ask again in the background."""
    OLD = auto()
    """Ask again, and use it only if nobody answers."""
    GONE = auto()
    """Forget it."""


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """An answer with its times, all monotonic."""

    value: T
    fresh_until: float
    stale_until: float
    """Until then it is used while it is asked for again."""
    grace_until: float
    """Until then it is used when nobody answers."""
    resting_until: float
    """Until then it is not asked for again: whoever publishes a TTL of 0 cannot make each request
    cost a search."""

    def age(self, now: float) -> Age:
        """Tell what to do with it."""
        if now < self.fresh_until:
            return Age.FRESH
        if now >= self.grace_until:
            return Age.GONE
        if now < self.resting_until:
            return Age.RESTING
        return Age.STALE if now < self.stale_until else Age.OLD

    def rest(self, until: float) -> "Held[T]":
        """Return it as one that nobody could bring a newer answer for."""
        return replace(self, resting_until=until)

    def left_s(self, now: float) -> float:
        """Return the seconds for which it is fresh."""
        return max(0.0, self.fresh_until - now)
