"""Which upstream to ask next: a pure function of what is known about each, and of now.

In this order: allowed for the client's region, fit to be asked, known to hold the content, the
operator's own cluster before public gateways, and then the least cost: the expected time to the
first byte (measured, peak EWMA) times the requests under way, and on top of it what light needs for
the way between the client and the upstream. So the near one is asked by default, and left when it
is slower than the next one by more than the way there. Traces of a large public gateway show no
pattern of latency by continent: distance is a prior, not a verdict.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import asin, cos, inf, radians, sin, sqrt
from typing import Final

from gateway.ports import Choice, Place

ROUND_TRIP_S_PER_KM: Final = 1.5e-5
"""Light in fibre makes 200,000 km/s, there and back, on cables half again as long as the arc:
95 ms between Stockholm and New York."""
UNKNOWN_DISTANCE_KM: Final = 10_007.0  # mean distance of two points on the Earth
SAME_CONTINENT_KM: Final = 3_000.0  # between two cities of one continent, about
EARTH_RADIUS_KM: Final = 6371.0  # IUGG mean radius
TIERS: Final = ("cluster", "public", "routed")
NOISE_S: Final = 0.05
"""What a busy moment adds to a measured time: up to so much more, the near one is asked. Seattle is
570 km nearer to Stockholm than Tokyo, which is only 9 ms."""
NEARER_KM: Final = 300.0  # distances that differ by less are the same
EXPLORE_AFTER_S: Final = 10.0
"""A time to first byte that is newer need not be measured again by a client's request."""


class ChoiceReason(StrEnum):
    """What decided for an upstream."""

    ONLY = "only"
    """No other can be asked."""
    HOLDER = "holder"
    """It said, or its cluster did, that it has the content; the others did not."""
    TIER = "tier"
    """The others are of a later tier."""
    NEAREST = "nearest"
    FASTEST = "fastest"
    """By expected time to the first block: measured, times the requests under way."""
    FIRST = "first"
    """Nothing tells them apart but the order of the configuration."""
    OTHERS_FULL = "others-full"
    """A better one has as many requests as it may have."""
    EXPLORED = "explored"
    """One request in a hundred finds out how fast the others are by now."""
    NEXT = "next-after-failure"
    """A better one failed in this request."""
    HEDGED = "hedged"
    """Another one takes longer than it usually does."""
    ASKED_AROUND = "asked-around"
    """Another one does not have it: all others are asked at once."""
    PART = "part-of-many"
    """One upstream is slower than the reader: others bring parts of the file."""
    READ_AHEAD = "read-ahead"
    """It had the slices before this one, which nobody has asked for yet."""
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
    continent: str | None = None
    ttfb_s: float | None = None
    """Expected time to the first block; None when it was never measured."""
    measured_at: float = -inf
    """Monotonic time."""
    in_flight: int = 0
    concurrency: int = 256
    """How many requests it may have under way."""
    ejected_until: float = -inf
    """Monotonic time; ejected before it."""
    held_until: float = -inf
    """Monotonic time; it asked not to be asked before."""

    @property
    def has_room(self) -> bool:
        """Whether it may have one more request."""
        return self.in_flight < self.concurrency


@dataclass(frozen=True, slots=True)
class Wish:
    """What a choice has to look at beside the candidates."""

    exclude: Collection[str] = ()
    """Names of those that failed for this block already."""
    holders: Collection[str] = ()
    """Names of those that are known to have the content."""
    pins: Collection[str] = ()
    """Regions, as `continent:EU` or `country:SE`, whose clients are served from inside only."""
    explores: bool = False
    """Whether this request may be used to measure an upstream that is not the best."""


ANY: Final = Wish()


@dataclass(frozen=True, slots=True, order=True)
class _Rank:
    """The order of upstreams, field by field."""

    is_no_holder: bool
    tier: int
    cost_s: float
    index: int
    way_s: float
    """The part of the cost that is distance."""

    def reason_against(self, other: "_Rank") -> ChoiceReason:
        """Name what made the difference."""
        if self.is_no_holder != other.is_no_holder:
            return ChoiceReason.HOLDER
        if self.tier != other.tier:
            return ChoiceReason.TIER
        if self.cost_s == other.cost_s:
            return ChoiceReason.FIRST
        if self.cost_s > other.cost_s:
            return ChoiceReason.NEAREST
        saved_way_s = other.way_s - self.way_s
        is_near = saved_way_s > (other.cost_s - self.cost_s) / 2
        return ChoiceReason.NEAREST if is_near else ChoiceReason.FASTEST


def choose(
    candidates: Sequence[Candidate], place: Place | None, now: float, wish: Wish = ANY
) -> Choice | None:
    """Choose whom to ask for a client at `place`.

    Args:
        candidates: all upstreams, in the order of the configuration.
        place: where the client is; None when nobody knows.
        now: monotonic time.
        wish: what else counts.

    Returns:
        None when nobody is left: all are excluded, in other regions, or asked not to be asked yet.
    """
    left = [
        candidate
        for candidate in candidates
        if candidate.name not in wish.exclude
        and candidate.held_until <= now
        and is_allowed(candidate, place, wish.pins)
    ]
    if not left:
        return None
    fit = [candidate for candidate in left if candidate.ejected_until <= now]
    if not fit:
        best = min(left, key=lambda candidate: candidate.ejected_until)
        return _choice(best, ChoiceReason.LEAST_BAD, place)
    ranks = sorted(_rank(candidate, place, wish, index) for index, candidate in enumerate(fit))
    if wish.explores and (explored := _find_unexplored(fit, ranks, now)):
        return _choice(explored, ChoiceReason.EXPLORED, place)
    ranks = _nearest_first(ranks)
    with_room = [rank for rank in ranks if fit[rank.index].has_room]
    best_rank = (with_room or ranks)[0]
    reason = ChoiceReason.OTHERS_FULL if best_rank is not ranks[0] else _reason(ranks, wish)
    return _choice(fit[best_rank.index], reason, place)


def _nearest_first(ranks: list[_Rank]) -> list[_Rank]:
    """Put the nearest first if it costs hardly more than the best; `ranks` are in order."""
    best = ranks[0]
    near = [
        rank
        for rank in ranks[1:]
        if (rank.is_no_holder, rank.tier) == (best.is_no_holder, best.tier)
        and rank.cost_s - best.cost_s <= NOISE_S
        and best.way_s - rank.way_s >= NEARER_KM * ROUND_TRIP_S_PER_KM
    ]
    if not near:
        return ranks
    nearest = min(near, key=lambda rank: rank.way_s)
    return [nearest, *(rank for rank in ranks if rank is not nearest)]


def _reason(ranks: Sequence[_Rank], wish: Wish) -> ChoiceReason:
    """Say what decided for the first one."""
    if wish.exclude:
        return ChoiceReason.NEXT
    return ChoiceReason.ONLY if len(ranks) == 1 else ranks[0].reason_against(ranks[1])


def _find_unexplored(
    fit: Sequence[Candidate], ranks: Sequence[_Rank], now: float
) -> Candidate | None:
    """Return who was measured longest ago among the equals of the best; None if all are known."""
    best, *others = ranks
    equals = [
        fit[rank.index]
        for rank in others
        if (rank.is_no_holder, rank.tier) == (best.is_no_holder, best.tier)
    ]
    stale = [
        candidate
        for candidate in equals
        if candidate.has_room and now - candidate.measured_at >= EXPLORE_AFTER_S
    ]
    return min(stale, key=lambda candidate: candidate.measured_at, default=None)


def _choice(candidate: Candidate, reason: ChoiceReason, place: Place | None) -> Choice:
    ttfb_ms = None if candidate.ttfb_s is None else candidate.ttfb_s * 1000
    distance_km = find_distance_km(candidate, place)
    return Choice(candidate.name, reason, distance_km, ttfb_ms, candidate.in_flight)


def _rank(candidate: Candidate, place: Place | None, wish: Wish, index: int) -> _Rank:
    tier = TIERS.index(candidate.tier) if candidate.tier in TIERS else len(TIERS)
    way_s = find_way_s(candidate, place)
    cost_s = _expected_s(candidate) + way_s
    return _Rank(candidate.name not in wish.holders, tier, cost_s, index, way_s)


def _expected_s(candidate: Candidate) -> float:
    """Return seconds to a first block. Who was never measured is asked once, then waited for."""
    if candidate.ttfb_s is None:
        return inf if candidate.in_flight else 0.0
    return candidate.ttfb_s * (candidate.in_flight + 1)


def is_allowed(candidate: Candidate, place: Place | None, pins: Collection[str]) -> bool:
    """Tell whether an upstream may serve a client: pinned regions are served from inside only."""
    if place is None:
        return True
    return all(is_within(pin, candidate) for pin in pins if is_within(pin, place))


def is_within(pin: str, where: Place | Candidate) -> bool:
    """Tell whether somebody is in a region, as far as that is known."""
    kind, _, code = pin.partition(":")
    return code == (where.continent if kind == "continent" else where.country)


def find_distance_km(candidate: Candidate, place: Place | None) -> float | None:
    """Return how far the upstream is from the client.

    0 in the same country and `SAME_CONTINENT_KM` on the same continent when no more is known,
    None when nothing is.
    """
    if place is None:
        return None
    here = _point(place)
    there = _point(candidate)
    if here is not None and there is not None:
        return _haversine_km(here, there)
    if place.country is not None and place.country == candidate.country:
        return 0.0
    is_near = place.continent is not None and place.continent == candidate.continent
    return SAME_CONTINENT_KM if is_near else None


def find_way_s(candidate: Candidate, place: Place | None) -> float:
    """Return what light needs from the client to the upstream and back."""
    distance_km = find_distance_km(candidate, place)
    return ROUND_TRIP_S_PER_KM * (UNKNOWN_DISTANCE_KM if distance_km is None else distance_km)


def _point(place: Place | Candidate) -> tuple[float, float] | None:
    if place.latitude is None or place.longitude is None:
        return None
    return radians(place.latitude), radians(place.longitude)


def _haversine_km(here: tuple[float, float], there: tuple[float, float]) -> float:
    half = sin((there[0] - here[0]) / 2) ** 2
    half += cos(here[0]) * cos(there[0]) * sin((there[1] - here[1]) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(half)))
