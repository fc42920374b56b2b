"""Byte ranges: RFC 9110, section 14.

A server may ignore `Range`. The gateway does so, and sends the whole file, when the field is not
exactly as in the RFC or requests more bytes than the file has.
"""

import re
from typing import Final, NamedTuple

from gateway.errors import RangeNotSatisfiable

MAX_RANGES: Final = 16  # clients request one; CVE-2011-3192 and CVE-2025-62727 used thousands

_UNIT: Final = "bytes="
_SPEC: Final = re.compile(r"([0-9]*)-([0-9]*)")
_MAX_DIGITS: Final = 19  # 2**63, more than any file, has 19


class ByteRange(NamedTuple):
    """The bytes `[start, stop)` of a file; never empty, never outside of it."""

    start: int
    stop: int


def parse_range(header: str, size: int) -> tuple[ByteRange, ...] | None:
    """Return the parts of a file of `size` bytes that a `Range` field selects, in its order.

    Returns:
        None to send the whole file: no header, another unit, malformed, more than `MAX_RANGES`
        or together larger than the file, or an empty file.

    Raises:
        RangeNotSatisfiable: the field is well-formed, but selects no byte of the file.
    """
    if size == 0 or header[: len(_UNIT)].lower() != _UNIT or header.count(",") >= MAX_RANGES:
        return None
    texts = [text.strip(" \t") for text in header[len(_UNIT) :].split(",")]
    # Empty elements of a list are skipped: RFC 9110, 5.6.1.2.
    specs = [_parse_spec(text, size) for text in texts if text]
    if not specs or None in specs:
        return None
    found = tuple(spec for spec in specs if spec is not None and spec.start < spec.stop)
    if not found:
        raise RangeNotSatisfiable(size)
    if sum(part.stop - part.start for part in found) > size:
        return None
    return found


def _parse_spec(text: str, size: int) -> ByteRange | None:
    """Parse one range: None when malformed, an empty one when it lies outside of the file."""
    match = _SPEC.fullmatch(text)
    if match is None or text == "-":
        return None
    first, last = match[1], match[2]
    if not first:
        return ByteRange(max(0, size - _parse_number(last)), size)
    start = _parse_number(first)
    if not last:
        return ByteRange(start, size)
    if (end := _parse_number(last)) < start:
        return None
    return ByteRange(start, min(end + 1, size))


def _parse_number(digits: str) -> int:
    # int() of 5000 digits raises; the limit also keeps the time linear.
    significant = digits.lstrip("0")
    return 10**_MAX_DIGITS if len(significant) > _MAX_DIGITS else int(significant or "0")
