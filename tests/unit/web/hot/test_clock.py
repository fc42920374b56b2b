"""A pool of entries: bounded whatever comes, and the ones in use stay."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from gateway.web.hot.clock import Pool


class Entry(NamedTuple):
    size_bytes: int


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 60), st.booleans()), max_size=60))
def test_a_pool_never_holds_more_than_its_capacity(
    steps: list[tuple[int, int, bool]],
) -> None:
    used: set[bytes] = set()
    dropped: list[bytes] = []
    pool = Pool[Entry](100, 50, used, dropped.append)
    for number, size, is_used in steps:
        key = b"%d" % number
        pool.put(key, Entry(size))
        used |= {key} if is_used and key in pool.entries else set()
        assert pool.size_bytes == sum(entry.size_bytes for entry in pool.entries.values()) <= 100
    assert used <= set(pool.entries)


def test_what_is_reserved_takes_room() -> None:
    reserved = [0]
    pool = Pool[Entry](100, 50, set(), lambda _: None, lambda: reserved[0])
    pool.put(b"a", Entry(50))
    pool.put(b"b", Entry(40))
    reserved[0] = 30
    pool.make_room()
    assert list(pool.entries) == [b"b"]
    assert pool.size_bytes == 70


def test_a_pool_without_capacity_keeps_nothing() -> None:
    pool = Pool[Entry](0, 0, set(), lambda _: None)
    pool.put(b"a", Entry(1))
    assert pool.entries == {}
