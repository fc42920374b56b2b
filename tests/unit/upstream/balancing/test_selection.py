"""Who is asked next, as a table."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ports import Place
from gateway.upstream.balancing.selection import Candidate, Wish, choose, find_distance_km

NOW = 1000.0
LATER = NOW + 30

STOCKHOLM = Place("SE", "EU", 59.33, 18.07)
TOKYO = Place("JP", "AS", 35.68, 139.69)
SWEDEN = Place("SE", "EU")

SE = Candidate("se", "public", "SE", 59.33, 18.07)
JP = Candidate("jp", "public", "JP", 35.68, 139.69)
US = Candidate("us", "public", "US", 40.71, -74.01)
A = Candidate("a", "public")
B = Candidate("b", "public")
NODE = Candidate("node", "cluster", "JP", 35.68, 139.69)


@pytest.mark.parametrize(
    ("candidates", "place", "chosen", "reason"),
    [
        pytest.param([A], None, "a", "only", id="one"),
        pytest.param([A, B], None, "a", "first", id="no-difference"),
        pytest.param([JP, US, SE], STOCKHOLM, "se", "nearest", id="sweden"),
        pytest.param([SE, US, JP], TOKYO, "jp", "nearest", id="japan"),
        pytest.param([JP, US, SE], None, "jp", "first", id="nowhere"),
        pytest.param([SE, NODE], STOCKHOLM, "node", "tier", id="cluster-before-near"),
        pytest.param([A, SE], STOCKHOLM, "se", "nearest", id="known-before-unknown"),
        pytest.param([A, JP], SWEDEN, "a", "first", id="country-tells-nothing"),
        pytest.param(
            [Candidate("x", "public", "JP"), Candidate("y", "public", "SE")],
            SWEDEN,
            "y",
            "nearest",
            id="same-country",
        ),
        pytest.param(
            [replace(A, ttfb_s=0.2), replace(B, ttfb_s=0.1)], None, "b", "fastest", id="measured"
        ),
        pytest.param(
            [replace(A, ttfb_s=0.1, in_flight=3), replace(B, ttfb_s=0.2)],
            None,
            "b",
            "fastest",
            id="busy",
        ),
        pytest.param([replace(A, ttfb_s=0.1), B], None, "b", "fastest", id="never-measured"),
        pytest.param(
            [replace(A, ttfb_s=5.0), replace(B, in_flight=1)],
            None,
            "a",
            "fastest",
            id="being-measured",
        ),
        pytest.param(
            [replace(SE, ttfb_s=1.0), replace(JP, ttfb_s=0.1)],
            STOCKHOLM,
            "jp",
            "fastest",
            id="much-faster-before-near",
        ),
        pytest.param(
            [replace(SE, ttfb_s=0.15), replace(JP, ttfb_s=0.1)],
            STOCKHOLM,
            "se",
            "nearest",
            id="near-before-a-little-faster",
        ),
        pytest.param(
            [replace(JP, ttfb_s=0.01), replace(US, ttfb_s=0.08)],
            STOCKHOLM,
            "us",
            "nearest",
            id="nearer-in-a-busy-moment",
        ),
        pytest.param(
            [replace(JP, ttfb_s=0.01), replace(US, ttfb_s=0.1)],
            STOCKHOLM,
            "jp",
            "fastest",
            id="nearer-but-slower",
        ),
        pytest.param(
            [replace(SE, ttfb_s=0.01), replace(JP, ttfb_s=0.3, is_probed_only=True)],
            TOKYO,
            "jp",
            "nearest",
            id="nearer-and-probed-while-all-was-busy",
        ),
        pytest.param(
            [replace(SE, ttfb_s=0.01), replace(JP, ttfb_s=0.4, is_probed_only=True)],
            TOKYO,
            "se",
            "fastest",
            id="nearer-and-slow-to-answer-probes",
        ),
        pytest.param(
            [replace(SE, ttfb_s=0.02, in_flight=20), replace(US, ttfb_s=0.1)],
            STOCKHOLM,
            "us",
            "fastest",
            id="near-and-busy",
        ),
        pytest.param(
            [replace(A, continent="AS"), replace(B, continent="EU")],
            SWEDEN,
            "b",
            "nearest",
            id="same-continent",
        ),
        pytest.param(
            [replace(A, in_flight=9, concurrency=9, ttfb_s=0.01), replace(B, ttfb_s=5.0)],
            None,
            "b",
            "others-full",
            id="full",
        ),
        pytest.param(
            [replace(A, in_flight=9, concurrency=9, ttfb_s=0.01)],
            None,
            "a",
            "only",
            id="all-full",
        ),
        pytest.param([replace(A, ejected_until=LATER), B], None, "b", "only", id="ejected"),
        pytest.param([replace(A, held_until=LATER), B], None, "b", "only", id="asked-to-wait"),
        pytest.param(
            [replace(A, ejected_until=LATER + 1), replace(B, ejected_until=LATER)],
            None,
            "b",
            "least-bad",
            id="all-ejected",
        ),
        pytest.param([replace(A, ejected_until=NOW), B], None, "a", "first", id="back-again"),
    ],
)
def test_choice(candidates: list[Candidate], place: Place | None, chosen: str, reason: str) -> None:
    choice = choose(candidates, place, NOW)
    assert choice is not None
    assert (choice.upstream, choice.reason) == (chosen, reason)


def test_after_a_failure_the_next_best_is_chosen() -> None:
    choice = choose([SE, JP, US], STOCKHOLM, NOW, Wish({"se"}))
    assert choice is not None
    assert (choice.upstream, choice.reason) == ("us", "next-after-failure")


@pytest.mark.parametrize(
    ("candidates", "exclude"),
    [
        pytest.param([], (), id="none"),
        pytest.param([A, B], ("a", "b"), id="all-excluded"),
        pytest.param([replace(A, held_until=LATER)], (), id="all-asked-to-wait"),
    ],
)
def test_nobody_is_chosen_when_nobody_is_left(
    candidates: list[Candidate], exclude: tuple[str, ...]
) -> None:
    assert choose(candidates, None, NOW, Wish(exclude)) is None


def test_choice_tells_distance_and_speed() -> None:
    choice = choose([replace(JP, ttfb_s=0.25, in_flight=2)], STOCKHOLM, NOW)
    assert choice is not None
    assert choice.distance_km == pytest.approx(8190, abs=30)
    assert (choice.ttfb_ms, choice.in_flight) == (250, 2)


def test_a_small_distance_is_no_match_for_speed() -> None:
    uppsala = Candidate("uppsala", "public", "SE", 59.86, 17.64, ttfb_s=0.01)
    choice = choose([replace(SE, ttfb_s=0.02), uppsala], STOCKHOLM, NOW)
    assert choice is not None
    assert (choice.upstream, choice.reason) == ("uppsala", "fastest")


HOLDERS = [replace(A, ttfb_s=0.1), replace(B, ttfb_s=1.0)]
EU = ["continent:EU"]
STALE = replace(JP, ttfb_s=0.5, measured_at=NOW - 10)
FRESH = replace(US, ttfb_s=0.5, measured_at=NOW - 9)


@pytest.mark.parametrize(
    ("candidates", "place", "wish", "chosen", "reason"),
    [
        pytest.param(HOLDERS, None, Wish(holders={"b"}), "b", "holder", id="holder-before-fast"),
        pytest.param(HOLDERS, None, Wish(holders={"a", "b"}), "a", "fastest", id="all-hold"),
        pytest.param(HOLDERS, None, Wish({"b"}, {"b"}), "a", "next-after-failure", id="failed"),
        pytest.param(
            [JP, replace(A, continent="EU")], SWEDEN, Wish(pins=EU), "a", "only", id="pinned"
        ),
        pytest.param([JP], TOKYO, Wish(pins=EU), "jp", "only", id="pinned-are-others"),
        pytest.param([JP], None, Wish(pins=EU), "jp", "only", id="pinned-place-unknown"),
        pytest.param(
            [JP, SE], SWEDEN, Wish(pins=["country:SE"]), "se", "only", id="pinned-country"
        ),
        pytest.param([SE, STALE], STOCKHOLM, Wish(explores=True), "jp", "explored", id="explores"),
        pytest.param(
            [SE, FRESH], STOCKHOLM, Wish(explores=True), "se", "fastest", id="measured-lately"
        ),
        pytest.param(
            [NODE, STALE], STOCKHOLM, Wish(explores=True), "node", "tier", id="explores-its-tier"
        ),
        pytest.param(
            [SE, FRESH, STALE, replace(STALE, name="old", measured_at=0)],
            STOCKHOLM,
            Wish(explores=True),
            "old",
            "explored",
            id="explores-the-oldest",
        ),
    ],
)
def test_choice_by_wish(
    candidates: list[Candidate], place: Place | None, wish: Wish, chosen: str, reason: str
) -> None:
    choice = choose(candidates, place, NOW, wish)
    assert choice is not None
    assert (choice.upstream, choice.reason) == (chosen, reason)


def test_a_pinned_client_is_served_by_nobody_rather_than_from_outside() -> None:
    assert choose([JP, US], STOCKHOLM, NOW, Wish(pins=EU)) is None


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
def test_distance_is_symmetric_and_bounded(
    lat1: float, lon1: float, lat2: float, lon2: float
) -> None:
    there = find_distance_km(
        Candidate("x", "public", None, lat2, lon2), Place(None, None, lat1, lon1)
    )
    back = find_distance_km(
        Candidate("x", "public", None, lat1, lon1), Place(None, None, lat2, lon2)
    )
    assert there is not None
    assert there == pytest.approx(back, abs=1e-6)
    assert 0 <= there <= 20_016


@given(
    st.lists(
        st.builds(
            Candidate,
            st.uuids().map(str),
            st.sampled_from(["cluster", "public"]),
            ttfb_s=st.none() | st.floats(0, 10),
            in_flight=st.integers(0, 100),
            ejected_until=st.floats(0, 2 * NOW),
        ),
        min_size=1,
        unique_by=lambda candidate: candidate.name,
    )
)
def test_somebody_is_chosen_and_nobody_ejected_before_others(candidates: list[Candidate]) -> None:
    choice = choose(candidates, None, NOW)
    assert choice is not None
    chosen = next(c for c in candidates if c.name == choice.upstream)
    assert chosen.ejected_until <= NOW or all(c.ejected_until > NOW for c in candidates)
