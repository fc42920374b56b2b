"""Scans: afterwards the index says what the files say."""

import os
from pathlib import Path

import pytest

from gateway.cache.disk.file_lock import FileLock
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index import Index, IndexDamaged
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.scan import SCAN_INTERVAL_S, STEP_ENTRIES, Step, Sweep, scan
from gateway.cache.disk.schema import cost_of
from gateway.cache.states import IndexState
from tests.fakes.blocks import numbered
from tests.fakes.cache_directory import alter
from tests.fakes.clock import FakeClock

SIZE = 20_000


@pytest.fixture(name="quarantine")
def quarantine_fixture(tmp_path: Path, clock: FakeClock) -> Quarantine:
    return Quarantine(tmp_path / "quarantine", 1 << 30, clock)


@pytest.fixture(name="sweep")
def sweep_fixture(
    tmp_path: Path, files: BlockFiles, quarantine: Quarantine, clock: FakeClock
) -> Sweep:
    return Sweep(tmp_path, files, quarantine, clock)


def put(files: BlockFiles, *numbers: int) -> list[bytes]:
    keys = [numbered(number, SIZE).cid.multihash for number in numbers]
    for number, key in zip(numbers, keys, strict=True):
        files.place(files.stage(numbered(number, SIZE).data), key)
    return keys


def enter(index: Index, keys: list[bytes], size: int = SIZE) -> None:
    with index.transaction():
        for key in keys:
            index.add(key, size, 1, None)


def run(index: Index, files: BlockFiles, quarantine: Quarantine) -> tuple[set[bytes], int]:
    steps: list[Step] = list(scan(index, files, quarantine))
    return {key for step in steps for key in step.known}, sum(s.quarantined for s in steps)


def test_enters_files_that_are_not_counted(
    index: Index, files: BlockFiles, quarantine: Quarantine
) -> None:
    keys = put(files, 1, 2, 3)
    os.utime(files.path(keys[0]), (5, 5))
    assert run(index, files, quarantine) == (set(keys), 0)
    assert index.totals() == (3, 3 * cost_of(SIZE))
    assert index.oldest(1)[0].key == keys[0]
    assert index.coldest_ms() == 5000


def test_drops_entries_whose_file_is_gone(
    index: Index, files: BlockFiles, quarantine: Quarantine
) -> None:
    keys = put(files, 1, 2)
    enter(index, keys)
    files.remove(keys[0])
    assert run(index, files, quarantine) == ({keys[1]}, 0)
    assert index.totals() == (1, cost_of(SIZE))


def test_leaves_small_blocks_alone(index: Index, files: BlockFiles, quarantine: Quarantine) -> None:
    block = numbered(1, 100)
    with index.transaction():
        index.add(block.cid.multihash, 100, 1, block.data)
    assert run(index, files, quarantine) == ({block.cid.multihash}, 0)
    assert index.blob(block.cid.multihash) == block.data


def test_corrects_sizes(index: Index, files: BlockFiles, quarantine: Quarantine) -> None:
    enter(index, put(files, 1), size=3 * SIZE)
    run(index, files, quarantine)
    assert index.totals() == (1, cost_of(SIZE))


def test_moves_strangers_away(
    index: Index, files: BlockFiles, quarantine: Quarantine, tmp_path: Path
) -> None:
    (key,) = put(files, 1)
    folder = Path(files.path(key)).parent
    (folder / "notes.txt").touch()
    (folder.parent / "zz").symlink_to(tmp_path)
    assert run(index, files, quarantine) == ({key}, 2)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_removes_what_dead_processes_left(
    index: Index, files: BlockFiles, quarantine: Quarantine, tmp_path: Path
) -> None:
    orphan = tmp_path / "temp" / "orphan"
    orphan.mkdir()
    run(index, files, quarantine)
    assert not orphan.exists()


def test_goes_in_steps(index: Index, files: BlockFiles, quarantine: Quarantine) -> None:
    with index.transaction():
        for number in range(STEP_ENTRIES + 1):
            index.add(numbered(number, 8).cid.multihash, 8, 1, bytes(8))
    sizes = [len(step.known) for step in scan(index, files, quarantine)]
    assert sizes == [STEP_ENTRIES, 1]


def test_a_file_evicted_during_the_scan_is_not_entered(
    index: Index, files: BlockFiles, quarantine: Quarantine
) -> None:
    keys = put(files, *range(20))
    steps = scan(index, files, quarantine)
    next(steps)
    for key in keys:
        files.remove(key)
    assert [key for step in steps for key in step.known] == []
    assert index.totals() == (0, 0)


def finish(sweep: Sweep, index: Index) -> int:
    count = 0
    while sweep.step(index) is not None:
        count += 1
    return count


@pytest.mark.parametrize(
    ("is_new", "state"), [(True, IndexState.REBUILDING), (False, IndexState.CHECKING)]
)
def test_a_sweep_says_what_it_does(
    sweep: Sweep, index: Index, files: BlockFiles, state: IndexState, *, is_new: bool
) -> None:
    put(files, 1)
    sweep.begin(is_new=is_new)
    assert sweep.state is state
    finish(sweep, index)
    assert sweep.state is IndexState.READY


def test_a_sweep_is_repeated_after_a_day(
    sweep: Sweep, index: Index, files: BlockFiles, clock: FakeClock
) -> None:
    sweep.begin(is_new=True)
    finish(sweep, index)
    put(files, 1)
    assert finish(sweep, index) == 0
    clock.advance(SCAN_INTERVAL_S)
    assert finish(sweep, index) > 0
    assert index.totals()[0] == 1


def test_one_process_scans_at_a_time(sweep: Sweep, index: Index, tmp_path: Path) -> None:
    sweep.begin(is_new=False)
    with FileLock(str(tmp_path / "scan.lock")) as other:
        other.acquire()
        assert sweep.step(index) is None
        assert sweep.state.value == "checking"
    sweep.step(index)
    assert sweep.state.value == "ready"


def test_an_ended_sweep_lets_others_scan(
    sweep: Sweep, index: Index, files: BlockFiles, tmp_path: Path
) -> None:
    put(files, 1)
    sweep.begin(is_new=False)
    sweep.step(index)
    with FileLock(str(tmp_path / "scan.lock")) as other:
        assert not other.acquire()
        sweep.stop()
        assert other.acquire()


def test_a_sweep_starts_again_after_damage(
    sweep: Sweep, index: Index, files: BlockFiles, tmp_path: Path
) -> None:
    put(files, 1)
    sweep.begin(is_new=True)
    sweep.step(index)
    alter(tmp_path / "index-1.sqlite", "UPDATE entries SET size = 'x'")
    with pytest.raises(IndexDamaged, match="an entry"):
        finish(sweep, index)
    assert sweep.state is IndexState.REBUILDING
