"""Values of the IPLD data model, for all codecs.

https://ipld.io/docs/data-model/. Arrays are lists, and maps are dicts in the order of the block. No
code changes a decoded value.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.content.cid import Cid
from gateway.errors import NoSuchLink

Value = None | bool | int | float | str | bytes | Cid | list["Value"] | dict[str, "Value"]

MAX_DEPTH: Final = 128  # go-ipld-prime allows 1,024; CVE-2026-42328
MAX_ITEMS: Final = 100_000
"""Values and keys in one block: 2 MiB could hold 2,000,000, which would be a second of work."""

_INDEX: Final = re.compile("0|[1-9][0-9]{0,5}")  # one spelling each; MAX_ITEMS has six digits


class Visit(NamedTuple):
    """One value inside another, and its depth."""

    value: Value
    depth: int
    """Number of arrays and maps around it."""


def visit_values(value: Value) -> Iterator[Visit]:
    """Yield a value and all values in it, in the order of the block; not recursive."""
    levels: list[Iterator[Value]] = [iter((value,))]
    while levels:
        for held in levels[-1]:
            yield Visit(held, len(levels) - 1)
            if isinstance(held, list):
                levels.append(iter(held))
                break
            if isinstance(held, dict):
                levels.append(iter(held.values()))
                break
        else:
            levels.pop()


def links_of(value: Value) -> tuple[Cid, ...]:
    """Return the links in a value, in order."""
    links: list[Cid] = []
    levels: list[Iterator[Value]] = [iter((value,))]
    while levels:
        for held in levels[-1]:
            if isinstance(held, Cid):
                links.append(held)
            elif isinstance(held, list | dict):
                levels.append(iter(held if isinstance(held, list) else held.values()))
                break
        else:
            levels.pop()
    return tuple(links)


class Followed(NamedTuple):
    """The part of a path inside one block."""

    link: Cid | None
    """The first link on it; None when the path ends before one."""
    used: int
    """Number of segments up to the link, or to the end of the path."""


def follow(value: Value, segments: tuple[str, ...], cid: Cid) -> Followed:
    """Follow a path through the value of the block `cid`, up to the first link.

    A segment is a key of a map, or an index of an array in decimal without leading zeros.

    Raises:
        NoSuchLink: there is no such key or index.
    """
    for used, segment in enumerate(segments, 1):
        value = _find_child(value, segment, cid)
        if isinstance(value, Cid):
            return Followed(value, used)
    return Followed(None, len(segments))


def _find_child(value: Value, segment: str, cid: Cid) -> Value:
    if isinstance(value, dict) and segment in value:
        return value[segment]
    if isinstance(value, list) and _INDEX.fullmatch(segment) and int(segment) < len(value):
        return value[int(segment)]
    raise NoSuchLink(segment, cid)
