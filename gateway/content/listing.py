"""What a directory holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gateway.content.cid import Cid
from gateway.content.dag_pb import PBLink
from gateway.content.hamt import max_levels, prefix_digits, slot_prefix, taken_slots
from gateway.content.resolve import check_prefix, open_shard
from gateway.content.unixfs import DirectoryEntity, ShardEntity
from gateway.content.walk import Scope, Stream, Want, ask
from gateway.errors import BadBlock


class DirectoryEntry(NamedTuple):
    """One name in a directory."""

    name: str
    cid: Cid
    tsize: int | None
    """Bytes of all blocks below, as the directory claims: a hint for people, nothing else."""


def list_directory(entity: DirectoryEntity | ShardEntity) -> Stream[DirectoryEntry]:
    """Yield the entries in link order; asks for the shards of a HAMT, never for the entries.

    Of a name that is there twice only the first is yielded, as lookups find only that one.

    Raises:
        BadBlock: a shard is malformed, of another fanout, empty or too deep.
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
    links: Iterator[PBLink]
    shards: tuple[Cid, ...]
    index: int = 0


def _list_shards(root: ShardEntity) -> Stream[DirectoryEntry]:
    digits = prefix_digits(root.fanout)
    levels = [_open_level(root)]
    while levels:
        level = levels[-1]
        for link in level.links:
            name = link.name or ""
            if len(name) > digits:
                yield DirectoryEntry(name[digits:], link.cid, link.size)
                continue
            want = Want(link.cid, (), Scope.ENTITY, 0, None, root.cid, level.shards, level.index)
            level.index += 1
            if len(levels) >= max_levels(root.fanout):
                raise BadBlock("hamt", f"more than {len(levels)} levels of shards", link.cid)
            shard = open_shard((yield from ask(want)), root.fanout)
            if not shard.links:  # else a few blocks could claim 2**56 shards and not one entry
                raise BadBlock("hamt", "an empty shard below another one", link.cid)
            levels.append(_open_level(shard))
            break
        else:
            levels.pop()


def _open_level(shard: ShardEntity) -> _Level:
    return _Level(iter(shard.links), sub_shards(shard))


def sub_shards(shard: ShardEntity) -> tuple[Cid, ...]:
    """Return the shards below a shard, in order.

    Raises:
        BadBlock: a link is not in the slot that its name says.
    """
    digits = prefix_digits(shard.fanout)
    shards: list[Cid] = []
    for slot, link in zip(taken_slots(shard.bits), shard.links, strict=True):
        check_prefix(shard, link.name, slot_prefix(slot, shard.fanout))
        if link.name is not None and len(link.name) == digits:
            shards.append(link.cid)
    return tuple(shards)
