"""What a directory holds."""

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
"""Shards opened beyond those that the entries need: a sound shard has an entry for each way down,
so that an entry takes as many shards as there are levels at most."""


class DirectoryEntry(NamedTuple):
    """One name in a directory."""

    name: str
    cid: Cid
    tsize: int | None
    """Bytes of all blocks below, as the directory claims: a hint for people, nothing else."""


def list_directory(entity: DirectoryEntity | ShardEntity) -> Stream[DirectoryEntry]:
    """Yield the entries in link order; asks for the shards of a HAMT, never for the entries.

    Of a name that is there twice only the first is yielded, as lookups find only that one; and of
    a HAMT nothing that is in another bucket than its hash says, where no lookup comes to.

    Raises:
        BadBlock: a shard is malformed, of another fanout, empty or too deep; or there are more
            shards than entries account for.
    """
    if isinstance(entity, ShardEntity):
        yield from _list_shards(entity)
        return
    has_unnamed = "" in entity.by_name
    for link in entity.links:  # no set of what was listed: it would be megabytes for each reader
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
    """With the beginning of the hash that names there have, its bits up to this level."""
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
    """Refuse what a few blocks could claim 2**56 of without one entry that a path leads to."""
    if not shard.links:
        raise BadBlock("hamt", "an empty shard below another one", shard.cid)
    if spare < 0:
        raise BadBlock("hamt", f"over {MAX_BARREN} shards without an entry", shard.cid)


def _open_level(shard: ShardEntity, start: int) -> _Level:
    slots = (start * shard.fanout + slot for slot in taken_slots(shard.bits))
    return _Level(zip(slots, shard.links, strict=True), sub_shards(shard))


def sub_shards(shard: ShardEntity) -> tuple[Cid, ...]:
    """Return the shards below a shard, in order: links whose names are the digits of a slot."""
    digits = prefix_digits(shard.fanout)
    return tuple([link.cid for link in shard.links if len(link.name or "") == digits])
