"""Values of the IPLD data model, whatever codec they were written in.

https://ipld.io/docs/data-model/. Arrays are lists and maps are dicts in the order of the block; a
value that was decoded is not changed by anybody.
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
    """One value on a walk through another."""

    value: Value
    depth: int
    """How many arrays and maps it stands in."""


def visit_values(value: Value) -> Iterator[Visit]:
    """Yield a value and all that is in it, in the order of the block; not recursive."""
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
    """How far a path goes inside of one block."""

    link: Cid | None
    """The first link on it; None when the path ends before one."""
    used: int
    """How many segments led there."""


def follow(value: Value, segments: tuple[str, ...], cid: Cid) -> Followed:
    """Follow a path through the value of the block `cid`, as far as to the first link.

    A segment is the key in a map or the index in an array, in decimal without leading zeros.

    Raises:
        NoSuchLink: nothing has that name.
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
