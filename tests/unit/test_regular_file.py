"""What stands where a setting names a file (issue 12, 8)."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.regular_file import open_regular, read_regular


def make_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def make_link_to_device(path: Path) -> Path:
    path.symlink_to("/dev/full")
    return path


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: Path("/dev/full"), id="device-without-end"),
        pytest.param(lambda _: Path("/dev/null"), id="device"),
        pytest.param(make_link_to_device, id="link-to-a-device"),
        pytest.param(make_pipe, id="pipe-without-a-writer"),
        pytest.param(make_folder, id="folder"),
    ],
)
def test_what_is_no_file_is_refused_before_it_is_read(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    with pytest.raises(OSError, match=r"Not a regular file|Is a directory"):
        read_regular(make(tmp_path / "it"), 100)


def test_what_becomes_no_file_before_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1234")
    looked_at = file.stat()
    file.unlink()
    make_pipe(file)
    monkeypatch.setattr(Path, "stat", lambda _: looked_at)
    with pytest.raises(OSError, match=r"Not a regular file|Is a directory"):
        read_regular(file, 4)


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1234")
    assert read_regular(file, 4) == b"1234"
    with pytest.raises(OSError, match="Larger than 3 bytes"):
        read_regular(file, 3)
    link = tmp_path / "b"
    link.symlink_to(file)
    with open_regular(link, 4) as opened:
        assert opened.read() == b"1234"


def test_a_file_that_grows_is_read_up_to_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1234")
    status = file.stat()
    file.write_bytes(b"12345")
    monkeypatch.setattr(Path, "stat", lambda _: status)
    monkeypatch.setattr(os, "fstat", lambda _: status)
    with pytest.raises(OSError, match="Larger than 4 bytes"):
        read_regular(file, 4)
