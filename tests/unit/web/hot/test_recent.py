"""A bounded number of values, and those in use stay."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.web.hot.recent import Recent


def test_what_is_used_stays_and_what_is_not_goes() -> None:
    recent: Recent[int, str] = Recent(8)
    recent.put(-1, "used")
    recent.put(-2, "not used")
    for number in range(100):
        recent.put(number, "once")
        assert recent.find(-1) == "used"
    assert recent.find(-2) is None
    assert recent.find(99) == "once"


@given(st.lists(st.integers(0, 30)))
def test_there_are_never_more_than_it_may_have(keys: list[int]) -> None:
    recent: Recent[int, int] = Recent(8)
    for key in keys:
        recent.put(key, key)
        assert recent.find(key) == key
        assert len(recent) <= 8


def test_a_value_is_replaced() -> None:
    recent: Recent[int, str] = Recent(2)
    recent.put(1, "a")
    recent.put(2, "b")
    recent.put(1, "c")
    assert (recent.find(1), len(recent)) == ("c", 2)


def test_whoever_wants_to_know_is_told_what_went() -> None:
    gone: list[set[int]] = []
    recent: Recent[int, int] = Recent(4, gone.append)
    for number in range(7):
        recent.put(number, number)
    recent.drop(6)
    assert gone == [set(), {0, 1}, {2, 3}]
    assert (recent.find(6), recent.find(5)) == (None, 5)
