"""A cached answer about a name with its lifetimes. Pure: takes `now` (monotonic seconds)."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Generic, TypeVar

T = TypeVar("T")


class Age(Enum):
    """How a cached answer may be used."""

    FRESH = auto()
    """Use it."""
    RESTING = auto()
    """Expired, but the last search was a moment ago: use it, search no further."""
    STALE = auto()
    """Expired: use it, and search again in the background."""
    OLD = auto()
    """Search again, and use it only if the search fails."""
    GONE = auto()
    """Discard it."""


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """A cached answer; all its times are monotonic seconds."""

    value: T
    fresh_until: float
    stale_until: float
    """Until then it is used while a new search runs."""
    grace_until: float
    """Until then it is used if the search fails."""
    resting_until: float
    """Until then no new search begins: a published TTL of 0 must not cost a search for each
    request."""

    def age(self, now: float) -> Age:
        """Return how the answer may be used now."""
        if now < self.fresh_until:
            return Age.FRESH
        if now >= self.grace_until:
            return Age.GONE
        if now < self.resting_until:
            return Age.RESTING
        return Age.STALE if now < self.stale_until else Age.OLD

    def rest(self, until: float) -> "Held[T]":
        """Return the answer with no new search before `until`; for after a failed search."""
        return replace(self, resting_until=until)

    def left_s(self, now: float) -> float:
        """Return the seconds for which it is still fresh; 0 once it has expired."""
        return max(0.0, self.fresh_until - now)
