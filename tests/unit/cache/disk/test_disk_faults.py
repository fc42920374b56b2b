"""Disks that are full, read-only, gone, locked, slow or broken: fewer hits, and nothing else."""

import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.rig.cache_directory import index_file, truth
from gateway.cache.states import DiskCondition, EvictionReason
from gateway.cache.tiered_store import TieredStore
from gateway.content.build import Profile
from gateway.ports import MissReason, Rejection, Tier
from tests.fakes.blocks import numbered
from tests.fakes.cache_directory import limited
from tests.fakes.clock import FakeClock
from tests.fakes.lying_upstream import LyingUpstream
from tests.fakes.observer import RecordingObserver
from tests.fakes.upstream_kit import Kit, sample

OpenStore = Callable[..., Awaitable[TieredStore]]

SMALL = [numbered(n, 2_000) for n in range(20)]
LARGE = [numbered(n, 50_000) for n in range(20)]
MIB = 1024 * 1024


async def keep_all(store: TieredStore) -> None:
    for block in (*SMALL, *LARGE):
        await store.keep(block)
    await store.flush()


async def hits(store: TieredStore) -> int:
    found = [await store.find(block.cid) for block in (*SMALL, *LARGE)]
    return sum(item is not None for item in found)


def run(*command: str) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode  # noqa: S603


@pytest.fixture(name="small_disk")
def small_disk_fixture(directory: Path) -> Iterator[Path]:
    """The cache directory as a file system of its own, of 1 MiB."""
    directory.mkdir()
    if run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(directory)):
        pytest.skip("this user may not mount file systems")
    yield directory
    run("umount", "--lazy", str(directory))


@pytest.mark.usefixtures("small_disk")
async def test_a_full_disk_loses_writes_and_makes_room(
    open_store: OpenStore, observer: RecordingObserver
) -> None:
    store = await open_store(disk_size=64 * MIB)
    await keep_all(store)
    assert store.stats()["write_errors"]
    assert store.health().status is DiskCondition.DEGRADED
    assert "No space left" in store.health().reason
    assert await hits(store)
    await keep_all(store)
    assert observer.evicted[Tier.DISK, EvictionReason.NO_SPACE]
    fresh = numbered(99, 50_000)
    await store.keep(fresh)
    await store.flush()
    assert await store.find(fresh.cid)


async def test_a_full_disk_leaves_no_fragments(small_disk: Path, open_store: OpenStore) -> None:
    store = await open_store(disk_size=64 * MIB)
    await keep_all(store)
    await store.close()
    found = truth(small_disk)
    assert (found.uncounted, found.lost, found.temporary) == (set(), set(), [])


async def test_a_read_only_disk_is_read_from_the_start(
    small_disk: Path, open_store: OpenStore
) -> None:
    store = await open_store()
    for block in SMALL + LARGE[:5]:
        await store.keep(block)
    await store.close()
    assert run("mount", "-o", "remount,ro", str(small_disk)) == 0
    store = await open_store()
    await keep_all(store)
    assert await hits(store) == 25
    assert store.health().status is not DiskCondition.HEALTHY


@pytest.mark.parametrize("limit", ["file_size", "descriptors"])
def test_limits_of_the_process_lose_writes_only(directory: Path, limit: str) -> None:
    """EFBIG and EMFILE, in a process of their own."""
    kept, found_then, found_later = limited(directory, limit)
    assert kept > found_then
    assert found_later == kept


async def test_a_directory_that_cannot_be_is_told_and_survived(
    directory: Path, clock: FakeClock, open_store: OpenStore
) -> None:
    in_the_way = directory
    in_the_way.touch()
    store = await open_store()
    await keep_all(store)
    assert await hits(store) == 0
    assert store.stats()["write_errors"] == 40
    assert store.health().status is DiskCondition.UNHEALTHY
    in_the_way.unlink()
    await keep_all(store)
    assert await hits(store) == 40
    await store.settle()
    clock.advance(61)
    assert store.health().status is DiskCondition.HEALTHY


async def test_a_deleted_directory_is_made_again(directory: Path, open_store: OpenStore) -> None:
    store = await open_store()
    await keep_all(store)
    shutil.rmtree(directory)
    await store.flush()
    assert await hits(store) == 0
    await keep_all(store)
    assert await hits(store) == 40
    await store.settle()
    stats = store.stats()
    await store.close()
    assert (stats["blocks"], stats["write_errors"]) == (40, 0)
    assert truth(directory).blocks == 40


async def test_a_locked_index_does_not_hide_the_files(
    directory: Path, open_store: OpenStore
) -> None:
    store = await open_store()
    await keep_all(store)
    other = sqlite3.connect(index_file(directory), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        for block in LARGE:
            assert await store.find(block.cid)
        assert await store.find(SMALL[0].cid) is None
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert await store.find(SMALL[0].cid)
    await store.settle()


async def test_writes_to_a_locked_index_are_lost_and_leave_nothing(
    directory: Path, open_store: OpenStore
) -> None:
    store = await open_store()
    await store.settle()
    other = sqlite3.connect(index_file(directory), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    await keep_all(store)
    other.execute("ROLLBACK")
    other.close()
    assert store.stats()["write_errors"] == 40
    assert truth(directory).blocks == 0
    await keep_all(store)
    assert await hits(store) == 40


class BrokenDisk:
    """System calls on the files of a directory fail with EIO, as on a disk with bad sectors."""

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)

    def read(self, fd: int, size: int) -> bytes:
        self._fail_on(fd)
        return READ(fd, size)

    def write(self, fd: int, data: bytes) -> int:
        self._fail_on(fd)
        return WRITE(fd, data)

    def fstat(self, fd: int) -> os.stat_result:
        self._fail_on(fd)
        return FSTAT(fd)

    def open(self, path: str | Path, flags: int, mode: int = 0o777) -> int:
        self._fail(str(path))
        return OPEN(path, flags, mode)

    def replace(self, source: str, target: str) -> None:
        self._fail(target)
        REPLACE(source, target)

    def _fail_on(self, fd: int) -> None:
        self._fail(str(Path(f"/proc/self/fd/{fd}").readlink()))

    def _fail(self, path: str) -> None:
        if path.startswith((f"{self._directory}/blocks/", f"{self._directory}/temp/")):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)


READ, WRITE, FSTAT, OPEN, REPLACE = os.read, os.write, os.fstat, os.open, os.replace


@pytest.fixture(name="broken")
def broken_fixture(directory: Path) -> BrokenDisk:
    return BrokenDisk(directory)


@pytest.mark.parametrize("call", ["open", "fstat", "read"])
async def test_files_that_cannot_be_read_are_misses_and_put_aside(
    broken: BrokenDisk, open_store: OpenStore, observer: RecordingObserver, call: str
) -> None:
    store = await open_store()
    await keep_all(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, getattr(broken, call))
        assert [await store.find(block.cid) for block in LARGE] == [None] * len(LARGE)
    assert observer.miss_reasons == {MissReason.DAMAGED: len(LARGE)}
    assert observer.rejected == {(Rejection.DISK, "disk"): len(LARGE)}
    assert store.stats()["quarantined"] == len(LARGE)
    await store.flush()
    assert await hits(store) == len(SMALL)
    await keep_all(store)
    assert await hits(store) == 40


@pytest.mark.parametrize("call", ["open", "write", "replace"])
async def test_files_that_cannot_be_written_are_lost_and_leave_nothing(
    broken: BrokenDisk, directory: Path, open_store: OpenStore, call: str
) -> None:
    store = await open_store()
    await store.settle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, getattr(broken, call))
        await keep_all(store)
    assert await hits(store) == len(SMALL)
    assert store.stats()["write_errors"] == len(LARGE)
    assert store.health().status is DiskCondition.DEGRADED
    assert os.strerror(errno.EIO) in store.health().reason
    found = truth(directory)
    assert (found.blocks, found.lost, found.temporary) == (len(SMALL), set(), [])
    await keep_all(store)
    assert await hits(store) == 40


async def test_what_cannot_be_read_comes_from_an_upstream(
    broken: BrokenDisk, open_store: OpenStore
) -> None:
    leaves = Profile(chunk_bytes=50_000, max_links=8, raw_leaves=True, cid_version=1)
    file, store = sample(200_000, leaves), await open_store()
    async with LyingUpstream(file.blocks) as upstream, Kit(upstream.settings, store=store) as kit:
        for expected in (True, False):
            await kit.read(file.cid)
            await store.flush()
            assert bool(upstream.log) is expected
            upstream.log.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "read", broken.read)
            assert await kit.read(file.cid) == file.content
        assert upstream.log
        upstream.log.clear()
        await store.flush()
        assert await kit.read(file.cid) == file.content
        assert upstream.log == []
