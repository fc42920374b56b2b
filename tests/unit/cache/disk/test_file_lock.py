"""Advisory locks: one holder, and none that a deleted file could fool."""

from pathlib import Path

import pytest

from gateway.cache.disk.file_lock import FileLock


@pytest.fixture(name="path")
def path_fixture(tmp_path: Path) -> Path:
    return tmp_path / "a.lock"


def test_one_holder_at_a_time(path: Path) -> None:
    first, second = FileLock(str(path)), FileLock(str(path))
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()


def test_the_holder_may_ask_again(path: Path) -> None:
    lock = FileLock(str(path))
    assert lock.acquire()
    assert lock.acquire()


def test_a_with_block_gives_it_back(path: Path) -> None:
    with FileLock(str(path)) as lock:
        assert lock.acquire()
    assert FileLock(str(path)).acquire()


def test_releasing_what_is_not_held_does_nothing(path: Path) -> None:
    FileLock(str(path)).release()
    assert not path.exists()


def test_a_new_file_is_a_new_lock(path: Path) -> None:
    """Whoever holds a deleted file holds nothing that others could see."""
    first = FileLock(str(path))
    assert first.acquire()
    path.unlink()
    assert FileLock(str(path)).acquire()


def test_the_file_is_private(path: Path) -> None:
    with FileLock(str(path)) as lock:
        lock.acquire()
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("obstacle", ["link", "no-folder"])
def test_a_lock_file_that_cannot_be_is_an_error(tmp_path: Path, obstacle: str) -> None:
    path = tmp_path / "missing" / "a.lock"
    if obstacle == "link":
        path = tmp_path / "a.lock"
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"a\.lock"):
        FileLock(str(path)).acquire()
