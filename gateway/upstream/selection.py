"""Which upstream to ask next: a pure function of what is known about each.

In this order: fit to be asked, the operator's own cluster before public gateways, near the client
before far, fast before slow, and what the configuration names first. Measured traces of a large
public gateway show no pattern of latency by continent, so distance is only told apart in steps
of `DISTANCE_STEP_KM`, and the measured time decides within a step.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import asin, cos, inf, radians, sin, sqrt
from typing import Final

from gateway.ports import Choice, Place

DISTANCE_STEP_KM: Final = 100.0  # about 1 ms of round trip in fibre; GeoIP is no better anyway
UNKNOWN_DISTANCE_KM: Final = 10_007.0  # mean distance of two points on the Earth
EARTH_RADIUS_KM: Final = 6371.0  # IUGG mean radius
TIERS: Final = ("cluster", "public")


class ChoiceReason(StrEnum):
    """What decided for an upstream."""

    ONLY = "only"
    """No other can be asked."""
    TIER = "tier"
    """The others are of a later tier."""
    NEAREST = "nearest"
    FASTEST = "fastest"
    """By expected time to the first block: measured, times the requests under way."""
    FIRST = "first"
    """Nothing tells them apart but the order of the configuration."""
    NEXT = "next-after-failure"
    """A better one failed in this request."""
    OTHER_STEP = "other-step"
    """The same upstream again: a block instead of a CAR, or the other way round."""
    LEAST_BAD = "least-bad"
    """All are ejected; this one is to return first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What selection knows about one upstream."""

    name: str
    tier: str
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    ttfb_s: float | None = None
    """Expected time to the first block; None when it was never measured."""
    in_flight: int = 0
    ejected_until: float = -inf
    """Monotonic time; ejected before it."""
    held_until: float = -inf
    """Monotonic time; it asked not to be asked before."""


@dataclass(frozen=True, slots=True, order=True)
class _Rank:
    """The order of upstreams, field by field."""

    tier: int
    step: int
    cost: float
    index: int

    def reason_against(self, other: "_Rank") -> ChoiceReason:
        """Name the first difference."""
        if self.tier != other.tier:
            return ChoiceReason.TIER
        if self.step != other.step:
            return ChoiceReason.NEAREST
        return ChoiceReason.FASTEST if self.cost != other.cost else ChoiceReason.FIRST


def choose(
    candidates: Sequence[Candidate],
    place: Place | None,
    now: float,
    exclude: Collection[str] = (),
) -> Choice | None:
    """Choose whom to ask for a client at `place`.

    Args:
        candidates: all upstreams, in the order of the configuration.
        place: where the client is; None when nobody knows.
        now: monotonic time.
        exclude: names of those that failed for this block already.

    Returns:
        None when nobody is left: all are excluded or asked not to be asked yet.
    """
    left = [c for c in candidates if c.name not in exclude and c.held_until <= now]
    fit = [c for c in left if c.ejected_until <= now]
    if not left:
        return None
    if not fit:
        best = min(left, key=lambda candidate: candidate.ejected_until)
        return _choice(best, ChoiceReason.LEAST_BAD, place)
    ranks = sorted(_rank(candidate, place, index) for index, candidate in enumerate(fit))
    best = fit[ranks[0].index]
    if exclude:
        reason = ChoiceReason.NEXT
    elif len(fit) == 1:
        reason = ChoiceReason.ONLY
    else:
        reason = ranks[0].reason_against(ranks[1])
    return _choice(best, reason, place)


def _choice(candidate: Candidate, reason: ChoiceReason, place: Place | None) -> Choice:
    ttfb_ms = None if candidate.ttfb_s is None else candidate.ttfb_s * 1000
    return Choice(candidate.name, reason, find_distance_km(candidate, place), ttfb_ms)


def _rank(candidate: Candidate, place: Place | None, index: int) -> _Rank:
    distance = find_distance_km(candidate, place)
    if distance is None:
        distance = UNKNOWN_DISTANCE_KM
    tier = TIERS.index(candidate.tier) if candidate.tier in TIERS else len(TIERS)
    return _Rank(tier, int(distance / DISTANCE_STEP_KM), _cost(candidate), index)


def _cost(candidate: Candidate) -> float:
    """Expected seconds to a first block. Who was never measured is asked once, then waited for."""
    if candidate.ttfb_s is None:
        return inf if candidate.in_flight else 0.0
    return candidate.ttfb_s * (candidate.in_flight + 1)


def find_distance_km(candidate: Candidate, place: Place | None) -> float | None:
    """Return how far the upstream is from the client.

    0 in the same country when no more is known, None when nothing is.
    """
    if place is None:
        return None
    here = _point(place)
    there = _point(candidate)
    if here is not None and there is not None:
        return _haversine_km(here, there)
    return 0.0 if place.country is not None and place.country == candidate.country else None


def _point(place: Place | Candidate) -> tuple[float, float] | None:
    if place.latitude is None or place.longitude is None:
        return None
    return radians(place.latitude), radians(place.longitude)


def _haversine_km(here: tuple[float, float], there: tuple[float, float]) -> float:
    half = sin((there[0] - here[0]) / 2) ** 2
    half += cos(here[0]) * cos(there[0]) * sin((there[1] - here[1]) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(half)))
