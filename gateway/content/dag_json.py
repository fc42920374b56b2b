"""The links in a DAG-JSON block: https://ipld.io/specs/codecs/dag-json/spec/.

`{"/": "bafy..."}` is a link and `{"/": {"bytes": "..."}}` a string of bytes. Only links are looked
for; what has no influence on them is not checked, as keys that stand in a map twice.
"""

import json
from typing import Final, NoReturn

from gateway.content.cid import Cid, parse_cid
from gateway.errors import BadBlock, BadCid

MAX_DEPTH: Final = 128
MAX_ITEMS: Final = 100_000


def find_links(data: bytes) -> tuple[Cid, ...]:
    """Return the links in a block, in order.

    Raises:
        BadBlock: not JSON, deeper than `MAX_DEPTH`, more than `MAX_ITEMS`, or a link that we
            could not verify.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_open_map,
            parse_constant=_refuse_constant,
            parse_int=len,  # numbers do not matter, and long ones take long
            parse_float=len,
        )
    except RecursionError:
        raise _bad(f"more than {MAX_DEPTH} levels deep") from None
    except ValueError as exc:
        raise _bad(f"not JSON: {exc}") from None
    return _collect(value)


def _open_map(pairs: list[tuple[str, object]]) -> object:
    if len(pairs) == 1 and pairs[0][0] == "/" and isinstance(pairs[0][1], str):
        return _parse_link(pairs[0][1])
    return [value for _, value in pairs]


def _parse_link(text: str) -> Cid:
    try:
        return parse_cid(text)
    except BadCid as exc:
        raise _bad(f"a link: {exc}") from exc


def _refuse_constant(name: str) -> NoReturn:
    raise _bad(f"the number {name}")


def _collect(value: object) -> tuple[Cid, ...]:
    links: list[Cid] = []
    levels = [iter([value])]
    for _ in range(MAX_ITEMS):
        item = next(levels[-1], levels)
        if item is levels:
            levels.pop()
            if not levels:
                return tuple(links)
        elif isinstance(item, Cid):
            links.append(item)
        elif isinstance(item, list):
            if len(levels) > MAX_DEPTH:
                raise _bad(f"more than {MAX_DEPTH} levels deep")
            levels.append(iter(item))
    raise _bad(f"more than {MAX_ITEMS} items")


def _bad(reason: str) -> BadBlock:
    return BadBlock("dag-json", reason)
