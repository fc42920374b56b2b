"""Which file is the index: one, always a sound one, and all threads agree."""

import shutil
from pathlib import Path

import pytest

from gateway.cache.disk.file_lock import FileLock
from gateway.cache.disk.index import Index, IndexDamaged, IndexUnavailable
from gateway.cache.disk.index_handle import Epoch, IndexHandle, IndexOwner
from gateway.cache.disk.quarantine import Quarantine
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock

BLOCK = numbered(1, 100)


@pytest.fixture(name="directory")
def directory_fixture(tmp_path: Path) -> Path:
    (tmp_path / "temp").mkdir()
    return tmp_path


@pytest.fixture(name="epoch")
def epoch_fixture() -> Epoch:
    return Epoch()


@pytest.fixture(name="owner")
def owner_fixture(directory: Path, epoch: Epoch, clock: FakeClock) -> IndexOwner:
    return IndexOwner(directory, 0, epoch, Quarantine(directory / "quarantine", 1 << 30, clock))


def indexes(directory: Path) -> list[Path]:
    return sorted(directory.glob("index-*.sqlite"))


def add(owner: IndexOwner) -> None:
    index = owner.get()
    with index.transaction():
        index.add(BLOCK.cid.multihash, len(BLOCK.data), 1, BLOCK.data)


def test_makes_an_index_where_there_is_none(owner: IndexOwner, directory: Path) -> None:
    assert owner.ensure()
    assert len(indexes(directory)) == 1
    assert owner.is_current()


def test_opens_the_index_that_is_there(owner: IndexOwner, directory: Path) -> None:
    owner.ensure()
    before = indexes(directory)
    owner.close()
    assert not owner.ensure()
    assert indexes(directory) == before


def test_an_open_index_is_left_alone(owner: IndexOwner, epoch: Epoch) -> None:
    owner.ensure()
    number = epoch.number
    assert not owner.ensure()
    assert epoch.number == number


def test_a_deleted_index_is_made_again(owner: IndexOwner, directory: Path) -> None:
    owner.ensure()
    (before,) = indexes(directory)
    before.unlink()
    assert not owner.is_current()
    assert owner.ensure()
    assert indexes(directory) != [before]


def test_a_damaged_index_is_moved_and_made_again(owner: IndexOwner, directory: Path) -> None:
    owner.ensure()
    (before,) = indexes(directory)
    owner.close()
    before.write_bytes(b"nonsense" * 1000)
    with pytest.raises(IndexDamaged, match="not a database"):
        owner.ensure()
    assert owner.path == before
    assert owner.replace(before)
    assert owner.ensure()
    assert len(list((directory / "quarantine").iterdir())) >= 1


def test_an_index_is_replaced_once_however_many_report_it(
    owner: IndexOwner, directory: Path
) -> None:
    owner.ensure()
    (before,) = indexes(directory)
    assert owner.replace(before)
    owner.ensure()
    assert not owner.replace(before)
    assert owner.is_current()


def test_of_several_indexes_one_stays(owner: IndexOwner, directory: Path) -> None:
    for name in ("index-b.sqlite", "index-a.sqlite"):
        Index.create(directory / name)
    assert not owner.ensure()
    assert [path.name for path in indexes(directory)] == ["index-a.sqlite"]


def test_the_handles_of_other_threads_follow(
    owner: IndexOwner, directory: Path, epoch: Epoch
) -> None:
    owner.ensure()
    handle = IndexHandle(directory, 0, epoch)
    assert handle.get().blob(BLOCK.cid.multihash) is None
    owner.replace(indexes(directory)[0])
    owner.ensure()
    add(owner)
    assert handle.get().blob(BLOCK.cid.multihash) == BLOCK.data


def test_a_handle_without_an_index_says_so(directory: Path, epoch: Epoch) -> None:
    handle = IndexHandle(directory, 0, epoch)
    with pytest.raises(IndexUnavailable, match="no index"):
        handle.get()
    assert not handle.is_current()


def test_a_deleted_directory_is_said(owner: IndexOwner, directory: Path) -> None:
    owner.ensure()
    shutil.rmtree(directory)
    with pytest.raises(IndexUnavailable, match="No such file"):
        owner.ensure()


def test_two_processes_do_not_replace_at_once(owner: IndexOwner, directory: Path) -> None:
    with FileLock(str(directory / "index.lock")) as other:
        other.acquire()
        with pytest.raises(IndexUnavailable, match="another process"):
            owner.ensure()
    assert owner.ensure()


def test_an_index_that_cannot_be_moved_is_unavailable(
    directory: Path, epoch: Epoch, clock: FakeClock
) -> None:
    (directory / "quarantine").touch()
    quarantine = Quarantine(directory / "quarantine", 1 << 30, clock)
    owner = IndexOwner(directory, 0, epoch, quarantine)
    owner.ensure()
    with pytest.raises(IndexUnavailable, match="cannot be moved"):
        owner.replace(indexes(directory)[0])
