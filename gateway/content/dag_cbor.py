"""The links in a DAG-CBOR block: https://ipld.io/specs/codecs/dag-cbor/spec/.

Only links are looked for; what has no influence on them is not checked: the order of keys, keys
that stand in a map twice, the width of floats, the shortest form of numbers.
"""

from dataclasses import dataclass
from typing import Final

from gateway.content.cbor import ARRAY, BYTES, LINK_TAG, MAP, SIMPLE, TAG, TEXT, decode_head
from gateway.content.cid import Cid, decode_cid
from gateway.errors import BadBlock, BadCid

MAX_DEPTH: Final = 128
MAX_ITEMS: Final = 100_000  # 2 MiB could hold 2,000,000, which would be a second of work

_NAMED_VALUES = (20, 21, 22)  # false, true, null
_FLOAT_HEADS = (3, 5, 9)  # bytes of the head of a float of 16, 32 and 64 bits


@dataclass(slots=True)
class _Level:
    """An array or map that is not at its end."""

    missing: int
    """Items still to come, keys counted."""
    is_map: bool


def find_links(data: bytes) -> tuple[Cid, ...]:
    """Return the links in a block, in order.

    Raises:
        BadBlock: not one whole DAG-CBOR item, deeper than `MAX_DEPTH`, more than `MAX_ITEMS`, or
            a link that we could not verify.
    """
    links: list[Cid] = []
    levels = [_Level(1, is_map=False)]
    position = 0
    for _ in range(MAX_ITEMS):
        while levels and not levels[-1].missing:
            levels.pop()
        if not levels:
            break
        position = _scan_item(data, position, levels, links)
    else:
        raise _bad(f"more than {MAX_ITEMS} items")
    if position != len(data):
        raise _bad(f"{len(data) - position} bytes follow the item")
    return tuple(links)


def _scan_item(data: bytes, start: int, levels: list[_Level], links: list[Cid]) -> int:
    """Take one item off the innermost level, but not what is in it; return where it ends."""
    level = levels[-1]
    is_key = level.is_map and level.missing % 2 == 0
    level.missing -= 1
    major, value, end = decode_head(data, start)
    if is_key and major != TEXT:
        raise _bad(f"a key of major type {major}")
    if major in (BYTES, TEXT):
        return _skip(data, end, value)
    if major in (ARRAY, MAP):
        if len(levels) > MAX_DEPTH:
            raise _bad(f"more than {MAX_DEPTH} levels deep")
        levels.append(_Level(value * (1 + (major == MAP)), is_map=major == MAP))
    elif major == TAG:
        link, end = _decode_link(data, value, end)
        links.append(link)
    elif major == SIMPLE and end - start not in _FLOAT_HEADS and value not in _NAMED_VALUES:
        raise _bad(f"the simple value {value}")
    return end


def _skip(data: bytes, start: int, size: int) -> int:
    if start + size > len(data):
        raise _bad("a string does not end")
    return start + size


def _decode_link(data: bytes, tag: int, start: int) -> tuple[Cid, int]:
    if tag != LINK_TAG:
        raise _bad(f"the tag {tag}")
    major, size, start = decode_head(data, start)
    end = _skip(data, start, size)
    if major != BYTES or data[start:end][:1] != b"\0":
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
