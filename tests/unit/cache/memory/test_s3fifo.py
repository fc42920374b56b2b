"""The queues: bounded, and as good as those of the paper's own simulator."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.memory.s3fifo import Entry, S3Fifo

CAPACITY = 100


def ask(queues: S3Fifo[int], number: int, cost: int = 10) -> bool:
    key = number.to_bytes(2, "big")
    if queues.find(key) is not None:
        return True
    queues.put(key, Entry(number, cost))
    return False


def numbers_in(queues: S3Fifo[int], numbers: range) -> list[int]:
    return [number for number in numbers if number.to_bytes(2, "big") in queues]


def test_what_is_wanted_again_and_again_survives_a_scan() -> None:
    queues: S3Fifo[int] = S3Fifo(CAPACITY)
    for _ in range(3):
        ask(queues, 1)
    for number in range(100, 200):
        ask(queues, number)
    assert numbers_in(queues, range(10)) == [1]


def test_a_ghost_that_comes_back_goes_to_the_main_queue() -> None:
    queues: S3Fifo[int] = S3Fifo(CAPACITY)
    for number in range(1, 12):
        ask(queues, number)
    assert numbers_in(queues, range(1, 12)) == list(range(2, 12))
    ask(queues, 1)
    for number in range(100, 109):
        ask(queues, number)
    assert 1 in numbers_in(queues, range(12))


def test_what_had_to_go_is_told() -> None:
    queues: S3Fifo[int] = S3Fifo(CAPACITY)
    gone = [queues.put(bytes([n]), Entry(n, 40)) for n in range(3)]
    assert [[entry.value for entry in step] for step in gone] == [[], [], [0]]


def test_a_smaller_capacity_lets_things_go() -> None:
    queues: S3Fifo[int] = S3Fifo(CAPACITY)
    for number in range(5):
        ask(queues, number)
    assert [entry.value for entry in queues.resize(30)] == [0, 1]
    assert queues.size == 30


def test_removed_and_cleared_things_leave_nothing() -> None:
    queues: S3Fifo[int] = S3Fifo(CAPACITY)
    ask(queues, 1)
    ask(queues, 2)
    assert queues.remove(b"\0\1")
    assert not queues.remove(b"\0\1")
    assert (len(queues), queues.size) == (1, 10)
    queues.clear()
    assert (len(queues), queues.size) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, CAPACITY)), max_size=200))
def test_the_cost_is_never_above_the_capacity(asked: list[tuple[int, int]]) -> None:
    queues: S3Fifo[int] = S3Fifo(CAPACITY)
    for number, cost in asked:
        ask(queues, number, cost)
        assert queues.size <= CAPACITY
        assert len(numbers_in(queues, range(31))) == len(queues)
