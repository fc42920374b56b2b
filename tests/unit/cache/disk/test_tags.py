"""The key of the tags, and what a tag proves."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.rig.cache_directory import index_file
from gateway.cache.disk.commands import Forget, Tag
from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index import Index
from gateway.cache.disk.index_handle import Epoch, IndexHandle
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.reader import BlockReader, ReadResult
from gateway.cache.disk.tags import KEY_BYTES, load_key
from gateway.cache.tiered_store import TieredStore
from gateway.content.block import Block, make_tag
from gateway.ports import MissReason
from gateway.settings import CacheSettings
from tests.fakes.blocks import numbered
from tests.fakes.cache_directory import alter
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver

KEY = bytes(range(KEY_BYTES))
SMALL, LARGE = numbered(1, 1000), numbered(2, 20_000)
BOTH = pytest.mark.parametrize("block", [SMALL, LARGE], ids=["row", "file"])
MIB = 1024 * 1024


def test_the_key_is_made_once_for_all_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "tag.key"
    key = load_key(path)
    assert (len(key), load_key(path)) == (KEY_BYTES, key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_who_is_second_takes_the_key_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tag.key"
    link = os.link

    def be_second(source: Path, target: Path) -> None:
        write_key(path, b"f" * KEY_BYTES)
        link(source, target)

    monkeypatch.setattr("os.link", be_second)
    assert load_key(path) == b"f" * KEY_BYTES
    assert list(tmp_path.iterdir()) == [path]


def write_key(path: Path, key: bytes, mode: int = 0o600) -> None:
    path.write_bytes(key)
    path.chmod(mode)


def be_too_short(path: Path) -> None:
    write_key(path, b"short")


def be_readable_by_others(path: Path) -> None:
    write_key(path, KEY, 0o644)


def be_a_folder(path: Path) -> None:
    path.mkdir()


def be_a_link(path: Path) -> None:
    write_key(path.with_name("other"), KEY)
    path.symlink_to("other")


@pytest.mark.parametrize(
    "become",
    [be_too_short, be_readable_by_others, be_a_folder, be_a_link],
    ids=lambda become: become.__name__,
)
def test_a_key_that_cannot_be_trusted_is_refused(
    tmp_path: Path, become: Callable[[Path], None]
) -> None:
    become(tmp_path / "tag.key")
    with pytest.raises(OSError, match=r"is not a key|used by others|symbolic"):
        load_key(tmp_path / "tag.key")


def test_a_key_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_key(tmp_path / "tag.key", KEY)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(OSError, match="another user"):
        load_key(tmp_path / "tag.key")


@pytest.fixture(name="reader")
def reader_fixture(tmp_path: Path, files: BlockFiles) -> Iterator[BlockReader]:
    handle = IndexHandle(tmp_path, 0, Epoch())
    quarantine = Quarantine(tmp_path / "quarantine", 1 << 30, FakeClock())
    reader = BlockReader(files, handle, quarantine, KEY)
    yield reader
    reader.close()


def enter(
    index: Index, files: BlockFiles, block: Block, tag: bytes | None, data: bytes | None = None
) -> None:
    """Put a block into the tier, with this tag; `data` when it is to be damaged."""
    data = block.data if data is None else data
    is_file = len(block.data) >= 16 * 1024
    if is_file:
        files.place(files.stage(data), block.cid.multihash)
    with index.transaction():
        blob = None if is_file else data
        index.add(block.cid.multihash, len(block.data), 1, blob, tag)


def tag_of(block: Block) -> bytes:
    return make_tag(KEY, block.cid.multihash, block.data)


@BOTH
def test_the_right_tag_is_enough(
    reader: BlockReader, index: Index, files: BlockFiles, block: Block
) -> None:
    enter(index, files, block, tag_of(block))
    assert reader.read(block.cid) == ReadResult(block)


@BOTH
@pytest.mark.parametrize(
    "tag",
    [
        pytest.param(None, id="none"),
        pytest.param(b"", id="empty"),
        pytest.param(bytes(16), id="wrong"),
        pytest.param(make_tag(bytes(32), SMALL.cid.multihash, SMALL.data), id="other-key"),
    ],
)
def test_without_the_right_tag_the_cid_decides_and_the_tag_is_mended(
    reader: BlockReader, index: Index, files: BlockFiles, block: Block, tag: bytes | None
) -> None:
    enter(index, files, block, tag)
    order = Tag(block.cid.multihash, tag_of(block))
    assert reader.read(block.cid) == ReadResult(block, order=order)


@BOTH
def test_damage_is_found(
    reader: BlockReader, index: Index, files: BlockFiles, block: Block
) -> None:
    enter(index, files, block, tag_of(block), bytes(len(block.data)))
    assert reader.read(block.cid) == ReadResult(
        None,
        is_damaged=True,
        order=Forget(block.cid.multihash),
        reason=MissReason.DAMAGED,
    )


def test_bytes_and_tag_of_another_block_are_no_good(
    reader: BlockReader, index: Index, files: BlockFiles
) -> None:
    other = numbered(3, len(LARGE.data))
    enter(index, files, LARGE, tag_of(other), other.data)
    assert reader.read(LARGE.cid).is_damaged


def test_without_an_index_the_cid_decides(
    reader: BlockReader, index: Index, files: BlockFiles
) -> None:
    enter(index, files, LARGE, tag_of(LARGE))
    index.path.unlink()
    assert reader.read(LARGE.cid).block == LARGE


def test_a_tag_is_asked_for_once(reader: BlockReader, index: Index, files: BlockFiles) -> None:
    enter(index, files, LARGE, tag_of(LARGE))
    assert reader.read(LARGE.cid) == ReadResult(LARGE)
    index.path.unlink()
    reader._handle.close()
    assert reader.read(LARGE.cid) == ReadResult(LARGE)


def test_a_wrong_tag_is_asked_for_again(
    reader: BlockReader, index: Index, files: BlockFiles
) -> None:
    enter(index, files, LARGE, bytes(16))
    found = reader.read(LARGE.cid)
    with index.transaction():
        index.set_tag(LARGE.cid.multihash, tag_of(LARGE))
    assert found == ReadResult(LARGE, order=Tag(LARGE.cid.multihash, tag_of(LARGE)))
    assert reader.read(LARGE.cid) == ReadResult(LARGE)


def test_known_tags_are_bounded(
    reader: BlockReader, index: Index, files: BlockFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cache.disk.reader.MAX_KNOWN_TAGS", 2)
    for number in range(5):
        block = numbered(number, 20_000)
        enter(index, files, block, tag_of(block))
        assert reader.read(block.cid) == ReadResult(block)
        assert len(reader._known_tags) <= 2


async def open_tagged(directory: Path, key: str = "tag.key") -> TieredStore:
    settings = CacheSettings(
        directory=str(directory / "cache"),
        disk_size=64 * MIB,
        memory_size=0,
        read_verification="tag",
        tag_key=str(directory / key),
    )
    return await TieredStore.open(settings, FakeClock(), RecordingObserver())


def tags_in(directory: Path) -> list[bytes | None]:
    index = Index(index_file(directory / "cache"), 1)
    tags = [tag for (tag,) in index.execute("SELECT tag FROM entries ORDER BY size")]
    index.close()
    return tags


async def test_blocks_get_their_tag_when_they_are_kept(tmp_path: Path) -> None:
    store = await open_tagged(tmp_path)
    for block in (SMALL, LARGE):
        await store.keep(block)
    await store.flush()
    key = load_key(tmp_path / "tag.key")
    await store.close()
    assert tags_in(tmp_path) == [make_tag(key, b.cid.multihash, b.data) for b in (SMALL, LARGE)]


async def test_a_lost_tag_comes_back_with_the_next_read(tmp_path: Path) -> None:
    store = await open_tagged(tmp_path)
    await store.keep(LARGE)
    await store.flush()
    alter(index_file(tmp_path / "cache"), "UPDATE entries SET tag = NULL")
    assert await store.find(LARGE.cid) is not None
    await store.flush()
    await store.close()
    assert None not in tags_in(tmp_path)


async def test_without_a_usable_key_cids_are_checked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_key(tmp_path / "bad.key", b"short")
    store = await open_tagged(tmp_path, "bad.key")
    await store.keep(LARGE)
    await store.flush()
    assert await store.find(LARGE.cid) is not None
    await store.close()
    assert tags_in(tmp_path) == [None]
    assert "blocks are hashed against their CIDs" in caplog.text
