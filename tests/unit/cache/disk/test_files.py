"""Block files: whole or absent, read without following or trusting anything."""

import os
import shutil
from pathlib import Path

import pytest

from gateway.cache.disk.files import BlockFiles, FileDamaged, Found, parse_file_name
from gateway.content.block import MAX_BLOCK_BYTES
from tests.fakes.blocks import numbered

BLOCK = numbered(1, 20_000)
KEY = BLOCK.cid.multihash


@pytest.fixture(name="files")
def files_fixture(directory: Path) -> BlockFiles:
    files = BlockFiles(directory)
    files.prepare()
    return files


def put(files: BlockFiles, key: bytes = KEY, data: bytes = BLOCK.data) -> Path:
    files.place(files.stage(data), key)
    return Path(files.path(key))


def test_reads_what_was_placed(files: BlockFiles) -> None:
    put(files)
    assert files.read(KEY) == BLOCK.data
    assert files.size(KEY) == 20_000


def test_a_file_is_named_by_its_multihash(files: BlockFiles, directory: Path) -> None:
    name = KEY.hex()
    assert put(files) == directory / "blocks" / name[-2:] / name


def test_files_and_folders_are_private(files: BlockFiles, directory: Path) -> None:
    path = put(files)
    modes = [p.stat().st_mode & 0o777 for p in (path, path.parent, directory)]
    assert modes == [0o600, 0o700, 0o700]


def test_a_staged_file_is_not_in_its_place(files: BlockFiles) -> None:
    files.stage(BLOCK.data)
    assert files.read(KEY) is None
    assert files.size(KEY) is None


def test_placing_replaces_what_is_there(files: BlockFiles) -> None:
    put(files, data=b"damaged")
    put(files)
    assert files.read(KEY) == BLOCK.data


def test_placing_over_a_link_replaces_the_link(files: BlockFiles, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    path = put(files)
    path.unlink()
    path.symlink_to(target)
    put(files)
    assert not path.is_symlink()
    assert target.read_bytes() == b"precious"


def test_removes_files(files: BlockFiles) -> None:
    put(files)
    files.remove(KEY)
    files.remove(KEY)
    assert files.read(KEY) is None


def test_staging_makes_a_deleted_directory_again(files: BlockFiles, directory: Path) -> None:
    shutil.rmtree(directory)
    put(files)
    assert files.read(KEY) == BLOCK.data


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "too-large"])
def test_what_is_no_block_is_damage(files: BlockFiles, kind: str) -> None:
    path = put(files)
    match kind:
        case "link":
            path.rename(path.with_name("target"))
            path.symlink_to("target")
        case "folder":
            path.unlink()
            path.mkdir()
        case "pipe":
            path.unlink()
            os.mkfifo(path)
        case _:
            os.truncate(path, MAX_BLOCK_BYTES + 1)
    with pytest.raises(FileDamaged, match=r"mode|symbolic"):
        files.read(KEY)


def test_a_file_in_place_of_a_folder_is_an_absent_block(files: BlockFiles) -> None:
    folder = Path(files.path(KEY)).parent
    folder.touch()
    assert files.read(KEY) is None
    files.remove(KEY)


def test_lists_blocks_and_what_is_none(files: BlockFiles) -> None:
    path = put(files)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    stranger = path.with_name("stranger")
    stranger.touch()
    (folder,) = files.folders()
    listed = set(files.list_folder(folder))
    assert listed == {Found(KEY, 20_000, 1_700_000_000_000), stranger}


@pytest.mark.parametrize("size", [0, 16_383, MAX_BLOCK_BYTES + 1])
def test_files_of_impossible_sizes_are_listed_as_strangers(files: BlockFiles, size: int) -> None:
    path = put(files)
    os.truncate(path, size)
    assert list(files.list_folder(path.parent)) == [path]


def test_a_block_in_the_wrong_folder_is_a_stranger(files: BlockFiles, directory: Path) -> None:
    path = put(files)
    wrong = directory / "blocks" / "zz"
    wrong.mkdir()
    moved = path.rename(wrong / path.name)
    assert list(files.list_folder(wrong)) == [moved]


def test_a_link_to_a_folder_is_not_listed_but_a_stranger(
    files: BlockFiles, directory: Path, tmp_path: Path
) -> None:
    link = directory / "blocks" / "aa"
    link.symlink_to(tmp_path)
    assert list(files.list_folder(link)) == [link]


def test_no_directory_has_no_folders(tmp_path: Path) -> None:
    assert BlockFiles(tmp_path / "absent").folders() == []


@pytest.mark.parametrize(
    ("name", "key"),
    [
        pytest.param("1220ab", b"\x12\x20\xab", id="ours"),
        pytest.param("1220AB", None, id="upper-case"),
        pytest.param("12 20ab", None, id="blank"),
        pytest.param("122", None, id="odd"),
        pytest.param("index", None, id="not-hex"),
    ],
)
def test_parses_only_names_that_it_gives(name: str, key: bytes | None) -> None:
    assert parse_file_name(name) == key
