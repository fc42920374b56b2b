"""The choice of the next upstream: a pure function of the candidates and the time.

Criteria in order: allowed for the client's region, healthy, known to hold the content, the
operator's own cluster before public gateways, and then the least cost. The cost is the expected
time to the first block (measured, peak EWMA) times the requests in flight, plus the time that light
needs between the client and the upstream and back. So the nearest one is the default, until it is
slower than another one by more than the extra distance. Traces of a large public gateway show no
pattern of latency by continent: distance is a prior, not a verdict.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import asin, cos, inf, radians, sin, sqrt
from typing import Final

from gateway.ports import Choice, Place

ROUND_TRIP_S_PER_KM: Final = 1.5e-5
"""Light in fibre travels 200,000 km/s, there and back, on cables half again as long as the arc:
95 ms between Stockholm and New York."""
UNKNOWN_DISTANCE_KM: Final = 10_007.0  # mean distance of two points on the Earth
SAME_CONTINENT_KM: Final = 3_000.0  # between two cities of one continent, about
EARTH_RADIUS_KM: Final = 6371.0  # IUGG mean radius
TIERS: Final = ("cluster", "public", "routed")
NOISE_S: Final = 0.05
"""Noise of a measured time: the nearest one is chosen if its cost is at most so much higher.
Seattle is 570 km nearer to Stockholm than Tokyo, which is only 9 ms."""
PROBE_NOISE_S: Final = 0.2
"""The same for a time that is of probes alone: at the start they share a busy core with imports and
wait for their connections (163 ms measured where requests then took 4)."""
NEARER_KM: Final = 300.0  # distances that differ by less count as equal
EXPLORE_AFTER_S: Final = 10.0
"""Age of a measurement from which a client's request may measure the upstream again."""


class ChoiceReason(StrEnum):
    """The criterion that decided for an upstream."""

    ONLY = "only"
    """No other one is available."""
    HOLDER = "holder"
    """It has the content, as it or its cluster reports; the others do not."""
    TIER = "tier"
    """The others are of a later tier."""
    NEAREST = "nearest"
    FASTEST = "fastest"
    """By expected time to the first block: measured, times the requests in flight."""
    FIRST = "first"
    """All else equal, the first one in the configuration."""
    OTHERS_FULL = "others-full"
    """A better one has reached its limit of concurrent requests."""
    EXPLORED = "explored"
    """One request in a hundred measures one of the others."""
    NEXT = "next-after-failure"
    """A better one failed in this request."""
    HEDGED = "hedged"
    """Another one takes longer than usual."""
    ASKED_AROUND = "asked-around"
    """Another one does not have the content: all others are asked at once."""
    PART = "part-of-many"
    """One upstream is slower than the reader: others deliver parts of the file."""
    READ_AHEAD = "read-ahead"
    """It had the slices before this one, which is prefetched."""
    OTHER_STEP = "other-step"
    """The same upstream again: a block instead of a CAR, or the other way round."""
    LEAST_BAD = "least-bad"
    """All are ejected; the ejection of this one ends first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The facts about one upstream that the selection uses."""

    name: str
    tier: str
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    continent: str | None = None
    ttfb_s: float | None = None
    """Expected time to the first block in seconds; None if never measured."""
    measured_at: float = -inf
    """Time of the last measurement; monotonic."""
    in_flight: int = 0
    concurrency: int = 256
    """Most requests in flight."""
    ejected_until: float = -inf
    """End of its ejection; monotonic."""
    held_until: float = -inf
    """End of its Retry-After, or of a used-up quota; monotonic."""
    is_probed_only: bool = False
    """Whether the expected time is of probes alone."""

    @property
    def has_room(self) -> bool:
        """Whether it may get one more request."""
        return self.in_flight < self.concurrency


@dataclass(frozen=True, slots=True)
class Wish:
    """The criteria of one choice beside the candidates."""

    exclude: Collection[str] = ()
    """Names of upstreams that have failed for this block."""
    holders: Collection[str] = ()
    """Names of upstreams that are known to have the content."""
    pins: Collection[str] = ()
    """Regions, as `continent:EU` or `country:SE`, whose clients are served from inside only."""
    explores: bool = False
    """Whether this request may measure an upstream that is not the best."""


ANY: Final = Wish()


@dataclass(frozen=True, slots=True, order=True)
class _Rank:
    """The sort key of an upstream, most important field first."""

    is_no_holder: bool
    tier: int
    cost_s: float
    index: int
    way_s: float
    """The part of the cost that is distance."""
    noise_s: float
    """The part of it that may be noise, at most."""

    def reason_against(self, other: "_Rank") -> ChoiceReason:
        """Return the criterion by which this rank beats `other`."""
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
    """Choose an upstream for a client at `place`.

    Args:
        candidates: all upstreams, in the order of the configuration.
        place: location of the client; None if unknown.
        now: monotonic time.
        wish: further criteria.

    Returns:
        The choice with its reason; None if all are excluded, in other regions, or held off.
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
    """Move the nearest one first if it costs hardly more than the best; `ranks` are sorted."""
    best = ranks[0]
    near = [
        rank
        for rank in ranks[1:]
        if (rank.is_no_holder, rank.tier) == (best.is_no_holder, best.tier)
        and rank.cost_s - best.cost_s <= rank.noise_s
        and best.way_s - rank.way_s >= NEARER_KM * ROUND_TRIP_S_PER_KM
    ]
    if not near:
        return ranks
    nearest = min(near, key=lambda rank: rank.way_s)
    return [nearest, *(rank for rank in ranks if rank is not nearest)]


def _reason(ranks: Sequence[_Rank], wish: Wish) -> ChoiceReason:
    """Return the criterion that decided for the first one."""
    if wish.exclude:
        return ChoiceReason.NEXT
    return ChoiceReason.ONLY if len(ranks) == 1 else ranks[0].reason_against(ranks[1])


def _find_unexplored(
    fit: Sequence[Candidate], ranks: Sequence[_Rank], now: float
) -> Candidate | None:
    """Return the equal of the best whose measurement is oldest; None if all are recent."""
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
    noise_s = PROBE_NOISE_S if candidate.is_probed_only else NOISE_S
    return _Rank(candidate.name not in wish.holders, tier, cost_s, index, way_s, noise_s)


def _expected_s(candidate: Candidate) -> float:
    """Return seconds to a first block; 0 for an unmeasured one, `inf` while it has a request."""
    if candidate.ttfb_s is None:
        return inf if candidate.in_flight else 0.0
    return candidate.ttfb_s * (candidate.in_flight + 1)


def is_allowed(candidate: Candidate, place: Place | None, pins: Collection[str]) -> bool:
    """Tell whether an upstream may serve a client: pinned regions are served from inside only."""
    if place is None:
        return True
    return all(is_within(pin, candidate) for pin in pins if is_within(pin, place))


def is_within(pin: str, where: Place | Candidate) -> bool:
    """Tell whether a client or upstream is known to be in a region."""
    kind, _, code = pin.partition(":")
    return code == (where.continent if kind == "continent" else where.country)


def find_distance_km(candidate: Candidate, place: Place | None) -> float | None:
    """Return the distance between client and upstream.

    Without coordinates: 0 in the same country, `SAME_CONTINENT_KM` on the same continent, else
    None.
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
    """Return the seconds that light needs from the client to the upstream and back."""
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
