"""A cache touches nothing that is not its own (issue 12, 31)."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.folder import MARKER, CacheFolder, ForeignFolder, make_folder, why_foreign
from gateway.cache.disk.index import Index
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.temporary import TemporaryFolder
from gateway.cache.states import DiskCondition
from gateway.cache.tiered_store import TieredStore
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock

MIB = 1024 * 1024
OpenStore = Callable[..., Awaitable[TieredStore]]


def fill_repository(directory: Path) -> dict[str, bytes]:
    """Make what a repository of Kubo looks like; return its files."""
    files = {"config": b"{}", "temp/old": b"x", "blocks/AA/CIQAA.data": b"y", "blocks/_README": b""}
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return files


def link(directory: Path, target: Path) -> None:
    """Put a link in the place of a folder, which is moved away if it is there."""
    if directory.exists():
        directory.rename(f"{directory}-away")
    directory.symlink_to(target)


def files_in(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("is_linked", [False, True])
async def test_nothing_in_a_foreign_folder_is_touched(
    directory: Path, tmp_path: Path, open_store: OpenStore, *, is_linked: bool
) -> None:
    """Issue 12, 31: a repository of Kubo lost all its files in 8 s; so did one behind a link."""
    repository = tmp_path / "repository" if is_linked else directory
    files = fill_repository(repository)
    if is_linked:
        link(directory, repository)

    store = await open_store()
    assert store.disk is not None
    await store.keep(numbered(1, 20_000))
    await store.flush()
    health = store.disk.health()
    await store.close()

    assert files_in(repository) == files
    assert health.status is DiskCondition.UNHEALTHY
    assert "is not a cache of this gateway" in health.reason


async def test_a_link_put_in_the_place_of_a_running_cache_is_not_followed(
    directory: Path, tmp_path: Path, open_store: OpenStore
) -> None:
    store = await open_store()
    await store.keep(numbered(1, 20_000))
    await store.flush()
    files = fill_repository(tmp_path / "repository")
    link(directory, tmp_path / "repository")

    await store.keep(numbered(2, 20_000))
    await store.flush()

    assert files_in(tmp_path / "repository") == files


@pytest.mark.parametrize("name", ["blocks", "temp", "quarantine"])
def test_a_link_in_the_place_of_a_folder_of_ours_is_not_followed(
    directory: Path, tmp_path: Path, name: str
) -> None:
    files = BlockFiles(directory)
    files.prepare()
    files.temporary.close()
    shutil.rmtree(directory / name, ignore_errors=True)
    foreign = fill_repository(tmp_path / "repository")
    (directory / name).symlink_to(tmp_path / "repository")
    damaged = tmp_path / "damaged"
    damaged.touch()

    with pytest.raises(ForeignFolder, match=f"{name} in it is a link"):
        BlockFiles(directory).prepare()
    assert BlockFiles(directory).folders() == []
    assert TemporaryFolder(directory / name).remove_orphans() == 0
    assert not Quarantine(directory / name, MIB, FakeClock()).take(damaged)
    with pytest.raises(ForeignFolder, match="not a folder of its own"):
        make_folder(directory / name)
    assert files_in(tmp_path / "repository") == foreign


@pytest.mark.parametrize("names", [(), ("lost+found/",), ("pins.json", "pins.lock")])
def test_an_empty_folder_is_marked(directory: Path, names: tuple[str, ...]) -> None:
    directory.mkdir()
    for name in names:
        path = directory / name
        path.mkdir() if name.endswith("/") else path.touch()

    assert not why_foreign(directory)
    CacheFolder(directory).claim()

    assert (directory / MARKER).is_file()
    (directory / "more").touch()
    assert not why_foreign(directory)


def test_a_cache_of_a_version_without_the_marker_is_adopted(directory: Path) -> None:
    directory.mkdir()
    fill_repository(directory)
    Index.create(directory / "index-0badcafe.sqlite")

    assert not why_foreign(directory)
    CacheFolder(directory).claim()

    assert (directory / MARKER).is_file()


@pytest.mark.parametrize("name", [MARKER, "index-0badcafe.sqlite"])
def test_a_link_is_no_proof(directory: Path, tmp_path: Path, name: str) -> None:
    directory.mkdir()
    (tmp_path / "elsewhere").touch()
    (directory / name).symlink_to(tmp_path / "elsewhere")

    assert "is not a cache of this gateway" in why_foreign(directory)


def test_a_claimed_folder_stays_ours_when_it_is_emptied_in_part(directory: Path) -> None:
    folder = CacheFolder(directory)
    folder.claim()
    (directory / "blocks").mkdir()
    (directory / MARKER).unlink()

    folder.claim()

    assert (directory / MARKER).is_file()


def test_a_folder_that_is_not_there_is_nobodys(directory: Path) -> None:
    assert not why_foreign(directory)
