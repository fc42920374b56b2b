from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ops.top_roots import TopKeys, merge_rows

KEYS = st.lists(st.sampled_from("abcdefghijklmnop"), max_size=200)
CAPACITY = 4


def rows_of(keys: list[str], capacity: int = CAPACITY) -> list[list[str | int]]:
    top = TopKeys(capacity)
    for key in keys:
        top.add(key)
    return top.snapshot()


def check_bounds(rows: list[list[str | int]], keys: list[str], capacity: int) -> None:
    """The promises of Space-Saving, over `keys` in any order."""
    true = Counter(keys)
    held = {str(row[0]): (int(row[1]), int(row[2])) for row in rows}
    assert len(held) == len(rows) <= capacity
    assert all(count - error <= true[key] <= count for key, (count, error) in held.items())
    assert all(error * capacity <= len(keys) for _, error in held.values())
    assert all(key in held for key, count in true.items() if count * capacity > len(keys))


def test_counts_are_exact_while_there_is_room() -> None:
    assert rows_of(["a", "b", "a", "c"]) == [["a", 2, 0], ["b", 1, 0], ["c", 1, 0]]


def test_a_new_key_takes_the_place_of_the_least() -> None:
    assert rows_of(["a", "a", "b", "c"], capacity=2) == [["a", 2, 0], ["c", 2, 1]]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 20)), max_size=50))
def test_counting_several_at_once_keeps_the_promises(runs: list[tuple[str, int]]) -> None:
    top = TopKeys(CAPACITY)
    for key, times in runs:
        top.add(key, times)
    check_bounds(top.snapshot(), [key for key, times in runs for _ in range(times)], CAPACITY)


def test_a_popular_root_is_found_among_many_others() -> None:
    keys = [key for number in range(20_000) for key in ("hot", f"cold-{number}")]
    assert rows_of(keys, capacity=64)[0][0] == "hot"


@pytest.mark.property
@given(KEYS)
def test_counts_keep_their_promises(keys: list[str]) -> None:
    check_bounds(rows_of(keys), keys, CAPACITY)


@pytest.mark.property
@given(st.lists(KEYS, min_size=1, max_size=4))
def test_merged_counts_keep_them_too(parts: list[list[str]]) -> None:
    merged = merge_rows([rows_of(part) for part in parts], CAPACITY)
    check_bounds(merged, [key for part in parts for key in part], CAPACITY)


@pytest.mark.property
@given(st.lists(KEYS, min_size=1, max_size=4))
def test_the_order_of_workers_does_not_matter(parts: list[list[str]]) -> None:
    sketches = [rows_of(part) for part in parts]
    assert merge_rows(sketches, CAPACITY) == merge_rows(sketches[::-1], CAPACITY)


def test_merging_one_changes_nothing() -> None:
    rows = rows_of(["a", "b", "a", "c", "d", "e"])
    assert merge_rows([rows], CAPACITY) == rows
