"""DAG-CBOR blocks as values: https://ipld.io/specs/codecs/dag-cbor/spec/.

The decoder refuses what two readers could read differently, or what could harm one. It accepts
unusual encodings: any order of keys, width of floats, numbers that are not in their shortest form,
and text that is not UTF-8 (which occurs in the Filecoin chain).
"""

import math
import struct
from dataclasses import dataclass
from typing import Final, cast

from gateway.content.cbor import (
    ARRAY,
    BYTES,
    LINK_TAG,
    MAP,
    NEGATIVE,
    TAG,
    TEXT,
    UNSIGNED,
    decode_head,
)
from gateway.content.cid import Cid, decode_cid
from gateway.content.ipld import MAX_DEPTH, MAX_ITEMS, Value, links_of
from gateway.errors import BadBlock, BadCid

_NAMED_VALUES: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None}
_FLOATS: Final = {3: ">e", 5: ">f", 9: ">d"}
"""Bytes of the item, head included, to the format of what follows the first byte."""


@dataclass(slots=True)
class _Level:
    """An array or map that is being decoded."""

    into: list[Value] | dict[str, Value]
    missing: int
    """Number of elements or entries still to decode."""
    key: str | None = None
    """Key of the entry whose value comes next."""

    def put(self, value: Value) -> None:
        """Add the next element, or the value of the current entry."""
        self.missing -= 1
        if self.key is None:
            cast("list[Value]", self.into).append(value)
        else:
            cast("dict[str, Value]", self.into)[self.key] = value
            self.key = None


def decode(data: bytes) -> Value:
    """Decode a block.

    Raises:
        BadBlock: not one whole DAG-CBOR item, deeper than `MAX_DEPTH`, more than `MAX_ITEMS`, a
            repeated key in a map, a number that is not finite, or a link of an unsupported hash
            function.
    """
    found: list[Value] = []
    levels = [_Level(found, 1)]
    position = 0
    for _ in range(MAX_ITEMS):
        while levels and not levels[-1].missing:
            levels.pop()
        if not levels:
            break
        position = _take_item(data, position, levels)
    else:
        raise _bad(f"more than {MAX_ITEMS} items")
    if position != len(data):
        raise _bad(f"{len(data) - position} bytes follow the item")
    return found[0]


def find_links(data: bytes) -> tuple[Cid, ...]:
    """Return the links in a block, in order.

    Raises:
        BadBlock: as `decode`.
    """
    return links_of(decode(data))


def _take_item(data: bytes, start: int, levels: list[_Level]) -> int:
    """Decode the next item of the innermost level, without its elements; return its end."""
    level = levels[-1]
    if level.key is None and isinstance(level.into, dict):
        level.key, end = _decode_key(data, start, level.into)
        return end
    major, value, end = decode_head(data, start)
    if major not in (ARRAY, MAP):
        scalar, end = _decode_scalar(data, start, major, value, end)
        level.put(scalar)
        return end
    if len(levels) > MAX_DEPTH:
        raise _bad(f"more than {MAX_DEPTH} levels deep")
    made: list[Value] | dict[str, Value] = [] if major == ARRAY else {}
    level.put(made)
    levels.append(_Level(made, value))
    return end


def _decode_key(data: bytes, start: int, into: dict[str, Value]) -> tuple[str, int]:
    major, size, start = decode_head(data, start)
    if major != TEXT:
        raise _bad(f"a key of major type {major}")
    end = _skip(data, start, size)
    key = _decode_text(data[start:end])
    if key in into:
        raise _bad("a key stands twice in a map")
    return key, end


def _decode_scalar(data: bytes, start: int, major: int, value: int, end: int) -> tuple[Value, int]:
    if major == TAG:
        return _decode_link(data, value, end)
    if major in (BYTES, TEXT):
        stop = _skip(data, end, value)
        text = data[end:stop]
        return (text if major == BYTES else _decode_text(text)), stop
    if major == UNSIGNED:
        return value, end
    return -1 - value if major == NEGATIVE else _decode_simple(data[start:end], value), end


def _decode_simple(item: bytes, value: int) -> float | bool | None:
    width = _FLOATS.get(len(item))
    if width is None:
        if len(item) > 1 or value not in _NAMED_VALUES:
            raise _bad(f"the simple value {value}")
        return _NAMED_VALUES[value]
    number: float = struct.unpack(width, item[1:])[0]
    if not math.isfinite(number):
        raise _bad(f"the number {number}")
    return number


def _decode_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _skip(data: bytes, start: int, size: int) -> int:
    if start + size > len(data):
        raise _bad("a string does not end")
    return start + size


def _decode_link(data: bytes, tag: int, start: int) -> tuple[Cid, int]:
    if tag != LINK_TAG:
        raise _bad(f"the tag {tag}")
    major, size, start = decode_head(data, start)
    end = _skip(data, start, size)
    if major != BYTES or not data.startswith(b"\0", start, end):
        raise _bad("a link that is no CID behind a zero byte")
    try:
        cid, stop = decode_cid(data[start:end], 1)
    except BadCid as exc:
        raise _bad(f"a link: {exc}") from exc
    if stop != size:
        raise _bad(f"{size - stop} bytes follow the CID in a link")
    return cid, end


def _bad(reason: str) -> BadBlock:
    return BadBlock("dag-cbor", reason)
