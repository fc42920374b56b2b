import gzip
import io
import json
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.media import SNIFF_BYTES, guess_type, sniff

PLAIN = b"text/plain; charset=utf-8"
UNKNOWN = b"application/octet-stream"
REST = b"\0" * 40


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("index.html", b"text/html", id="html-has-no-charset"),
        pytest.param("style.css", b"text/css; charset=utf-8", id="css"),
        pytest.param("app.js", b"text/javascript; charset=utf-8", id="js"),
        pytest.param("data.json", b"application/json", id="json"),
        pytest.param("icon.svg", b"image/svg+xml", id="svg"),
        pytest.param("module.wasm", b"application/wasm", id="wasm"),
        pytest.param("film.webm", b"video/webm", id="webm"),
        pytest.param("PHOTO.JPG", b"image/jpeg", id="capitals"),
        pytest.param("a.tar.gz", b"application/gzip", id="last-extension"),
        pytest.param("README", None, id="no-extension"),
        pytest.param("html", None, id="only-a-word"),
        pytest.param("a.", None, id="only-a-dot"),
        pytest.param("video.ts", None, id="typescript-or-mpeg"),
        pytest.param("", None, id="no-name"),
    ],
)
def test_guess_type(name: str, expected: bytes | None) -> None:
    assert guess_type(name) == expected


def _zip(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return buffer.getvalue()


def _ftyp(brands: bytes) -> bytes:
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + REST


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(b"\x89PNG\r\n\x1a\n" + REST, b"image/png", id="png"),
        pytest.param(b"\xff\xd8\xff\xe0\0\x10JFIF" + REST, b"image/jpeg", id="jpeg"),
        pytest.param(b"GIF89a" + REST, b"image/gif", id="gif"),
        pytest.param(b"RIFF\x24\0\0\0WEBPVP8 " + REST, b"image/webp", id="webp"),
        pytest.param(b"RIFF\x24\0\0\0WAVEfmt " + REST, b"audio/wav", id="wav"),
        pytest.param(b"RIFF\x24\0\0\0????" + REST, UNKNOWN, id="riff-of-another-kind"),
        pytest.param(b"FORM\0\0\0\0AIFFCOMM" + REST, b"audio/aiff", id="aiff"),
        pytest.param(_ftyp(b"avif\0\0\0\0mif1"), b"image/avif", id="avif"),
        pytest.param(_ftyp(b"mif1\0\0\0\0avif"), b"image/avif", id="avif-by-compatible-brand"),
        pytest.param(_ftyp(b"mif1\0\0\0\0heic"), b"image/heif", id="heif"),
        pytest.param(_ftyp(b"heic\0\0\0\0mif1"), b"image/heic", id="heic"),
        pytest.param(_ftyp(b"isom\0\0\2\0iso2"), b"video/mp4", id="mp4"),
        pytest.param(_ftyp(b"zzzz\0\0\0\0"), b"video/mp4", id="brand-of-tomorrow"),
        pytest.param(_ftyp(b"M4A \0\0\0\0"), b"audio/mp4", id="m4a"),
        pytest.param(_ftyp(b"qt  \0\0\0\0"), b"video/quicktime", id="mov"),
        pytest.param(_ftyp(b"3gp5\0\0\0\0"), b"video/3gpp", id="3gp"),
        pytest.param(b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x84webm" + REST, b"video/webm", id="webm"),
        pytest.param(b"\x1aE\xdf\xa3\xa3B\x82\x88matroska" + REST, b"video/x-matroska", id="mkv"),
        pytest.param(b"OggS\0\2" + b"\0" * 22 + b"\x80theora" + REST, b"video/ogg", id="ogv"),
        pytest.param(b"OggS\0\2" + b"\0" * 22 + b"OpusHead" + REST, b"audio/ogg", id="opus"),
        pytest.param(b"ID3\3\0\0\0" + REST, b"audio/mpeg", id="mp3-with-tags"),
        pytest.param(b"\xff\xfb\x90\x64" + REST, b"audio/mpeg", id="mp3"),
        pytest.param(b"fLaC\0\0\0\x22" + REST, b"audio/flac", id="flac"),
        pytest.param((b"G" + b"\0" * 187) * 4, b"video/mp2t", id="mpeg-ts"),
        pytest.param(b"%PDF-1.7\n" + REST, b"application/pdf", id="pdf"),
        pytest.param(_zip("a.txt", "hi"), b"application/zip", id="zip"),
        pytest.param(_zip("mimetype", "application/epub+zip"), b"application/epub+zip", id="epub"),
        pytest.param(gzip.compress(b"hello"), b"application/gzip", id="gzip"),
        pytest.param(_tar()[:SNIFF_BYTES], b"application/x-tar", id="tar"),
        pytest.param(b"\0asm\1\0\0\0" + REST, b"application/wasm", id="wasm"),
        pytest.param(b"BM\x46\0\0\0\0\0\0\0\x36" + REST, b"image/bmp", id="bmp"),
        pytest.param(b"\xff\xfeh\0i\0", b"text/plain; charset=utf-16le", id="utf-16"),
        pytest.param(b"\1\2\3", UNKNOWN, id="binary"),
        pytest.param(b"text with a \0", UNKNOWN, id="text-with-a-nul"),
    ],
)
def test_sniff_binary(head: bytes, expected: bytes) -> None:
    assert sniff(head) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(b"", b"text/plain", id="empty"),
        pytest.param(b"hello", PLAIN, id="ascii"),
        pytest.param("h\u00e9llo \x1b[1m".encode(), PLAIN, id="utf-8-with-escapes"),
        pytest.param(b"\xef\xbb\xbfhello", PLAIN, id="byte-order-mark"),
        pytest.param(b"x" * (SNIFF_BYTES - 1) + b"\xc3", PLAIN, id="cut-in-a-character"),
        pytest.param(b"x" * 9 + b"\xc3", b"text/plain", id="ends-in-a-character"),
        pytest.param("h\u00e9llo".encode("latin-1"), b"text/plain", id="latin-1"),
        pytest.param(b"BMW rules", PLAIN, id="not-a-bitmap"),
        pytest.param(b"WEBVTT\n\n00:01.000", b"text/vtt; charset=utf-8", id="vtt"),
        pytest.param(b"\n <!DOCTYPE HTML><p>", b"text/html", id="doctype"),
        pytest.param(b"<html lang=en>", b"text/html", id="html"),
        pytest.param(b"<!-- c --><p>", b"text/html", id="comment"),
        pytest.param(b"<p>\xe9", b"text/html", id="html-in-latin-1"),
        pytest.param(b"<htmlx>", PLAIN, id="longer-tag"),
        pytest.param(b"a < b", PLAIN, id="prose"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"image/svg+xml", id="svg"),
        pytest.param(
            b'<?xml version="1.0"?>\n<!-- c -->\n<!DOCTYPE svg>\n<svg>',
            b"image/svg+xml",
            id="svg-in-xml",
        ),
        pytest.param(b'<?xml version="1.0"?><a/>', b"text/xml; charset=utf-8", id="xml"),
        pytest.param(b'<?xml version="1.0"?><rss version="2.0">', b"application/rss+xml", id="rss"),
        pytest.param(b'<?xml version="1.0"?>\n<html>', b"application/xhtml+xml", id="xhtml"),
        pytest.param(b"<!-- -->" * 120 + b"<", b"text/html", id="many-comments"),
    ],
)
def test_sniff_text(head: bytes, expected: bytes) -> None:
    assert sniff(head) == expected


@pytest.mark.parametrize(
    ("head", "is_json"),
    [
        pytest.param(b'{"a": 1}', True, id="object"),
        pytest.param(b" [1, 2.5e3, -0, true, null]\n", True, id="array"),
        pytest.param(b"{}", True, id="empty-object"),
        pytest.param(b'{"a": 1} trailing', False, id="trailing"),
        pytest.param(b'{"a": 1}\n{"b": 2}\n', False, id="ndjson"),
        pytest.param(b'{"a": 1,}', False, id="comma"),
        pytest.param(b"{a: 1}", False, id="javascript"),
        pytest.param(b"[1] a footnote", False, id="footnote"),
        pytest.param(b"[section]\nkey=1", False, id="ini"),
        pytest.param(b"[text](url)", False, id="markdown"),
        pytest.param(b"42", False, id="number"),
        pytest.param(b'"text"', False, id="string"),
        pytest.param(b"[" * (SNIFF_BYTES - 1), False, id="never-closed"),
    ],
)
def test_sniff_json(head: bytes, is_json: bool) -> None:  # noqa: FBT001
    assert sniff(head) == (b"application/json" if is_json else PLAIN)


@pytest.mark.parametrize(
    ("text", "is_json"),
    [
        pytest.param('{"a": "' + "x" * 5000 + '"}', True, id="cut-in-a-string"),
        pytest.param('{"a": "' + "\\" * 5000 + '"}', True, id="cut-in-an-escape"),
        pytest.param("[" + "1," * 5000 + "1]", True, id="cut-in-a-list"),
        pytest.param("[" + "true, " * 5000 + "1]", True, id="cut-in-a-word"),
        pytest.param("[" * 3000, True, id="deep"),
        pytest.param("{" + "a" * 5000, False, id="prose"),
        pytest.param("[" + "1" * 3000 + " x", True, id="a-long-number"),
        pytest.param('{"a": 1}\n' * 1000, False, id="ndjson"),
        pytest.param('["line\nend"' + ",1" * 3000, False, id="line-end-in-a-string"),
    ],
)
def test_sniff_json_that_is_longer_than_the_head(text: str, is_json: bool) -> None:  # noqa: FBT001
    head = text.encode()[:SNIFF_BYTES]
    assert sniff(head) == (b"application/json" if is_json else PLAIN)


_TEXTS = st.text(max_size=10)
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
) | _TEXTS
_VALUES = (
    _SCALARS
    | st.lists(_SCALARS, max_size=3)
    | st.dictionaries(_TEXTS, st.lists(_SCALARS, max_size=2), max_size=2)
)


@pytest.mark.property
@given(_VALUES, st.integers(0, 40))
def test_json_is_found_whole_or_cut(value: object, padding: int) -> None:
    small = json.dumps([value]).encode()
    assert len(small) >= SNIFF_BYTES or sniff(small) == b"application/json"
    large = json.dumps([" " * (SNIFF_BYTES - padding), value, value, ""]).encode()
    assert sniff(large[:SNIFF_BYTES]) == b"application/json"


@pytest.mark.property
@given(st.binary(max_size=200))
def test_sniff_always_finds_some_type(head: bytes) -> None:
    assert b"/" in sniff(head)
