"""Names of directory entries as text that keeps every byte.

DAG-PB demands UTF-8, but old writers copied the names of file systems, which are bytes; Kubo serves
them. Each byte that is not UTF-8 becomes a lone surrogate (PEP 383), so that equal names are equal
text and every name can be encoded again. Valid UTF-8 never decodes to one.
"""

import re
from typing import Final
from urllib.parse import quote

UNREACHABLE: Final = frozenset(("", ".", ".."))
"""Names that no path contains: parsing drops them or goes up."""

_NOT_TEXT: Final = re.compile("[\ud800-\udfff]")


def decode_name(data: bytes) -> str:
    """Return a name as text."""
    return data.decode("utf-8", "surrogateescape")


def encode_name(name: str) -> bytes:
    """Return the bytes of a name, or of names joined by slashes."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte occurs in no entry
        return name.encode("utf-8", "surrogatepass")


def is_reachable(name: str) -> bool:
    """Tell whether a path can lead to an entry: one with a slash is no segment (IPIP-0548)."""
    return name not in UNREACHABLE and "/" not in name


def quote_name(name: str, safe: str = "") -> str:
    """Percent-encode a name, byte by byte."""
    return quote(encode_name(name), safe=safe)


def is_text(name: str) -> bool:
    """Return whether a name is UTF-8."""
    return name.isascii() or _NOT_TEXT.search(name) is None


def show_bytes(text: str) -> str:
    """Return encodable text, in which bytes that are not UTF-8 are escaped: `caf%E9.txt`."""
    if is_text(text):
        return text
    return _NOT_TEXT.sub(lambda match: f"%{ord(match[0]) & 0xFF:02X}", text)
