"""One batch of writes: everything that can be there is, and nothing else is left of it."""

import errno
import os
from pathlib import Path

import pytest

from gateway.cache.disk.commands import Store
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index import Index, IndexUnavailable
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.schema import cost_of
from gateway.cache.disk.write_batch import Batch
from gateway.content.block import Block
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock

SMALL = numbered(1, 100)
LARGE = numbered(2, 20_000)


def order(block: Block) -> Store:
    return Store(block.cid.multihash, block.data)


def staged(files: BlockFiles, *blocks: Block) -> Batch:
    folder = Path(files.path(LARGE.cid.multihash)).parents[2] / "quarantine"
    batch = Batch(files, Quarantine(folder, 1 << 30, FakeClock()), used_ms=7)
    batch.stage([order(block) for block in blocks])
    return batch


def enter(batch: Batch, index: Index) -> list[bytes]:
    with index.transaction():
        batch.enter(index)
    return batch.finish()


def temporary_files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "temp").rglob("*") if path.is_file()]


def test_enters_rows_and_files(index: Index, files: BlockFiles, tmp_path: Path) -> None:
    batch = staged(files, SMALL, LARGE)
    assert batch.incoming_bytes == cost_of(100) + cost_of(20_000)
    assert enter(batch, index) == [SMALL.cid.multihash, LARGE.cid.multihash]
    assert index.blob(SMALL.cid.multihash) == SMALL.data
    assert files.read(LARGE.cid.multihash) == LARGE.data
    assert index.totals()[0] == 2
    assert index.coldest_ms() == 7
    assert temporary_files(tmp_path) == []


def test_a_file_that_is_there_is_entered_and_not_written(
    index: Index, files: BlockFiles, tmp_path: Path
) -> None:
    enter(staged(files, LARGE), index)
    inode = Path(files.path(LARGE.cid.multihash)).stat().st_ino
    batch = staged(files, LARGE)
    assert temporary_files(tmp_path) == []
    enter(batch, index)
    assert Path(files.path(LARGE.cid.multihash)).stat().st_ino == inode
    assert index.totals()[0] == 1


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(LARGE.data[:-1] + b"\x00", id="another-byte"),
        pytest.param(LARGE.data[:-1], id="cut"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_damaged_file_is_replaced_and_counted(
    index: Index, files: BlockFiles, damage: bytes
) -> None:
    enter(staged(files, LARGE), index)
    Path(files.path(LARGE.cid.multihash)).write_bytes(damage)
    batch = staged(files, LARGE)
    enter(batch, index)
    assert batch.quarantined == 1
    assert files.read(LARGE.cid.multihash) == LARGE.data


def test_a_file_of_another_size_is_written_again(index: Index, files: BlockFiles) -> None:
    enter(staged(files, LARGE), index)
    os.truncate(files.path(LARGE.cid.multihash), 5)
    enter(staged(files, LARGE), index)
    assert files.read(LARGE.cid.multihash) == LARGE.data


def test_a_file_evicted_on_the_way_is_not_entered(index: Index, files: BlockFiles) -> None:
    enter(staged(files, LARGE), index)
    batch = staged(files, LARGE)
    files.remove(LARGE.cid.multihash)
    assert enter(batch, index) == []
    assert batch.lost == 0


def test_a_folder_in_the_place_of_a_block_is_moved_aside(index: Index, files: BlockFiles) -> None:
    Path(files.path(LARGE.cid.multihash)).mkdir(parents=True)
    batch = staged(files, LARGE)
    assert enter(batch, index) == [LARGE.cid.multihash]
    assert batch.quarantined == 1
    assert files.read(LARGE.cid.multihash) == LARGE.data


def test_what_cannot_be_placed_is_lost_and_the_rest_is_not(
    index: Index, files: BlockFiles, tmp_path: Path
) -> None:
    in_the_way = Path(files.path(LARGE.cid.multihash)).parent
    in_the_way.write_bytes(b"a file where a folder should be")
    batch = staged(files, SMALL, LARGE)
    assert enter(batch, index) == [SMALL.cid.multihash]
    assert (batch.lost, batch.missing_bytes) == (1, 0)
    assert "directory" in batch.error
    assert temporary_files(tmp_path) == []


def test_what_cannot_be_staged_is_lost(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    batch = staged(BlockFiles(tmp_path / "file"), SMALL, LARGE)
    assert batch.lost == 1
    assert [write.key for write in batch.written] == [SMALL.cid.multihash]


def test_giving_up_takes_everything_back(index: Index, files: BlockFiles, tmp_path: Path) -> None:
    batch = staged(files, SMALL, LARGE)

    def fail() -> None:
        with index.transaction():
            batch.enter(index)
            raise IndexUnavailable("a reason")

    with pytest.raises(IndexUnavailable, match="a reason"):
        fail()
    batch.give_up(IndexUnavailable("a reason"))
    assert files.read(LARGE.cid.multihash) is None
    assert temporary_files(tmp_path) == []
    assert (batch.lost, batch.error) == (2, "a reason")


def test_giving_up_before_entering_leaves_no_fragments(files: BlockFiles, tmp_path: Path) -> None:
    batch = staged(files, SMALL, LARGE)
    batch.give_up(IndexUnavailable("locked"))
    assert temporary_files(tmp_path) == []
    assert batch.finish() == []


def test_giving_up_spares_files_that_were_there(index: Index, files: BlockFiles) -> None:
    enter(staged(files, LARGE), index)
    staged(files, LARGE).give_up(IndexUnavailable("locked"))
    assert files.read(LARGE.cid.multihash) == LARGE.data


def test_a_batch_may_be_entered_again_elsewhere(
    index: Index, files: BlockFiles, tmp_path: Path
) -> None:
    batch = staged(files, SMALL, LARGE)
    with index.transaction():
        batch.enter(index)
    Index.create(tmp_path / "next.sqlite")
    following = Index(tmp_path / "next.sqlite", 0)
    enter(batch, following)
    assert following.totals()[0] == 2
    following.close()


class FullDisk(BlockFiles):
    """Takes three files."""

    room = 3

    def stage(self, data: bytes) -> str:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= 1
        return super().stage(data)


def test_a_full_disk_leaves_room_for_the_index(tmp_path: Path) -> None:
    """512 KiB are given up again: two of the three files of 300,000 bytes that fitted."""
    files = FullDisk(tmp_path)
    files.prepare()
    batch = staged(files, *(numbered(n, 300_000) for n in range(4)))
    assert (len(batch.written), batch.lost) == (1, 3)
    assert batch.missing_bytes == 3 * cost_of(300_000)
    assert len(temporary_files(tmp_path)) == 1
