"""Bodies in anonymous files: whole, sealed, and gone with their last reader."""

import os

import pytest

from gateway.web.hot.file_body import BodyWriter, FilePart


def test_a_finished_body_is_what_was_written() -> None:
    writer = BodyWriter()
    writer.write(b"verified ")
    writer.write(memoryview(b"bytes"))
    body = writer.finish()
    assert (len(body), os.pread(body.fd, 100, 0)) == (14, b"verified bytes")
    assert FilePart(body, 2, 5).size_bytes == 3


def test_a_finished_body_cannot_be_changed() -> None:
    writer = BodyWriter()
    writer.write(b"verified bytes")
    body = writer.finish()
    with pytest.raises(PermissionError, match="not permitted"):
        os.pwrite(body.fd, b"X", 0)
    with pytest.raises(PermissionError, match="not permitted"):
        os.ftruncate(body.fd, 3)


def test_a_body_goes_with_the_last_who_knows_of_it() -> None:
    writer = BodyWriter()
    body = writer.finish()
    fd = body.fd
    del writer, body
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
