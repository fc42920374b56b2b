"""What follows the target, wherever the parser has found it."""

import pytest

from gateway.web.connection.request_line import is_complete, version_of


@pytest.mark.parametrize(
    ("start", "version"),
    [
        pytest.param(b"GET /a HTTP/1.1\r\nHost: h\r\n", b" HTTP/1.1", id="today"),
        pytest.param(b"GET /a HTTP/1.0\r\n", b" HTTP/1.0", id="first"),
        pytest.param(b"\r\n\r\nGET /a HTTP/1.1\r\n", b" HTTP/1.1", id="empty-lines-before"),
        pytest.param(b"GET /a HTTP/2.0\r\n", b" HTTP/2.0", id="another"),
        pytest.param(b"GET /a\r\nHost: h\r\n", b"\r\nHost: h", id="none"),
        pytest.param(b"GET  /a HTTP/1.1\r\n", b"a HTTP/1.", id="blank-too-many"),
        pytest.param(b"GET /a  HTTP/1.1\r\n", b"  HTTP/1.", id="blank-behind-the-target"),
    ],
)
def test_the_version_stands_behind_one_blank(start: bytes, version: bytes) -> None:
    assert version_of(start, b"GET", b"/a") == version


@pytest.mark.parametrize(
    ("start", "is_all"),
    [(b"GET / HT", False), (b"\r\n", False), (b"\r\nGET / HTTP/1.1\r", False), (b"a\r\nb", True)],
)
def test_a_request_line_ends_with_its_line_break(start: bytes, is_all: bool) -> None:  # noqa: FBT001 (a column)
    assert is_complete(start) is is_all
