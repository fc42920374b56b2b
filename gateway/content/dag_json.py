"""DAG-JSON blocks as values: https://ipld.io/specs/codecs/dag-json/spec/.

`{"/": "bafy..."}` is a link and `{"/": {"bytes": "..."}}` a string of bytes. Other maps with the
key `/` are maps, as in Kubo; but a map with only this key must be a link or bytes.
"""

import binascii
import json
import math
import re
from collections.abc import Iterable
from itertools import chain
from typing import Final, NoReturn

from gateway.content.cid import Cid, parse_cid
from gateway.content.ipld import MAX_DEPTH, MAX_ITEMS, Value, links_of
from gateway.errors import BadBlock, BadCid

_RESERVED: Final = "/"
_BYTES: Final = "bytes"
_MARKS: Final = ",:[{"
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def decode(data: bytes) -> Value:
    """Decode a block.

    Raises:
        BadBlock: not JSON, deeper than `MAX_DEPTH`, more than `MAX_ITEMS`, a repeated key in a map,
            a number that is not finite or has over 4,300 digits, half of a surrogate pair, bytes
            that are not base64, or a link of an unsupported hash function.
    """
    try:
        text = data.decode("utf-8")
        _check_marks(text)
        value: Value = _DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as exc:
        raise _bad(f"not JSON: {exc}") from None
    _check(value, has_escapes="\\u" in text)
    return value


def find_links(data: bytes) -> tuple[Cid, ...]:
    """Return the links in a block, in order.

    Raises:
        BadBlock: as `decode`.
    """
    return links_of(decode(data))


def _check_marks(text: str) -> None:
    """Refuse too many items before they are decoded, by a count of brackets, commas and colons."""
    if sum(map(text.count, _MARKS)) > MAX_ITEMS:
        text = _STRING.sub("", text)
        if sum(map(text.count, _MARKS)) > MAX_ITEMS:
            raise _bad(f"more than {MAX_ITEMS} items")


def _close_map(pairs: list[tuple[str, Value]]) -> Value:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _bad("a key stands twice in a map")
    return _close_reserved(made) if len(made) == 1 and _RESERVED in made else made


def _close_reserved(made: dict[str, Value]) -> Value:
    held = made[_RESERVED]
    if isinstance(held, str):
        return _parse_link(held)
    if not isinstance(held, dict | Cid):
        raise _bad("a map with only the key / is neither a link nor bytes")
    if isinstance(held, dict) and len(held) == 1 and isinstance(text := held.get(_BYTES), str):
        return _decode_bytes(text)
    return made


def _parse_link(text: str) -> Cid:
    try:
        return parse_cid(text)
    except BadCid as exc:
        raise _bad(f"a link: {exc}") from exc


def _decode_bytes(text: str) -> bytes:
    if text.endswith("="):
        raise _bad("bytes that are not base64: it is written without padding")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError as exc:
        raise _bad(f"bytes that are not base64: {exc}") from exc


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _bad(f"the number {number}")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise _bad(f"the number {name}")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_close_map, parse_float=_parse_float, parse_constant=_refuse_constant
)


def _check(value: Value, *, has_escapes: bool) -> None:
    """Check depth and text of a value; `has_escapes`: whether the JSON has escaped characters."""
    level: list[Value] = [value]
    for depth in range(MAX_DEPTH + 1):  # level by level, which is quicker than value by value
        if has_escapes:
            _check_text("".join([held for held in level if isinstance(held, str)]))
        if depth == MAX_DEPTH and any(isinstance(held, list | dict) for held in level):
            raise _too_deep()
        level = [held for each in level for held in _items(each)]


def _items(value: Value) -> Iterable[Value]:
    """Return the elements of a list, or the keys and values of a map."""
    if isinstance(value, list):
        return value
    return chain(value, value.values()) if isinstance(value, dict) else ()


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _bad("half of a surrogate pair") from None


def _too_deep() -> BadBlock:
    return _bad(f"more than {MAX_DEPTH} levels deep")


def _bad(reason: str) -> BadBlock:
    return BadBlock("dag-json", reason)
