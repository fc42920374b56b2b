import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.disposition import (
    MAX_FILENAME_CHARACTERS,
    clean_filename,
    content_disposition,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a b.txt", "a b.txt", id="plain"),
        pytest.param(
            "test\u0442\u0435\u0441\u0442.tar", "test\u0442\u0435\u0441\u0442.tar", id="utf-8"
        ),
        pytest.param("../../etc/passwd", ".._.._etc_passwd", id="path"),
        pytest.param("..\\windows", ".._windows", id="backslashes"),
        pytest.param("a\r\nSet-Cookie: x\0\x7f\x85", "aSet-Cookie: x", id="controls"),
        pytest.param("evil\u202etxt.exe\u2066", "eviltxt.exe", id="direction-marks"),
        pytest.param('say "hi"', 'say "hi"', id="quotes"),
        pytest.param("  x  ", "x", id="spaces-around"),
        pytest.param("x" * 10_000, "x" * MAX_FILENAME_CHARACTERS, id="10-kB"),
        pytest.param("\r\n", None, id="nothing-left"),
        pytest.param("", None, id="empty"),
    ],
)
def test_clean_filename(text: str, expected: str | None) -> None:
    assert clean_filename(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "test\u0442\u0435\u0441\u0442.tar",
            b'attachment; filename="test____.tar"; '
            b"filename*=UTF-8''test%D1%82%D0%B5%D1%81%D1%82.tar",
            id="conformance-suite",
        ),
        pytest.param(
            'a "b" \\ 50%.txt',
            b'attachment; filename="a _b_ _ 50_.txt"; '
            b"filename*=UTF-8''a%20%22b%22%20%5C%2050%25.txt",
            id="what-has-to-be-escaped",
        ),
        pytest.param(
            "x\r\nSet-Cookie: a=b",
            b'attachment; filename="x__Set-Cookie: a=b"; '
            b"filename*=UTF-8''x%0D%0ASet-Cookie%3A%20a%3Db",
            id="header-injection",
        ),
    ],
)
def test_content_disposition(name: str, expected: bytes) -> None:
    assert content_disposition(name, is_attachment=True) == expected


def test_content_disposition_inline() -> None:
    assert content_disposition("a.json", is_attachment=False).startswith(
        b'inline; filename="a.json"; '
    )


@pytest.mark.property
@given(st.text(max_size=80))
def test_a_clean_name_round_trips(text: str) -> None:
    """RFC 8187: decoding the extended parameter gives the name again, in one printable line."""
    name = clean_filename(text)
    if name is None:
        return
    value = content_disposition(name, is_attachment=True).decode("ascii")
    assert value.isprintable()
    match = re.fullmatch(r"attachment; filename=\"[^\"\\%]*\"; filename\*=UTF-8''(\S*)", value)
    assert match is not None
    assert unquote(match[1], errors="strict") == name


@pytest.mark.property
@given(st.text(max_size=400))
def test_clean_filename_is_a_projection(text: str) -> None:
    name = clean_filename(text)
    if name is not None:
        assert clean_filename(name) == name.strip()
