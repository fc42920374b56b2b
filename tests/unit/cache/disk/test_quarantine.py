"""The quarantine: everything out of the way, and never much of it."""

from pathlib import Path

import pytest

from gateway.cache.disk.quarantine import MAX_FILES, Quarantine
from tests.fakes.clock import FakeClock

MIB = 1024 * 1024


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path) -> Path:
    return tmp_path / "quarantine"


def file_of(tmp_path: Path, name: str, size: int = 10) -> Path:
    path = tmp_path / name
    path.write_bytes(bytes(size))
    return path


def test_moves_a_file_away_and_keeps_its_bytes(
    tmp_path: Path, folder: Path, clock: FakeClock
) -> None:
    path = file_of(tmp_path, "block")
    assert Quarantine(folder, MIB, clock).take(path)
    assert not path.exists()
    (kept,) = folder.iterdir()
    assert kept.name.endswith("-block")
    assert kept.read_bytes() == bytes(10)


def test_names_of_one_instant_do_not_collide(
    tmp_path: Path, folder: Path, clock: FakeClock
) -> None:
    quarantine = Quarantine(folder, MIB, clock)
    for _ in range(3):
        quarantine.take(file_of(tmp_path, "block"))
    assert len(list(folder.iterdir())) == 3


def test_moves_a_link_and_not_what_it_names(tmp_path: Path, folder: Path, clock: FakeClock) -> None:
    target = file_of(tmp_path, "precious")
    link = tmp_path / "block"
    link.symlink_to(target)
    assert Quarantine(folder, MIB, clock).take(link)
    assert target.exists()
    assert not link.is_symlink()


def test_what_is_gone_already_is_not_taken(tmp_path: Path, folder: Path, clock: FakeClock) -> None:
    assert not Quarantine(folder, MIB, clock).take(tmp_path / "absent")


def test_a_quarantine_that_cannot_be_takes_nothing(tmp_path: Path, clock: FakeClock) -> None:
    in_the_way = file_of(tmp_path, "quarantine")
    path = file_of(tmp_path, "block")
    assert not Quarantine(in_the_way, MIB, clock).take(path)
    assert path.exists()


def test_the_oldest_go_when_there_are_too_many(
    tmp_path: Path, folder: Path, clock: FakeClock
) -> None:
    quarantine = Quarantine(folder, 100 * MIB, clock)
    for number in range(MAX_FILES + 3):
        clock.advance(1)
        quarantine.take(file_of(tmp_path, f"{number}"))
    names = sorted(path.name.rsplit("-", 1)[1] for path in folder.iterdir())
    assert names == sorted(str(n) for n in range(3, MAX_FILES + 3))


def test_the_oldest_go_when_they_are_too_large(
    tmp_path: Path, folder: Path, clock: FakeClock
) -> None:
    """One sixteenth of the tier: 64 KiB of 1 MiB."""
    quarantine = Quarantine(folder, MIB, clock)
    for name in ("first", "second", "third"):
        clock.advance(1)
        quarantine.take(file_of(tmp_path, name, 30_000))
    assert sorted(path.name.rsplit("-", 1)[1] for path in folder.iterdir()) == ["second", "third"]
    assert quarantine.size_bytes() == 2 * 8 * 4096  # whole blocks of the file system (issue 12, 37)


def test_folders_go_with_what_is_in_them(tmp_path: Path, folder: Path, clock: FakeClock) -> None:
    inside = tmp_path / "folder" / "inside"
    inside.mkdir(parents=True)
    file_of(inside, "file")
    quarantine = Quarantine(folder, 0, clock)  # nothing may stay
    assert quarantine.take(tmp_path / "folder")
    assert list(folder.iterdir()) == []


def test_an_unused_quarantine_takes_no_room(folder: Path, clock: FakeClock) -> None:
    assert Quarantine(folder, MIB, clock).size_bytes() == 0
    assert not folder.exists()
