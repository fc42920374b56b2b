"""Temporary files: private, whole, and gone with the process that wrote them."""

import os
import shutil
from pathlib import Path

import pytest

from gateway.cache.disk.temporary import TemporaryFolder


@pytest.fixture(name="parent")
def parent_fixture(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "temp"


def opened(parent: Path) -> TemporaryFolder:
    folder = TemporaryFolder(parent)
    folder.open()
    return folder


def test_writes_whole_private_files(parent: Path) -> None:
    folder = opened(parent)
    first, second = Path(folder.write(b"one")), Path(folder.write(b"two"))
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
    assert first.stat().st_mode & 0o777 == 0o600
    assert first.parent.stat().st_mode & 0o777 == 0o700


def test_opening_twice_changes_nothing(parent: Path) -> None:
    folder = opened(parent)
    folder.open()
    assert len(list(parent.iterdir())) == 1


def test_a_deleted_folder_is_an_error_until_it_is_opened_again(parent: Path) -> None:
    folder = opened(parent)
    shutil.rmtree(parent)
    with pytest.raises(FileNotFoundError, match="temp"):
        folder.write(b"x")
    folder.open()
    assert Path(folder.write(b"x")).read_bytes() == b"x"


def test_discards_files(parent: Path) -> None:
    folder = opened(parent)
    path = folder.write(b"x")
    folder.discard(path)
    folder.discard(path)
    assert not Path(path).exists()


def test_closing_leaves_nothing(parent: Path) -> None:
    folder = opened(parent)
    folder.write(b"x")
    folder.close()
    folder.close()
    assert list(parent.iterdir()) == []


def test_removes_what_the_dead_left_and_spares_the_living(parent: Path) -> None:
    living = opened(parent)
    path = living.write(b"x")
    orphan = parent / "orphan"
    orphan.mkdir()
    (orphan / "0").write_bytes(b"half a blo")
    (parent / "stray").touch()
    (parent / "link").symlink_to(orphan)
    ours = opened(parent)
    assert ours.remove_orphans() == 3
    assert len(list(parent.iterdir())) == 2
    assert Path(path).exists()


def test_removing_orphans_of_no_folder_does_nothing(parent: Path) -> None:
    assert TemporaryFolder(parent).remove_orphans() == 0


def test_descriptors_are_not_leaked(parent: Path) -> None:
    folder = opened(parent)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (not a tree)
    folder.write(b"x")
    folder.remove_orphans()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
