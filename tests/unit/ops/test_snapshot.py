import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ops.record import CacheState, Outcome, RequestKind
from gateway.ops.snapshot import StatisticsSnapshot, merge
from gateway.ops.statistics import Statistics
from gateway.ports import Choice, Rejection, Tier
from tests.fakes.requests import RECORD

Event = Callable[[Statistics], None]


def finished(status: int, kind: RequestKind, cache: CacheState, outcome: Outcome) -> Event:
    record = RECORD._replace(
        status=status, kind=kind, cache=cache, outcome=outcome, duration_s=0.25, ttfb_s=0.5
    )

    def tell(statistics: Statistics) -> None:
        statistics.request_started()
        statistics.request_finished(record)

    return tell


REQUESTS = st.builds(
    finished,
    st.sampled_from([200, 206, 304, 404, 502]),
    st.sampled_from(RequestKind),
    st.sampled_from(CacheState),
    st.sampled_from(Outcome),
)
OTHERS: list[Event] = [
    Statistics.request_started,
    Statistics.block_missed,
    lambda statistics: statistics.block_found(Tier.DISK, 7),
    lambda statistics: statistics.block_verified(9),
    lambda statistics: statistics.block_rejected(Rejection.MISMATCH, "a"),
    lambda statistics: statistics.block_evicted(Tier.MEMORY, "capacity", 3),
    lambda statistics: statistics.upstream_asked(Choice("a", "first"), "car"),
    lambda statistics: statistics.upstream_asked(Choice("b", "fastest"), "raw"),
    lambda statistics: statistics.upstream_answered("a", "car", 0.125),
    lambda statistics: statistics.upstream_received("b", 5),
    lambda statistics: statistics.upstream_failed("b", "raw", "busy", "429"),
    lambda statistics: statistics.upstream_state("b", "ejected", "busy"),
]
EVENTS = st.lists(REQUESTS | st.sampled_from(OTHERS), max_size=30)


def told(events: list[Event]) -> StatisticsSnapshot:
    statistics = Statistics()
    for event in events:
        event(statistics)
    return statistics.snapshot()


@pytest.mark.property
@given(st.lists(EVENTS, min_size=1, max_size=4))
def test_workers_together_count_what_one_would_have(parts: list[list[Event]]) -> None:
    alone = told([event for part in parts for event in part])
    assert merge([told(part) for part in parts]) == alone


@pytest.mark.property
@given(st.lists(EVENTS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_workers_does_not_matter(
    parts: list[list[Event]], shuffler: random.Random
) -> None:
    snapshots = [told(part) for part in parts]
    merged = merge(snapshots)
    shuffler.shuffle(snapshots)
    assert merge(snapshots) == merged


@pytest.mark.property
@given(EVENTS, EVENTS, EVENTS)
def test_merging_in_steps_is_merging_at_once(
    one: list[Event], two: list[Event], three: list[Event]
) -> None:
    a, b, c = told(one), told(two), told(three)
    assert merge([merge([a, b]), c]) == merge([a, b, c])


def test_merging_leaves_the_parts_alone() -> None:
    part = told([OTHERS[0], OTHERS[6]])
    before = told([OTHERS[0], OTHERS[6]])
    merge([part, part])
    assert part == before
