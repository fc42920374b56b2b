"""Content types: by the name of a file or, when the name has none, by its first bytes.

The first bytes are matched as in https://mimesniff.spec.whatwg.org/ and, beyond it, as the deployed
gateways do. JSON must be found by its content: the conformance suite requests such a file by its
CID alone.
"""

import json
import re
from typing import Final

from gateway.protocol.media_types import TYPES

SNIFF_BYTES: Final = 1024  # enough for tar (262) and for all known brands and doctypes

_UNKNOWN: Final = b"application/octet-stream"
_PLAIN: Final = b"text/plain; charset=utf-8"

_SIGNATURES: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"\x89PNG\r\n\x1a\n", b"image/png"),
    (b"\xff\xd8\xff", b"image/jpeg"),
    (b"GIF87a", b"image/gif"),
    (b"GIF89a", b"image/gif"),
    (b"%PDF-", b"application/pdf"),
    (b"PK\x03\x04", b"application/zip"),
    (b"PK\x05\x06", b"application/zip"),
    (b"\x1f\x8b\x08", b"application/gzip"),
    (b"\0asm", b"application/wasm"),
    (b"wOFF", b"font/woff"),
    (b"wOF2", b"font/woff2"),
    (b"OTTO\0", b"font/otf"),
    (b"\0\1\0\0\0", b"font/ttf"),
    (b"ID3", b"audio/mpeg"),
    (b"\xff\xfb", b"audio/mpeg"),
    (b"\xff\xfa", b"audio/mpeg"),
    (b"\xff\xf3", b"audio/mpeg"),
    (b"\xff\xf2", b"audio/mpeg"),
    (b"\xff\xf1", b"audio/aac"),
    (b"\xff\xf9", b"audio/aac"),
    (b"fLaC", b"audio/flac"),
    (b"MThd\0\0\0\6", b"audio/midi"),
    (b"BZh", b"application/x-bzip2"),
    (b"\xfd7zXZ\0", b"application/x-xz"),
    (b"\x28\xb5\x2f\xfd", b"application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", b"application/x-7z-compressed"),
    (b"Rar!\x1a\7", b"application/vnd.rar"),
    (b"\0\0\1\0", b"image/vnd.microsoft.icon"),
    (b"II*\0", b"image/tiff"),
    (b"MM\0*", b"image/tiff"),
    (b"8BPS\0\1", b"image/vnd.adobe.photoshop"),
    (b"\xff\x0a", b"image/jxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", b"image/jxl"),
    (b"\xd9\xd9\xf7", b"application/cbor"),  # RFC 8949, 3.4.6
    (b"SQLite format 3\0", b"application/vnd.sqlite3"),
    (b"glTF\2\0\0\0", b"model/gltf-binary"),
    (b"\0\0\1\xba", b"video/mpeg"),
    (b"\0\0\1\xb3", b"video/mpeg"),
    (b"FLV\1", b"video/x-flv"),
    (b"%!PS-Adobe-", b"application/postscript"),
    (b"{\\rtf", b"application/rtf"),
    (b"\xff\xfe", b"text/plain; charset=utf-16le"),
    (b"\xfe\xff", b"text/plain; charset=utf-16be"),
)
_RIFF: Final = {
    b"WEBP": b"image/webp",
    b"WAVE": b"audio/wav",
    b"AVI ": b"video/x-msvideo",
    b"AIFF": b"audio/aiff",
    b"AIFC": b"audio/aiff",
}
_BRANDS: Final = {
    b"avif": b"image/avif",
    b"avis": b"image/avif",
    b"heic": b"image/heic",
    b"heix": b"image/heic",
    b"M4A ": b"audio/mp4",
    b"M4B ": b"audio/mp4",
    b"qt  ": b"video/quicktime",
}
_TS_PACKET_BYTES: Final = 188  # ISO 13818-1: each packet starts with 0x47
# mimesniff, 7.1: bytes that do not occur in text.
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_HTML: Final = re.compile(
    r"<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|!--)"
    r"[\s>]",
    re.IGNORECASE,
)
# Atomic, because the alternatives could match the text of a comment in many ways.
_MARKUP: Final = re.compile(
    r"(?:(?>\s+|<\?.*?\?>|<!--.*?-->|<!doctype[^>]*>))*+<(svg|html|rss|feed)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_XML_TAGS: Final = {
    "html": b"application/xhtml+xml",
    "rss": b"application/rss+xml",
    "feed": b"application/atom+xml",
}
_JSON: Final = json.JSONDecoder()
# The tokens of JSON, then one that may be cut.
_JSON_TOKENS: Final = re.compile(
    r'\s*+[{\[](?:[\s{}\[\],:]++|"(?:[^"\\\x00-\x1f]|\\.)*+"|-?[0-9][0-9.eE+-]*+|true|false|null)*+'
    r'(?:"(?:[^"\\\x00-\x1f]|\\.)*+\\?|-|t(?:r|ru)?|f(?:a|al|als)?|n(?:u|ul)?)?'
)


def guess_type(name: str) -> bytes | None:
    """Return the content type by a file name's extension; None when it is unknown."""
    _, dot, extension = name.rpartition(".")
    return TYPES.get(extension.lower()) if dot else None


def sniff(head: bytes) -> bytes:
    """Return the content type of a file by its first bytes.

    Args:
        head: the first `SNIFF_BYTES` of the file, or all of it when it is smaller.
    """
    if not head:
        return b"text/plain"
    found = _sniff_signature(head) or _sniff_container(head)
    if found is not None:
        return found
    return _UNKNOWN if _BINARY.search(head) else _sniff_text(head)


def _sniff_signature(head: bytes) -> bytes | None:
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            is_book = head[30:58] == b"mimetypeapplication/epub+zip"
            return b"application/epub+zip" if is_book else media_type
    return None


def _sniff_container(head: bytes) -> bytes | None:
    """Return the type of container formats and of those whose signature is not at the start."""
    found: bytes | None = None
    if head[4:8] == b"ftyp":
        found = _sniff_iso_media(head)
    elif head.startswith((b"RIFF", b"FORM")):
        found = _RIFF.get(head[8:12])
    elif head.startswith(b"OggS"):
        found = b"video/ogg" if head[28:35] in (b"\x80theora", b"fishead") else b"audio/ogg"
    elif head.startswith(b"\x1aE\xdf\xa3"):
        found = b"video/webm" if b"webm" in head[:64] else b"video/x-matroska"
    elif head[257:262] == b"ustar":
        found = b"application/x-tar"
    elif head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        found = b"image/bmp"
    elif head[0::_TS_PACKET_BYTES][:3] == b"GGG":
        found = b"video/mp2t"
    return found


def _sniff_iso_media(head: bytes) -> bytes:
    brand = head[8:12]
    if brand in (b"mif1", b"msf1"):  # any kind of image: the compatible brands name it
        size = min(int.from_bytes(head[:4], "big"), len(head))
        return b"image/avif" if b"avif" in head[16:size] else b"image/heif"
    if brand.startswith(b"3g"):
        return b"video/3gpp"
    return _BRANDS.get(brand, b"video/mp4")


def _sniff_text(head: bytes) -> bytes:
    is_cut = len(head) >= SNIFF_BYTES
    try:
        text, is_utf8 = head.decode("utf-8-sig"), True
    except UnicodeDecodeError as exc:
        # The cut may split a character, which is no sign of another encoding.
        is_utf8 = is_cut and exc.start >= len(head) - 3
        text = head.decode("utf-8-sig", "ignore") if is_utf8 else head.decode("latin-1")
    text = text.lstrip()
    if text.startswith("<") and (found := _sniff_markup(text)):
        return found
    if not is_utf8:
        return b"text/plain"  # browsers guess the encoding
    if text.startswith(("{", "[")) and _is_json(text, is_cut=is_cut):
        return b"application/json"
    return b"text/vtt; charset=utf-8" if text.startswith("WEBVTT") else _PLAIN


def _sniff_markup(text: str) -> bytes | None:
    match = _MARKUP.match(text)
    tag = match[1].lower() if match else ""
    if tag == "svg":
        return b"image/svg+xml"
    if text.startswith("<?xml"):
        return _XML_TAGS.get(tag, b"text/xml; charset=utf-8")
    return b"text/html" if _HTML.match(text) else None


def _is_json(text: str, *, is_cut: bool) -> bool:
    try:
        _, end = _JSON.raw_decode(text)
    except (ValueError, RecursionError):
        return is_cut and _JSON_TOKENS.fullmatch(text) is not None
    return not text[end:].strip()  # several values are not JSON: ndjson, or prose such as "[1] ..."
