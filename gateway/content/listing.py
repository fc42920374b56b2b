"""The entries of a directory, in one block or sharded (HAMT)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.content.block import Block
from gateway.content.cid import Cid
from gateway.content.dag_pb import PBLink
from gateway.content.hamt import (
    HASH_BITS,
    hash_name,
    max_levels,
    prefix_digits,
    taken_slots,
)
from gateway.content.resolve import open_shard
from gateway.content.unixfs import DirectoryEntity, ShardEntity
from gateway.content.walk import Scope, Stream, Walk, Want, ask
from gateway.errors import BadBlock

MAX_BARREN: Final = 1024
"""Limit of the shards opened beyond those that the entries need: in a valid HAMT every path down
ends at an entry, so that an entry takes at most as many shards as there are levels."""


class DirectoryEntry(NamedTuple):
    """One name in a directory."""

    name: str
    cid: Cid
    tsize: int | None
    """Size of all blocks below as the directory claims it: only a hint for people."""


def list_directory(entity: DirectoryEntity | ShardEntity) -> Stream[DirectoryEntry]:
    """Yield the entries in link order; wants the shards of a HAMT, but never the entries.

    A repeated name is yielded only once, for its first link, which look-ups find. Names in another
    bucket of a HAMT than that of their hash are skipped, since no look-up finds them.

    Raises:
        BadBlock: a shard is malformed, of another fanout, empty or too deep; or there are more
            shards than the entries account for.
    """
    if isinstance(entity, ShardEntity):
        yield from _list_shards(entity)
        return
    has_unnamed = "" in entity.by_name
    for link in entity.links:  # a set of all listed names would take megabytes for each reader
        name = link.name
        if name is None:
            name, is_first, has_unnamed = "", not has_unnamed, True
        else:
            is_first = entity.by_name[name] is link
        if is_first:
            yield DirectoryEntry(name, link.cid, link.size)


@dataclass(slots=True)
class _Level:
    links: Iterator[tuple[int, PBLink]]
    """Links to visit, each with the bits of its names' hashes up to this level."""
    shards: tuple[Cid, ...]
    index: int = 0


def _list_shards(root: ShardEntity) -> Stream[DirectoryEntry]:
    digits, deepest = prefix_digits(root.fanout), max_levels(root.fanout)
    width = root.fanout.bit_length() - 1
    levels = [_open_level(root, 0)]
    spare = MAX_BARREN
    while levels:
        level = levels[-1]
        shift = HASH_BITS - width * len(levels)
        for start, link in level.links:
            name = link.name or ""
            if len(name) != digits:
                if len(name) > digits and hash_name(name[digits:]) >> shift == start:
                    spare += deepest
                    yield DirectoryEntry(name[digits:], link.cid, link.size)
                continue
            want = Want(link.cid, (), Scope.ENTITY, 0, None, root.cid, level.shards, level.index)
            level.index += 1
            shard = open_shard((yield from _ask_below(want, len(levels), deepest)), root.fanout)
            spare -= 1
            _check_below(shard, spare)
            levels.append(_open_level(shard, start))
            break
        else:
            levels.pop()


def _ask_below(want: Want, levels: int, deepest: int) -> Walk[Block]:
    if levels >= deepest:
        raise BadBlock("hamt", f"more than {levels} levels of shards", want.cid)
    return (yield from ask(want))


def _check_below(shard: ShardEntity, spare: int) -> None:
    """Refuse shards without entries, of which a few blocks could form 2**56 paths."""
    if not shard.links:
        raise BadBlock("hamt", "an empty shard below another one", shard.cid)
    if spare < 0:
        raise BadBlock("hamt", f"over {MAX_BARREN} shards without an entry", shard.cid)


def _open_level(shard: ShardEntity, start: int) -> _Level:
    slots = (start * shard.fanout + slot for slot in taken_slots(shard.bits))
    return _Level(zip(slots, shard.links, strict=True), sub_shards(shard))


def sub_shards(shard: ShardEntity) -> tuple[Cid, ...]:
    """Return the shards below a shard, in order: links whose name is only the digits of a slot."""
    digits = prefix_digits(shard.fanout)
    return tuple([link.cid for link in shard.links if len(link.name or "") == digits])
