"""The short way is open while the disk answers at once, and never decides about a miss."""

from pathlib import Path

import pytest

from benchmarks.rig.cache_directory import index_file
from gateway.cache.disk import inline_reader as module
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index_handle import Epoch, IndexHandle
from gateway.cache.disk.inline_reader import SLOW_S, TRUST_READS, InlineReader
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.reader import BlockReader, ReadResult
from gateway.content.cid import Cid
from tests.fakes.blocks import numbered
from tests.fakes.cache_directory import alter
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.unit.cache.conftest import OpenStore

ROW, FILE, ABSENT = numbered(1, 1000), numbered(2, 20_000), numbered(3, 8)


class Disk(BlockReader):
    """Has `ROW` and `FILE`; reading takes as long as a test says, and is from the disk or not."""

    def __init__(self, tmp_path: Path, clock: FakeClock) -> None:
        quarantine = Quarantine(tmp_path, 1, clock)
        super().__init__(BlockFiles(tmp_path), IndexHandle(tmp_path, 0, Epoch()), quarantine)
        self._clock = clock
        self.takes_s = 0.0
        self.is_in_memory = False
        self.reads = 0
        self.tried: list[str] = []

    def _take(self) -> None:
        self._clock.advance(self.takes_s)
        self.reads += not self.is_in_memory

    def read_row(self, cid: Cid) -> ReadResult:
        self.tried.append("row")
        self._take()
        return ReadResult(ROW if cid == ROW.cid else None)

    def read_file_now(self, cid: Cid) -> ReadResult:
        self.tried.append("file")
        self._take()
        return ReadResult(FILE if cid == FILE.cid else None)


@pytest.fixture(name="disk")
def disk_fixture(tmp_path: Path, clock: FakeClock) -> Disk:
    return Disk(tmp_path, clock)


@pytest.fixture(name="inline")
def inline_fixture(disk: Disk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> InlineReader:
    monkeypatch.setattr(module, "disk_reads", lambda: disk.reads)
    return InlineReader(disk, clock)


def trust(inline: InlineReader) -> None:
    for _ in range(TRUST_READS):
        inline.note(0.0001)


def test_it_opens_after_enough_quick_reads_by_threads(inline: InlineReader) -> None:
    before = inline.is_open()
    trust(inline)
    assert (before, inline.is_open()) == (False, True)


def test_a_slow_read_by_a_thread_closes_it(inline: InlineReader) -> None:
    trust(inline)
    inline.note(SLOW_S + 0.001)
    assert not inline.is_open()


def test_a_slow_read_of_its_own_closes_it(inline: InlineReader, disk: Disk) -> None:
    trust(inline)
    disk.takes_s = SLOW_S + 0.001
    assert inline.read(ROW.cid) == ReadResult(ROW)
    assert not inline.is_open()
    trust(inline)
    assert inline.is_open()


def test_a_processor_that_others_use_does_not_close_it(inline: InlineReader, disk: Disk) -> None:
    trust(inline)
    disk.takes_s = SLOW_S + 0.001
    disk.is_in_memory = True
    assert inline.read(ROW.cid) == ReadResult(ROW)
    assert inline.is_open()


def test_what_is_neither_is_left_to_the_long_way(inline: InlineReader) -> None:
    assert inline.read(ABSENT.cid) is None


def test_what_the_last_block_was_is_tried_first(inline: InlineReader, disk: Disk) -> None:
    found = [inline.read(block.cid) for block in (ROW, FILE, FILE, ROW, ROW)]
    assert found == [ReadResult(block) for block in (ROW, FILE, FILE, ROW, ROW)]
    assert disk.tried == ["row", "row", "file", "file", "file", "row", "row"]


def test_a_closed_one_is_not_tried(inline: InlineReader) -> None:
    trust(inline)
    inline.close()
    assert not inline.is_open()


async def test_rows_files_and_misses_are_told_apart_both_ways(
    open_store: OpenStore, observer: RecordingObserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLOW_S", 60.0)  # whatever else this machine does
    store = await open_store()
    for block in (ROW, FILE):
        await store.keep(block)
    await store.flush()
    for _ in range(TRUST_READS + 5):
        assert [await store.find(b.cid) is not None for b in (ROW, FILE)] == [True, True]
        assert await store.find(numbered(3, 8).cid) is None
    assert store.disk is not None
    assert store.disk._inline._trust == TRUST_READS
    assert observer.missed == TRUST_READS + 5


async def test_a_damaged_row_is_noticed_on_the_short_way(
    open_store: OpenStore, directory: Path, observer: RecordingObserver
) -> None:
    store = await open_store()
    await store.keep(ROW)
    await store.flush()
    for _ in range(TRUST_READS + 1):
        assert await store.find(ROW.cid)
    alter(index_file(directory), "UPDATE blobs SET data = x'00'")
    assert await store.find(ROW.cid) is None
    assert sum(observer.rejected.values()) == 1
