"""Names of directory entries as text that keeps every byte.

DAG-PB demands UTF-8, but writers of old copied the names of file systems, which are bytes; Kubo
serves them. Bytes that are no UTF-8 become lone surrogates (PEP 383), one each, so that equal names
are equal text and every name can be had back. UTF-8 itself never decodes to one.
"""

import re
from typing import Final
from urllib.parse import quote

UNREACHABLE: Final = frozenset(("", ".", ".."))
"""Names that no path has: they are dropped from it, or go up."""

_NOT_TEXT: Final = re.compile("[\ud800-\udfff]")


def decode_name(data: bytes) -> str:
    """Return a name as text."""
    return data.decode("utf-8", "surrogateescape")


def encode_name(name: str) -> bytes:
    """Return the bytes of a name, or of names joined by slashes."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair that stands for no byte: no entry has it
        return name.encode("utf-8", "surrogatepass")


def quote_name(name: str, safe: str = "") -> str:
    """Percent-encode a name, byte by byte."""
    return quote(encode_name(name), safe=safe)


def is_text(name: str) -> bool:
    """Tell whether a name is UTF-8."""
    return name.isascii() or _NOT_TEXT.search(name) is None


def show_bytes(text: str) -> str:
    """Return text with the bytes escaped that are no UTF-8, as `caf%E9.txt`: it can be encoded."""
    if is_text(text):
        return text
    return _NOT_TEXT.sub(lambda match: f"%{ord(match[0]) & 0xFF:02X}", text)
