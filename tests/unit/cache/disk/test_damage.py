"""Whatever is done to the files of the cache: no wrong byte, no error, and it heals."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from benchmarks.rig.cache_directory import index_file, truth
from gateway.cache.disk.schema import PAGE_BYTES
from gateway.cache.tiered_store import TieredStore
from gateway.content.block import Block
from tests.fakes.blocks import numbered
from tests.fakes.observer import RecordingObserver

OpenStore = Callable[..., Awaitable[TieredStore]]

SMALL = [numbered(n, size) for n, size in enumerate([0, 1, 500, 4000, 8200, 16_383] * 3)]
LARGE = [numbered(100 + n, size) for n, size in enumerate([16_384, 40_000, 262_144])]
BLOCKS = SMALL + LARGE

FLIPS_PER_PAGE = 6
PARTS = 4


async def fill(open_store: OpenStore) -> None:
    store = await open_store()
    await keep_all(store, BLOCKS)
    await store.close()


async def find_all(store: TieredStore, blocks: list[Block]) -> list[Block]:
    """Find every block; what is found must be right. Returns the ones that were missed."""
    missed: list[Block] = []
    for block in blocks:
        found = await store.find(block.cid)
        if found is None:
            missed.append(block)
        else:
            assert found[0].data == block.data
    return missed


async def keep_all(store: TieredStore, blocks: list[Block]) -> None:
    for block in blocks:
        await store.keep(block)
    await store.flush()


async def heal(store: TieredStore, missed: list[Block]) -> None:
    """Keep again what was missed, as a retrieval does; afterwards all must be found."""
    await keep_all(store, missed)
    assert await find_all(store, BLOCKS) == []


def block_files(directory: Path) -> list[Path]:
    return sorted(path for path in (directory / "blocks").rglob("*") if path.is_file())


def remove_indexes(directory: Path) -> None:
    for path in directory.glob("index-*"):
        path.unlink()


def flip(path: Path, offset: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ (1 << bit)]))


@pytest.fixture(name="damaged")
async def damaged_fixture(open_store: OpenStore, directory: Path) -> Path:
    """A directory with all blocks in it, and no process that uses it."""
    await fill(open_store)
    return directory


@pytest.mark.parametrize("bit", [0, 7])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 1.0])
async def test_a_flipped_bit_in_a_file_is_never_served(
    damaged: Path, open_store: OpenStore, observer: RecordingObserver, place: float, bit: int
) -> None:
    for path in block_files(damaged):
        flip(path, int(place * (path.stat().st_size - 1)), bit)
    store = await open_store()
    missed = await find_all(store, BLOCKS)
    assert missed == LARGE
    assert sum(observer.rejected.values()) == store.stats()["quarantined"] == len(LARGE)
    await heal(store, missed)


@pytest.mark.parametrize("block", SMALL[2:6], ids=lambda block: f"{len(block.data)}-bytes")
async def test_a_flipped_bit_in_a_row_is_never_served(
    damaged: Path, open_store: OpenStore, observer: RecordingObserver, block: Block
) -> None:
    path = index_file(damaged)
    content = path.read_bytes()
    places = [n for n in range(len(content)) if content.startswith(block.data[:64], n)]
    assert places  # several, when the page was once moved
    for place in places:
        flip(path, place, 3)
    store = await open_store()
    missed = await find_all(store, BLOCKS)
    assert missed == [block]
    assert sum(observer.rejected.values()) == store.stats()["quarantined"] == 1
    await heal(store, missed)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def grow_beyond_any_block(path: Path) -> None:
    os.truncate(path, 1 << 40)


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def become_a_link(path: Path) -> None:
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "thing").touch()


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES = [
    empty,
    cut_in_half,
    append,
    grow_beyond_any_block,
    zero,
    become_a_link,
    become_a_folder,
    become_a_pipe,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
async def test_a_damaged_file_is_a_miss_and_heals(
    damaged: Path, open_store: OpenStore, damage: Callable[[Path], None]
) -> None:
    for path in block_files(damaged):
        damage(path)
    store = await open_store()
    missed = await find_all(store, BLOCKS)
    assert missed == LARGE
    await heal(store, missed)
    await store.settle()
    assert await find_all(store, BLOCKS) == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
async def test_a_file_damaged_while_running_is_a_miss_and_heals(
    damaged: Path,
    open_store: OpenStore,
    observer: RecordingObserver,
    damage: Callable[[Path], None],
) -> None:
    store = await open_store()
    await store.settle()
    for path in block_files(damaged):
        damage(path)
    missed = await find_all(store, BLOCKS)
    assert missed == LARGE
    assert sum(observer.rejected.values()) == store.stats()["quarantined"] == len(LARGE)
    await heal(store, missed)


async def test_files_that_changed_places_are_misses(damaged: Path, open_store: OpenStore) -> None:
    first, second, third = block_files(damaged)
    kept = first.read_bytes(), second.read_bytes(), third.read_bytes()
    for path, data in zip((second, third, first), kept, strict=True):
        path.write_bytes(data)
    store = await open_store()
    missed = await find_all(store, BLOCKS)
    assert missed == LARGE
    await heal(store, missed)


async def test_deleted_files_are_misses_without_blame(
    damaged: Path, open_store: OpenStore, observer: RecordingObserver
) -> None:
    for path in block_files(damaged):
        path.unlink()
    store = await open_store()
    missed = await find_all(store, BLOCKS)
    assert missed == LARGE
    assert not observer.rejected
    await heal(store, missed)


def become_text(path: Path) -> None:
    path.write_text("no database at all " * 1000)


INDEX_DAMAGES = [*DAMAGES, Path.unlink, become_text]


@pytest.mark.parametrize("damage", INDEX_DAMAGES, ids=lambda damage: damage.__name__)
async def test_a_damaged_index_costs_no_file_and_heals(
    damaged: Path, open_store: OpenStore, damage: Callable[[Path], None]
) -> None:
    damage(index_file(damaged))
    store = await open_store()
    assert await find_all(store, LARGE) == []
    await keep_all(store, await find_all(store, BLOCKS))
    await heal(store, await find_all(store, BLOCKS))
    await store.settle()
    assert store.stats()["blocks"] == truth(damaged).blocks == len({b.cid for b in BLOCKS})


@pytest.mark.parametrize("damage", INDEX_DAMAGES, ids=lambda damage: damage.__name__)
async def test_an_index_damaged_while_running_costs_no_file_and_heals(
    damaged: Path, open_store: OpenStore, damage: Callable[[Path], None]
) -> None:
    store = await open_store()
    await store.settle()
    damage(index_file(damaged))
    assert await find_all(store, LARGE) == []
    await keep_all(store, await find_all(store, BLOCKS))
    await heal(store, await find_all(store, BLOCKS))
    await store.settle()
    await store.close()
    assert truth(damaged).blocks == len({b.cid for b in BLOCKS})


def places_in(size: int) -> list[int]:
    """Offsets all over an index, densest in the headers of its pages."""
    header = range(100)
    heads = [page + n for page in range(0, size, PAGE_BYTES) for n in (0, 1, 3, 5, 8, 10, 13)]
    return sorted({*header, *heads, *range(7, size, PAGE_BYTES // FLIPS_PER_PAGE)})


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("part", range(PARTS))
async def test_a_flipped_bit_anywhere_in_the_index_is_never_served(
    damaged: Path, open_store: OpenStore, part: int
) -> None:
    path = index_file(damaged)
    sound = path.read_bytes()
    for place in places_in(len(sound))[part::PARTS]:
        remove_indexes(damaged)
        path.write_bytes(sound)
        flip(path, place, (place * 5 + part) % 8)
        store = await open_store()
        # The first round may find the damage, and then the small blocks are gone with the index.
        await keep_all(store, await find_all(store, BLOCKS))
        await heal(store, await find_all(store, BLOCKS))
        await store.settle()
        assert await find_all(store, BLOCKS) == []
        await store.close()
