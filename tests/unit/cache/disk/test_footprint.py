"""What is not blocks is measured, and taken from what blocks may have."""

import random
import sqlite3
from pathlib import Path

import pytest

from gateway.cache.disk.footprint import (
    FOLDERS,
    LEAST_LIMIT_BYTES,
    MAX_JOURNAL_BYTES,
    MEASURE_INTERVAL_S,
    Footprint,
    least_room,
)
from gateway.cache.disk.index import Index
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.schema import FILE_SYSTEM_BLOCK, PAGE_BYTES
from gateway.cache.disk.writer import SHRINK_PAGES, TOUCHES_PER_TURN
from gateway.content.block import MAX_BLOCK_BYTES
from tests.fakes.blocks import numbered
from tests.fakes.cache_directory import alter
from tests.fakes.clock import FakeClock

MIB = 1024 * 1024
LIMIT = 64 * MIB
SMALL = 1000


@pytest.fixture(name="footprint")
def footprint_fixture(tmp_path: Path, clock: FakeClock) -> Footprint:
    return make(tmp_path, clock, LIMIT)


def make(directory: Path, clock: FakeClock, limit_bytes: int) -> Footprint:
    quarantine = Quarantine(directory / "quarantine", limit_bytes, clock)
    return Footprint(directory, limit_bytes, quarantine, clock)


def put(index: Index, numbers: range) -> None:
    with index.transaction():
        for number in numbers:
            block = numbered(number, SMALL)
            index.add(block.cid.multihash, SMALL, number, block.data)


def taken(path: Path) -> int:
    return path.lstat().st_blocks * 512


def test_folders_that_will_be_made_have_their_room(footprint: Footprint, index: Index) -> None:
    reserved = MAX_JOURNAL_BYTES + footprint.spare_bytes + FOLDERS * FILE_SYSTEM_BLOCK
    assert 0 <= LIMIT - reserved - footprint.room(index) <= 16 * PAGE_BYTES


def test_folders_that_grow_leave_less_room(
    footprint: Footprint, index: Index, tmp_path: Path, clock: FakeClock
) -> None:
    folders = [tmp_path / "blocks" / f"{number:02x}" for number in range(FOLDERS)]
    for folder in folders:
        folder.mkdir(parents=True)
    before, size = footprint.room(index), sum(map(taken, folders))
    for number in range(200):
        (folders[0] / f"{number:0100x}").touch()
    grown = sum(map(taken, folders)) - size
    clock.advance(MEASURE_INTERVAL_S)
    assert footprint.room(index) == before - max(0, grown)


def test_what_is_in_the_quarantine_leaves_less_room(
    tmp_path: Path, index: Index, clock: FakeClock
) -> None:
    """Also a folder that stood in the way of a file."""
    quarantine = Quarantine(tmp_path / "quarantine", LIMIT, clock)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "file").write_bytes(bytes(10 * PAGE_BYTES))
    before = make(tmp_path, clock, LIMIT).room(index)
    assert quarantine.take(tmp_path / "odd")
    assert before - make(tmp_path, clock, LIMIT).room(index) >= 10 * PAGE_BYTES


def test_pages_that_are_half_empty_leave_less_room(footprint: Footprint, index: Index) -> None:
    put(index, range(3000))
    full = footprint.room(index)
    with index.transaction():
        index.remove(entry.id for entry in index.oldest(3000) if entry.id % 2)
    assert full - footprint.room(index) > MIB  # of the 3 MiB that the rows took


def test_a_flipped_bit_in_the_totals_does_not_empty_the_cache(
    footprint: Footprint, index: Index, tmp_path: Path
) -> None:
    put(index, range(10))
    before = footprint.room(index)
    alter(tmp_path / "index-1.sqlite", "UPDATE totals SET files = files + (1 << 40)")
    assert footprint.room(index) == before


def test_totals_are_not_counted_anew_at_every_turn(
    footprint: Footprint, index: Index, tmp_path: Path
) -> None:
    """A million rows take half a second: what stays odd is believed, as far as a quarter."""
    flip = "UPDATE totals SET files = files + (1 << 40)"
    for _ in range(2):
        alter(tmp_path / "index-1.sqlite", flip)
        footprint.room(index)
    assert footprint.room(index) == least_room(LIMIT)


@pytest.mark.parametrize("limit", [LEAST_LIMIT_BYTES, LEAST_LIMIT_BYTES * 640])
def test_the_largest_block_always_has_room(limit: int) -> None:
    assert least_room(limit) >= MAX_BLOCK_BYTES


def journal_of(index: Index) -> int:
    return taken(index.path.with_name(index.path.name + "-journal"))


def test_the_journal_of_uses_fits_in_its_room(index: Index) -> None:
    """Each use changes a page of its own in three trees, at the worst (issue 12, 37)."""
    put(index, range(20_000))
    chance = random.Random(37)  # noqa: S311 (which blocks are used)
    keys = [entry.key for entry in index.oldest(20_000)]
    with index.transaction():
        index.touch((key, 1 << 40) for key in chance.sample(keys, TOUCHES_PER_TURN))
        assert 0 < journal_of(index) <= MAX_JOURNAL_BYTES


def test_the_journal_of_a_shrinking_index_fits_in_its_room(index: Index) -> None:
    put(index, range(20_000))
    with index.transaction():
        index.remove(entry.id for entry in index.oldest(10_000))
    connection = sqlite3.connect(index.path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA incremental_vacuum({SHRINK_PAGES})").fetchall()
    assert 0 < journal_of(index) <= MAX_JOURNAL_BYTES
    connection.execute("ROLLBACK")
    connection.close()
