"""The writer thread: orders in, reports out, and it outlives whatever goes wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from benchmarks.rig.cache_directory import index_file
from gateway.cache.disk.commands import Flush, Forget, IndexLost, Stop, Store
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.footprint import SPARE_SHARE, Footprint
from gateway.cache.disk.index import Index
from gateway.cache.disk.index_handle import Epoch, IndexOwner
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.scan import Sweep
from gateway.cache.disk.schema import PAGE_BYTES, cost_of
from gateway.cache.disk.writer import Report, Writer
from gateway.cache.states import EvictionReason, IndexState
from gateway.content.block import Block
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock

SMALL = numbered(1, 100)
LARGE = numbered(2, 20_000)
LIMIT = 1 << 24


def make_writer(files: BlockFiles, directory: Path, clock: FakeClock, limit_bytes: int) -> Writer:
    quarantine = Quarantine(directory / "quarantine", limit_bytes, clock)
    owner = IndexOwner(directory, 0, Epoch(), quarantine)
    sweep = Sweep(directory, files, quarantine, clock)
    footprint = Footprint(directory, limit_bytes, quarantine, clock)
    return Writer(files, owner, quarantine, sweep, footprint, clock)


class Running:
    """A writer, and what it reported."""

    def __init__(self, directory: Path, clock: FakeClock, limit_bytes: int) -> None:
        self.files = BlockFiles(directory)
        self.writer = make_writer(self.files, directory, clock, limit_bytes)
        self.reports: SimpleQueue[Report] = SimpleQueue()
        self.writer.start(self.reports.put)

    def until(self, is_it: Callable[[Report], bool]) -> Report:
        """Return the first report that is what is looked for."""
        while True:
            report = self.reports.get(timeout=10)
            if is_it(report):
                return report

    def store(self, *blocks: Block) -> Report:
        """Store blocks; return the last report, with what the ones before it tell as well."""
        for block in blocks:
            self.writer.put(Store(block.cid.multihash, block.data))
        self.writer.put(Flush(), is_urgent=True)
        total = Report()
        last = self.until(lambda report: self._sum_up(total, report))
        return replace(
            last,
            done=total.done,
            known=total.known,
            evicted=total.evicted,
            lost=total.lost,
            quarantined=total.quarantined,
        )

    @staticmethod
    def _sum_up(total: Report, report: Report) -> bool:
        total.done += report.done
        total.known += report.known
        total.evicted += report.evicted
        total.lost += report.lost
        total.quarantined += report.quarantined
        return bool(report.flushed)

    def stop(self) -> None:
        self.writer.put(Stop(), is_urgent=True)
        self.writer.join(10)


@contextmanager
def running(directory: Path, clock: FakeClock, limit_bytes: int = LIMIT) -> Iterator[Running]:
    running = Running(directory, clock, limit_bytes)
    try:
        yield running
    finally:
        running.stop()


def is_ready(report: Report) -> bool:
    return report.state is IndexState.READY


def entries(directory: Path) -> list[bytes]:
    index = Index(index_file(directory), 0)
    try:
        return [entry.key for entry in index.oldest(1000)]
    finally:
        index.close()


def test_writes_what_was_ordered(directory: Path, clock: FakeClock) -> None:
    with running(directory, clock) as run:
        report = run.store(SMALL, LARGE)
    keys = [SMALL.cid.multihash, LARGE.cid.multihash]
    assert (report.done, report.lost, report.error) == (keys, 0, "")
    assert set(keys) <= set(report.known)
    assert (report.blocks, report.bytes) == (2, cost_of(100) + cost_of(20_000))
    assert report.coldest_ms == int(clock.now() * 1000)
    assert entries(directory) == keys


def test_an_empty_directory_is_ready_after_a_turn_or_two(directory: Path, clock: FakeClock) -> None:
    with running(directory, clock) as run:
        assert run.until(is_ready).blocks == 0


def test_stopping_writes_what_is_pending(directory: Path, clock: FakeClock) -> None:
    with running(directory, clock) as run:
        run.writer.put(Store(SMALL.cid.multihash, SMALL.data))
    assert entries(directory) == [SMALL.cid.multihash]


def test_stopping_leaves_no_temporary_folder(directory: Path, clock: FakeClock) -> None:
    with running(directory, clock) as run:
        run.store(LARGE)
    assert list((directory / "temp").iterdir()) == []


def test_forgets_rows(directory: Path, clock: FakeClock) -> None:
    with running(directory, clock) as run:
        run.store(SMALL, LARGE)
        run.writer.put(Forget(SMALL.cid.multihash))
        run.store()
    assert entries(directory) == [LARGE.cid.multihash]


def test_forgets_files_that_are_gone_and_no_others(directory: Path, clock: FakeClock) -> None:
    gone = numbered(3, 20_000)
    with running(directory, clock) as run:
        run.store(LARGE, gone)
        run.files.remove(gone.cid.multihash)
        run.writer.put(Forget(gone.cid.multihash))
        run.writer.put(Forget(LARGE.cid.multihash))
        run.store()
    assert entries(directory) == [LARGE.cid.multihash]


def test_what_is_forgotten_and_stored_again_stays(directory: Path, clock: FakeClock) -> None:
    with running(directory, clock) as run:
        run.store(SMALL)
        run.writer.put(Forget(SMALL.cid.multihash))
        run.store(SMALL)
    assert entries(directory) == [SMALL.cid.multihash]


def test_uses_decide_who_is_evicted(directory: Path, clock: FakeClock) -> None:
    cost = cost_of(20_000)
    blocks = [numbered(n, 20_000) for n in range(4)]
    with running(directory, clock, 2 * (3 * cost + 1000)) as run:  # the half is for blocks
        for block in blocks[:3]:
            clock.advance(1)
            run.store(block)
        run.writer.touch(blocks[0].cid.multihash, int(clock.now() * 1000) + 1)
        run.store()
        report = run.store(blocks[3])
    assert report.evicted == [(EvictionReason.CAPACITY, 20_000)]
    assert set(entries(directory)) == {blocks[n].cid.multihash for n in (0, 2, 3)}


def test_a_large_batch_stays_below_the_limit(directory: Path, clock: FakeClock) -> None:
    room = 10 * cost_of(20_000)
    with running(directory, clock, 2 * room) as run:  # the half is for blocks
        report = run.store(*(numbered(n, 20_000) for n in range(60)))
        assert room // 2 < report.bytes <= room
    assert len(list((directory / "blocks").rglob("*/*"))) == report.blocks


def test_a_lost_index_is_rebuilt_from_the_files(directory: Path, clock: FakeClock) -> None:
    with running(directory, clock) as run:
        run.store(SMALL, LARGE)
        run.until(is_ready)
        run.writer.put(IndexLost(index_file(directory)))
        report = run.store()
        assert report.quarantined == 1
        assert run.until(is_ready).blocks == 1
    assert entries(directory) == [LARGE.cid.multihash]


def test_an_index_reported_lost_twice_is_replaced_once(directory: Path, clock: FakeClock) -> None:
    with running(directory, clock) as run:
        run.store(SMALL)
        lost = index_file(directory)
        run.writer.put(IndexLost(lost))
        run.writer.put(IndexLost(lost))
        assert run.store(SMALL).quarantined == 1
    assert entries(directory) == [SMALL.cid.multihash]


def test_a_deleted_index_is_made_again_with_the_batch(directory: Path, clock: FakeClock) -> None:
    with running(directory, clock) as run:
        run.store(SMALL)
        index_file(directory).unlink()
        run.store(LARGE)
    assert entries(directory) == [LARGE.cid.multihash]


@pytest.mark.parametrize("name", ["cache", "blocks", "temp"])
def test_a_directory_that_cannot_be_loses_writes(
    directory: Path, clock: FakeClock, name: str
) -> None:
    in_the_way = directory if name == "cache" else directory / name
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.touch()
    with running(directory, clock) as run:
        report = run.store(SMALL, LARGE)
        assert (report.lost, report.state) == (2, IndexState.UNAVAILABLE)
        assert report.error
        in_the_way.unlink()
        assert run.store(SMALL, LARGE).lost == 0
    assert len(entries(directory)) == 2


class Failing(BlockFiles):
    """Has a fault that nobody foresaw."""

    def read(self, key: bytes) -> bytes | None:
        raise ZeroDivisionError("a fault")


def test_a_fault_loses_a_batch_and_not_the_writer(
    directory: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with running(directory, clock) as run:
        usual = run.files
        run.writer._files = Failing(directory)
        report = run.store(LARGE)
        assert (report.done, report.lost) == ([LARGE.cid.multihash], 1)
        run.writer._files = usual
        assert run.store(LARGE).lost == 0
    assert "the writer of the disk cache failed" in caplog.text


def test_free_pages_go_back_to_the_file_system(directory: Path, clock: FakeClock) -> None:
    """Small blocks go, large ones come: the index must not keep the room of both."""
    limit = 1 << 21
    with running(directory, clock, limit) as run:
        run.store(*(numbered(n, 10_000) for n in range(100)))
        full = index_file(directory).stat().st_size
        run.store(*(numbered(n, 60_000) for n in range(200, 240)))
        run.store()
        assert index_file(directory).stat().st_size < full / 2


def test_a_turn_gives_back_what_its_evictions_left_free(directory: Path, clock: FakeClock) -> None:
    """The very turn: under load there is no other, and the index would grow beyond the limit."""
    limit = 1 << 24
    with running(directory, clock, limit) as run:
        run.store(*(numbered(n, 2000) for n in range(7000)))
    writer = make_writer(BlockFiles(directory), directory, clock, limit)
    for number in range(20):
        block = numbered(number, 200_000)
        writer.put(Store(block.cid.multihash, block.data))
    writer.put(Stop())
    reports: SimpleQueue[Report] = SimpleQueue()
    writer.start(reports.put)
    writer.join(10)
    assert (len(reports.get().done), reports.empty()) == (20, True)
    index = Index(index_file(directory), 0)
    ((free,),) = index.execute("PRAGMA freelist_count")
    index.close()
    assert free <= limit // SPARE_SHARE // PAGE_BYTES
