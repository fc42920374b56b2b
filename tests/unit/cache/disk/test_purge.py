"""Purges: what is out is out, in all processes that use the directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cache.disk import purge as module
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index import Index, IndexUnavailable
from gateway.cache.disk.pins import mark
from gateway.cache.disk.purge import Purges, purge, purges_after
from gateway.content.block import Block
from gateway.ports import Purged
from tests.fakes.blocks import numbered

SMALL = numbered(1, 1000)
LARGE = numbered(2, 50_000)
KEYS = [SMALL.cid.multihash, LARGE.cid.multihash]


@pytest.fixture(name="index")
def index_fixture(tmp_path: Path) -> Iterator[Index]:
    Index.create(tmp_path / "index-1.sqlite")
    index = Index(tmp_path / "index-1.sqlite", 0)
    yield index
    index.close()


@pytest.fixture(name="files")
def files_fixture(tmp_path: Path, index: Index) -> BlockFiles:
    files = BlockFiles(tmp_path)
    files.prepare()
    keep(files, index, LARGE)
    with index.transaction():
        index.add(SMALL.cid.multihash, len(SMALL.data), 1, SMALL.data)
    return files


def keep(files: BlockFiles, index: Index, block: Block) -> None:
    files.place(files.stage(block.data), block.cid.multihash)
    with index.transaction():
        index.add(block.cid.multihash, len(block.data), 1, None)


def test_takes_out_rows_and_files(index: Index, files: BlockFiles) -> None:
    told = purge(index, files, KEYS, is_named=True)
    assert told == Purged(2, 51_000, 0)
    assert index.totals() == (0, 0)
    assert files.read(LARGE.cid.multihash) is None


def test_what_is_not_there_is_no_error(index: Index, files: BlockFiles) -> None:
    purge(index, files, KEYS, is_named=True)
    assert purge(index, files, KEYS, is_named=True) == Purged(0, 0, 0)


def test_takes_out_a_file_that_the_index_does_not_know(index: Index, files: BlockFiles) -> None:
    other = numbered(3, 20_000)
    files.place(files.stage(other.data), other.cid.multihash)
    assert purge(index, files, [other.cid.multihash], is_named=True) == Purged(1, 20_000, 0)
    assert files.read(other.cid.multihash) is None


def test_pinned_blocks_stay(index: Index, files: BlockFiles) -> None:
    mark(index, b"root", {LARGE.cid.multihash: 50_000}, 1 << 30)
    assert purge(index, files, KEYS, is_named=True) == Purged(1, 1000, 1)
    assert files.read(LARGE.cid.multihash) == LARGE.data


def test_a_file_that_cannot_be_deleted_leaves_the_index_as_it_was(
    index: Index, files: BlockFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: bytes) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(files, "remove", refuse)
    with pytest.raises(IndexUnavailable, match="cannot be purged"):
        purge(index, files, KEYS, is_named=True)
    assert index.totals()[0] == 2
    assert purges_after(index, 0) == Purges(0, [], is_all=False)


def test_others_learn_what_was_purged_since_they_looked(index: Index, files: BlockFiles) -> None:
    purge(index, files, KEYS[:1], is_named=True)
    seen = purges_after(index, -1)
    purge(index, files, KEYS[1:], is_named=True)
    assert seen == Purges(1, [], is_all=False)
    assert purges_after(index, seen.last) == Purges(2, KEYS[1:], is_all=False)
    assert purges_after(index, 2) == Purges(2, [], is_all=False)


def test_a_purge_without_names_is_everything(index: Index, files: BlockFiles) -> None:
    purge(index, files, KEYS, is_named=False)
    assert purges_after(index, 0) == Purges(1, [], is_all=True)


def test_who_slept_for_too_long_drops_everything(
    index: Index, files: BlockFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LOGGED", 1)
    purge(index, files, KEYS, is_named=True)
    assert purges_after(index, 0) == Purges(2, KEYS[1:], is_all=True)
    assert purges_after(index, 1) == Purges(2, KEYS[1:], is_all=False)


def test_the_log_of_another_index_is_no_continuation(index: Index) -> None:
    assert purges_after(index, 7) == Purges(0, [], is_all=True)
