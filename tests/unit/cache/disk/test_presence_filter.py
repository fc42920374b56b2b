"""The filter that says what is probably on the disk."""

import pytest

from gateway.cache.disk import presence_filter as presence
from gateway.cache.disk.presence_filter import PresenceFilter
from gateway.ports import MissReason
from tests.fakes.blocks import numbered


def keys(numbers: range) -> list[bytes]:
    return [numbered(number, 8).cid.multihash for number in numbers]


def test_remembers_what_was_added() -> None:
    seen = PresenceFilter()
    for key in keys(range(500)):
        seen.add(key)
    assert all(key in seen for key in keys(range(500)))


def test_seldom_claims_what_was_not_added() -> None:
    seen = PresenceFilter()
    for key in keys(range(2000)):
        seen.add(key)
    assert sum(key in seen for key in keys(range(10_000, 12_000))) <= 2


def test_knows_nothing_at_first() -> None:
    assert not any(key in PresenceFilter() for key in keys(range(20)))


@pytest.mark.parametrize(
    ("later", "is_known"),
    [pytest.param(100, True, id="one-turn"), pytest.param(200, False, id="two-turns")],
)
def test_forgets_what_was_not_touched_for_two_turns(
    monkeypatch: pytest.MonkeyPatch, later: int, *, is_known: bool
) -> None:
    monkeypatch.setattr(presence, "TURN_KEYS", 100)
    seen = PresenceFilter()
    (first, *others) = keys(range(later + 1))
    seen.add(first)
    for key in others[: later - 1]:
        seen.add(key)
    seen.add(others[-1])
    assert (first in seen) is is_known


def test_adding_again_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "TURN_KEYS", 3)
    seen = PresenceFilter()
    first, second, *_ = keys(range(2))
    for _ in range(10):
        seen.add(first)
    seen.add(second)
    assert first in seen
    assert second in seen


KEYS = keys(range(10))


def test_a_key_that_was_taken_out_is_gone_until_it_comes_again() -> None:
    seen = PresenceFilter()
    seen.add(KEYS[1])
    seen.discard(KEYS[1])
    assert KEYS[1] not in seen
    seen.add(KEYS[1])
    assert KEYS[1] in seen


def test_too_many_that_are_gone_are_forgotten_with_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = PresenceFilter()
    monkeypatch.setattr(presence, "MAX_GONE", 3)
    for number in range(10):
        seen.add(KEYS[number])
    for number in range(4):
        seen.discard(KEYS[number])
    assert [KEYS[number] in seen for number in range(10)] == [False] * 10


def test_why_a_block_is_missed_is_known_for_a_while() -> None:
    seen = PresenceFilter()
    seen.add(KEYS[1])
    seen.add(KEYS[2])
    seen.discard(KEYS[2])
    reasons = [seen.why_missed(KEYS[number]) for number in (1, 2, 3)]
    assert reasons == [MissReason.EVICTED, MissReason.PURGED, MissReason.ABSENT]
