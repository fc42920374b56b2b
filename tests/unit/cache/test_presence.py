"""The filter that says what is probably on the disk."""

import pytest

from gateway.cache import presence
from gateway.cache.presence import Presence
from tests.fakes.blocks import numbered


def keys(numbers: range) -> list[bytes]:
    return [numbered(number, 8).cid.multihash for number in numbers]


def test_remembers_what_was_added() -> None:
    seen = Presence()
    for key in keys(range(500)):
        seen.add(key)
    assert all(key in seen for key in keys(range(500)))


def test_seldom_claims_what_was_not_added() -> None:
    seen = Presence()
    for key in keys(range(2000)):
        seen.add(key)
    assert sum(key in seen for key in keys(range(10_000, 12_000))) <= 2


def test_knows_nothing_at_first() -> None:
    assert not any(key in Presence() for key in keys(range(20)))


@pytest.mark.parametrize(
    ("later", "is_known"),
    [pytest.param(100, True, id="one-turn"), pytest.param(200, False, id="two-turns")],
)
def test_forgets_what_was_not_touched_for_two_turns(
    monkeypatch: pytest.MonkeyPatch, later: int, *, is_known: bool
) -> None:
    monkeypatch.setattr(presence, "TURN_KEYS", 100)
    seen = Presence()
    (first, *others) = keys(range(later + 1))
    seen.add(first)
    for key in others[: later - 1]:
        seen.add(key)
    seen.add(others[-1])
    assert (first in seen) is is_known


def test_adding_again_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "TURN_KEYS", 3)
    seen = Presence()
    first, second, *_ = keys(range(2))
    for _ in range(10):
        seen.add(first)
    seen.add(second)
    assert first in seen
    assert second in seen
