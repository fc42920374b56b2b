"""Room on the disk: the longest unused go, as many as needed, in small steps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cache.disk.eviction import BATCH_ENTRIES, Eviction
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index import Index, IndexUnavailable
from gateway.cache.disk.schema import cost_of
from gateway.cache.states import EvictionReason
from tests.fakes.blocks import numbered
from tests.fakes.cache_directory import alter

LARGE = 20_000
SMALL = 100
COST = cost_of(LARGE)


@pytest.fixture(name="path")
def path_fixture(tmp_path: Path) -> Path:
    Index.create(tmp_path / "index-1.sqlite")
    return tmp_path / "index-1.sqlite"


@pytest.fixture(name="index")
def index_fixture(path: Path) -> Iterator[Index]:
    index = Index(path, 0)
    yield index
    index.close()


@pytest.fixture(name="files")
def files_fixture(tmp_path: Path) -> BlockFiles:
    files = BlockFiles(tmp_path)
    files.prepare()
    return files


def put(index: Index, files: BlockFiles, numbers: range) -> None:
    with index.transaction():
        for number in numbers:
            block = numbered(number, LARGE)
            files.place(files.stage(block.data), block.cid.multihash)
            index.add(block.cid.multihash, LARGE, number, None)


def put_small(index: Index, numbers: range) -> None:
    with index.transaction():
        for number in numbers:
            block = numbered(number, SMALL)
            index.add(block.cid.multihash, SMALL, number, block.data)


def left(files: BlockFiles, numbers: range) -> list[int]:
    return [n for n in numbers if files.size(numbered(n, LARGE).cid.multihash) is not None]


def test_evicts_nothing_below_the_limit(index: Index, files: BlockFiles) -> None:
    put(index, files, range(5))
    eviction = Eviction(files, 6 * COST)
    assert eviction.make_room(index, COST)
    assert eviction.evicted == []


def test_evicts_the_longest_unused_until_it_fits(index: Index, files: BlockFiles) -> None:
    put(index, files, range(5))
    with index.transaction():
        index.touch([(numbered(0, LARGE).cid.multihash, 99)])
    eviction = Eviction(files, 5 * COST)
    assert eviction.make_room(index, 2 * COST)
    assert left(files, range(5)) == [0, 3, 4]
    assert index.totals() == (3, 3 * COST)
    assert eviction.evicted == [(EvictionReason.CAPACITY, LARGE)] * 2


def test_small_blocks_are_evicted_from_the_index(index: Index, files: BlockFiles) -> None:
    put_small(index, range(10))
    Eviction(files, 4 * cost_of(SMALL)).make_room(index, 0)
    assert index.totals()[0] == 4
    assert index.blob(numbered(0, SMALL).cid.multihash) is None


def test_a_lowered_limit_is_reached_in_small_steps(index: Index, files: BlockFiles) -> None:
    put_small(index, range(3 * BATCH_ENTRIES))
    eviction = Eviction(files, 10 * cost_of(SMALL))
    assert not eviction.make_room(index, cost_of(SMALL))
    assert len(eviction.evicted) == BATCH_ENTRIES
    assert not eviction.make_room(index, 0)
    assert eviction.make_room(index, 0)
    assert index.totals()[0] == 10


def test_files_that_are_gone_are_evicted_all_the_same(index: Index, files: BlockFiles) -> None:
    put(index, files, range(3))
    files.remove(numbered(0, LARGE).cid.multihash)
    assert Eviction(files, 2 * COST).make_room(index, 0)
    assert index.totals() == (2, 2 * COST)


def test_wrong_totals_are_counted_before_they_are_believed(
    path: Path, index: Index, files: BlockFiles
) -> None:
    put(index, files, range(4))
    alter(path, "UPDATE totals SET bytes = bytes + (1 << 40)")
    eviction = Eviction(files, 10 * COST)
    assert eviction.make_room(index, 0)
    assert eviction.evicted == []
    assert index.totals() == (4, 4 * COST)


def test_totals_of_nothing_are_corrected(path: Path, index: Index, files: BlockFiles) -> None:
    alter(path, "UPDATE totals SET bytes = 100")
    assert Eviction(files, 99).make_room(index, 0)
    assert index.totals() == (0, 0)


def test_a_full_file_system_costs_no_more_than_a_part(index: Index, files: BlockFiles) -> None:
    put(index, files, range(16))
    eviction = Eviction(files, 100 * COST)
    eviction.free_space(index, 50 * COST)
    assert eviction.evicted == [(EvictionReason.NO_SPACE, LARGE)] * 2


def test_a_file_that_cannot_be_deleted_stops_it(index: Index, files: BlockFiles) -> None:
    put(index, files, range(2))
    path = Path(files.path(numbered(0, LARGE).cid.multihash))
    path.unlink()
    path.mkdir()
    eviction = Eviction(files, COST)
    with pytest.raises(IndexUnavailable, match="cannot be evicted"):
        eviction.make_room(index, 0)
    assert eviction.evicted == []
    assert index.totals()[0] == 2
