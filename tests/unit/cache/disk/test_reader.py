"""One read of a block: found as a row or a file, and verified."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cache.disk.commands import Forget, IndexLost
from gateway.cache.disk.files import MAX_NOW_BYTES, BlockFiles
from gateway.cache.disk.index import Index
from gateway.cache.disk.index_handle import Epoch, IndexHandle
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.reader import BlockReader, ReadResult
from gateway.content.block import Block
from gateway.ports import MissReason
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock

SMALL = numbered(1, 100)
LARGE = numbered(2, 20_000)


@pytest.fixture(name="files")
def files_fixture(tmp_path: Path) -> BlockFiles:
    files = BlockFiles(tmp_path)
    files.prepare()
    files.place(files.stage(LARGE.data), LARGE.cid.multihash)
    return files


@pytest.fixture(name="path")
def path_fixture(tmp_path: Path) -> Path:
    path = tmp_path / "index-a.sqlite"
    Index.create(path)
    index = Index(path, 0)
    with index.transaction():
        index.add(SMALL.cid.multihash, 100, 1, SMALL.data)
    index.close()
    return path


@pytest.fixture(name="reader")
def reader_fixture(files: BlockFiles, path: Path, clock: FakeClock) -> Iterator[BlockReader]:
    quarantine = Quarantine(path.parent / "quarantine", 1 << 30, clock)
    reader = BlockReader(files, IndexHandle(path.parent, 0, Epoch()), quarantine)
    yield reader
    reader.close()


@pytest.mark.parametrize("block", [SMALL, LARGE], ids=["row", "file"])
def test_reads_rows_and_files(reader: BlockReader, block: Block) -> None:
    assert reader.read(block.cid) == ReadResult(block)


def test_an_absent_block_is_a_miss(reader: BlockReader) -> None:
    assert reader.read(numbered(3, 100).cid) == ReadResult(None)


def test_a_damaged_file_is_moved_and_reported(
    reader: BlockReader, files: BlockFiles, tmp_path: Path
) -> None:
    path = Path(files.path(LARGE.cid.multihash))
    path.write_bytes(bytes(20_000))
    assert reader.read(LARGE.cid) == ReadResult(
        None,
        is_damaged=True,
        order=Forget(LARGE.cid.multihash),
        reason=MissReason.DAMAGED,
    )
    assert not path.exists()
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_a_damaged_row_is_reported(reader: BlockReader, path: Path) -> None:
    index = Index(path, 0)
    with index.transaction():
        index.add(LARGE.cid.multihash, 5, 1, b"wrong")
    index.close()
    Path(reader._files.path(LARGE.cid.multihash)).unlink()
    assert reader.read(LARGE.cid) == ReadResult(
        None,
        is_damaged=True,
        order=Forget(LARGE.cid.multihash),
        reason=MissReason.DAMAGED,
    )


def test_a_damaged_index_is_reported_and_files_are_read(reader: BlockReader, path: Path) -> None:
    path.write_bytes(b"nonsense" * 2000)
    assert reader.read(SMALL.cid) == ReadResult(
        None, order=IndexLost(path), reason=MissReason.UNAVAILABLE
    )
    assert reader.read(LARGE.cid) == ReadResult(LARGE)


def test_without_an_index_files_are_read(reader: BlockReader, path: Path) -> None:
    path.unlink()
    assert reader.read(SMALL.cid) == ReadResult(None, reason=MissReason.UNAVAILABLE)
    assert reader.read(LARGE.cid) == ReadResult(LARGE)


def test_a_file_in_memory_is_read_now(reader: BlockReader) -> None:
    assert reader.read(LARGE.cid) == ReadResult(LARGE)  # it is in memory now
    assert reader.read_file_now(LARGE.cid) == ReadResult(LARGE)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bytes(20_000), id="other bytes"),
        pytest.param(b"", id="empty"),
        pytest.param(bytes(MAX_NOW_BYTES + 1), id="too large"),
        pytest.param(None, id="absent"),
    ],
)
def test_what_cannot_be_had_now_is_left_as_it_is(
    reader: BlockReader, files: BlockFiles, data: bytes | None
) -> None:
    path = Path(files.path(LARGE.cid.multihash))
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    assert reader.read_file_now(LARGE.cid) == ReadResult(None)
    assert path.exists() == (data is not None)


def test_what_would_have_to_wait_is_not_read_now(
    reader: BlockReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_in_memory(*_: object) -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "preadv", not_in_memory)
    assert reader.read_file_now(LARGE.cid) == ReadResult(None)
