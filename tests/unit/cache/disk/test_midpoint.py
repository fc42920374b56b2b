"""New blocks begin near the cold end, and the index does as the model says."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cache.disk.eviction import Eviction
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index import Index
from gateway.cache.disk.midpoint import REFRESH_MS, Midpoint
from gateway.cache.disk.pins import mark
from gateway.cache.disk.schema import cost_of
from gateway.cache.policies import Asked, Lru, MidpointLru, replay
from tests.fakes.blocks import numbered

SIZE = 100
COST = cost_of(SIZE)


@pytest.fixture(name="index")
def index_fixture(tmp_path: Path) -> Iterator[Index]:
    Index.create(tmp_path / "index-1.sqlite")
    index = Index(tmp_path / "index-1.sqlite", 0)
    yield index
    index.close()


def key_of(number: int) -> bytes:
    return numbered(number, 8).cid.multihash


def fill(index: Index, count: int) -> None:
    with index.transaction():
        for number in range(count):
            index.add(key_of(number), SIZE, 1000 + number, bytes(SIZE))


def test_the_first_block_stands_where_it_came(index: Index) -> None:
    assert Midpoint().used_ms(index, 9999) == 9999


def test_a_new_block_stands_behind_the_coldest_tenth(index: Index) -> None:
    fill(index, 100)
    assert Midpoint().used_ms(index, 9999) == 1010


def test_pinned_blocks_are_no_part_of_the_order(index: Index) -> None:
    fill(index, 100)
    mark(index, b"root", dict.fromkeys([key_of(n) for n in range(50)], SIZE), 1 << 30)
    assert Midpoint().used_ms(index, 9999) == 1055


def test_the_place_is_looked_up_now_and_then(index: Index) -> None:
    fill(index, 100)
    midpoint = Midpoint()
    midpoint.used_ms(index, 5000)
    with index.transaction():
        index.touch([(key_of(number), 9000) for number in range(50)])
    assert midpoint.used_ms(index, 5001) == 1010
    assert midpoint.used_ms(index, 5000 + REFRESH_MS) == 1060


def test_a_clock_that_was_set_back_is_no_reason_for_a_place_in_the_future(index: Index) -> None:
    fill(index, 100)
    assert Midpoint().used_ms(index, 500) == 500


class DiskModel:
    """The index, asked as the writer and the readers ask it; without threads."""

    def __init__(self, index: Index, tmp_path: Path, capacity: int) -> None:
        self._index = index
        self._eviction = Eviction(BlockFiles(tmp_path), capacity)
        self._midpoint = Midpoint()
        self._now_ms = 1_000_000

    def ask(self, asked: Asked) -> bool:
        self._now_ms += REFRESH_MS
        is_here = self._index.entry(asked.key) is not None
        if not is_here:
            self._eviction.make_room(self._index, COST)
        used_ms = self._midpoint.used_ms(self._index, self._now_ms)
        with self._index.transaction():
            if is_here:
                self._index.touch([(asked.key, self._now_ms)])
            else:
                self._index.add(asked.key, SIZE, used_ms, bytes(SIZE))
        return is_here


def test_the_disk_tier_hits_as_its_model_does_and_more_than_lru(
    index: Index, tmp_path: Path
) -> None:
    chance = random.Random(3)  # noqa: S311 (a trace)
    weights = [1 / (rank + 1) for rank in range(800)]
    keys = chance.choices(range(800), weights, k=3000)
    trace = [Asked(key_of(number), COST) for number in keys]
    capacity = 80 * COST
    real = replay(DiskModel(index, tmp_path, capacity), trace).requests
    assert real == pytest.approx(replay(MidpointLru(capacity), trace).requests, abs=0.02)
    assert real > replay(Lru(capacity), trace).requests + 0.03
