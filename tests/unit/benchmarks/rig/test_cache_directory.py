import asyncio
from pathlib import Path

import pytest

from benchmarks.rig.cache_directory import disk_bytes, index_file, truth
from benchmarks.rig.writers import block_for, open_cache
from tests.fakes.cache_directory import alter


async def _fill(directory: Path) -> None:
    store = await open_cache(directory)
    for number in range(4):
        await store.keep(block_for(number))
    await store.close()


@pytest.fixture(name="directory")
def directory_fixture(tmp_path: Path) -> Path:
    """The directory of a cache with two rows and two files."""
    asyncio.run(_fill(tmp_path))
    return tmp_path


def test_a_cache_that_was_closed_has_nothing_lost(directory: Path) -> None:
    found = truth(directory)
    assert found.blocks == 4
    assert (found.uncounted, found.lost, found.temporary) == (set(), set(), [])


def test_a_file_without_entry_is_named(directory: Path) -> None:
    alter(index_file(directory), "DELETE FROM entries WHERE size = 20000")
    assert truth(directory).uncounted == {block_for(2).cid.multihash.hex()}


def test_an_entry_without_file_is_named(directory: Path) -> None:
    next(path for path in directory.glob("blocks/*/*") if path.stat().st_size == 20_000).unlink()
    assert truth(directory).lost == {block_for(2).cid.multihash.hex()}


def test_a_temporary_file_is_named(directory: Path) -> None:
    left = directory / "temp/dead/0"
    left.parent.mkdir()
    left.write_bytes(b"half")
    assert truth(directory).temporary == [left]


def test_disk_bytes_are_those_of_the_file_system(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "small").write_bytes(b"x")
    sparse = folder / "sparse"
    sparse.touch()
    with sparse.open("r+b") as file:
        file.truncate(1 << 20)
    assert 0 < disk_bytes(tmp_path) <= 64 * 1024
