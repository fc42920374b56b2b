"""Resolves the segments of a path below a root to the block at its end."""

from dataclasses import dataclass
from functools import cached_property

from gateway.content.block import Block
from gateway.content.cid import CODEC_NAMES, DAG_PB, Cid
from gateway.content.document import DECODERS, follow_path
from gateway.content.hamt import hash_name, link_index, prefix_digits, slot_of
from gateway.content.unixfs import (
    DirectoryEntity,
    Entity,
    FileEntity,
    OpaqueEntity,
    ShardEntity,
    open_entity,
)
from gateway.content.walk import Scope, Walk, Want, ask
from gateway.errors import BadBlock, NoSuchLink, NotTraversable


@dataclass(frozen=True)
class Resolved:
    """The block at the end of a path, and the CIDs on the way."""

    # No slots: `entity` is kept in the __dict__.

    cid: Cid
    block: Block
    roots: tuple[Cid, ...]
    """CIDs of the root and of each segment, in order, without the inner shards of a HAMT. A segment
    inside a document has the document's CID."""
    remainder: tuple[str, ...] = ()
    """Segments that lead to a value inside the block, which is not a link."""

    @cached_property
    def entity(self) -> Entity:
        """The decoded block, made on first use; raw and CAR responses do not need it.

        Raises:
            BadBlock: as `open_entity`.
        """
        return open_entity(self.block)

    def keep_entity(self, entity: Entity) -> None:
        """Store the result of `open_entity` that another thread made of the block."""
        self.__dict__["entity"] = entity


def resolve(
    root: Cid,
    segments: tuple[str, ...] = (),
    scope: Scope = Scope.BLOCK,
    start: int = 0,
    stop: int | None = None,
) -> Walk[Resolved]:
    """Return the block at the end of a path.

    `scope`, `start` and `stop` only announce to the fetcher what will be wanted after it.

    Raises:
        NoSuchLink: a directory or a document on the path does not have the name.
        NotTraversable: the path continues below a file, a symlink or a block without links.
        BadBlock: a block on the path is malformed.
    """
    roots = [root]
    block = yield from ask(Want(root, segments, scope, start, stop))
    while segments:
        cid, used = block.cid, 1
        child: Cid | None
        if cid.codec in DECODERS:
            child, used = follow_path(block, segments)
            if child is None:
                return Resolved(cid, block, (*roots, *[cid] * used), segments)
        else:
            ahead = Want(cid, segments, scope, start, stop, cid)
            child = yield from _find(open_entity(block), ahead)
            if child is None:
                raise NoSuchLink(segments[0], cid)
        roots += [cid] * (used - 1) + [child]
        segments = segments[used:]
        block = yield from ask(Want(child, segments, scope, start, stop))
    return Resolved(block.cid, block, tuple(roots))


def find_entry(entity: Entity, name: str) -> Walk[Cid | None]:
    """Return the CID of one entry, the first one of a repeated name; None when there is none.

    Of a HAMT only the shards on the way are wanted. The bitfield determines the slot of a link; the
    digits in front of its name are skipped, not read, as in boxo.

    Raises:
        NotTraversable, BadBlock: as `resolve`.
    """
    return _find(entity, Want(entity.cid, (name,), root=entity.cid))


def _find(entity: Entity, ahead: Want) -> Walk[Cid | None]:
    """Find `ahead.segments[0]`; the wants on the way are `ahead` with other CIDs."""
    name = ahead.segments[0]
    if isinstance(entity, ShardEntity | DirectoryEntity) and "/" in name:
        return None  # a name with a slash is no segment: IPIP-0548
    if isinstance(entity, ShardEntity):
        return (yield from _find_in_shards(entity, ahead))
    if isinstance(entity, DirectoryEntity):
        link = entity.by_name.get(name)
        return None if link is None else link.cid
    if isinstance(entity, OpaqueEntity):
        if entity.codec == DAG_PB:
            return next((link.cid for link in entity.links if link.name == name), None)
        kind = CODEC_NAMES.get(entity.codec, f"0x{entity.codec:x}") + " block"
    else:
        kind = "file" if isinstance(entity, FileEntity) else "symlink"
    raise NotTraversable(name, entity.cid, kind)


def _find_in_shards(shard: ShardEntity, ahead: Want) -> Walk[Cid | None]:
    name = ahead.segments[0]
    hashed = hash_name(name)
    fanout = shard.fanout
    digits = prefix_digits(fanout)
    level = 0
    while True:
        slot = slot_of(hashed, level, fanout)
        index = link_index(shard.bits, slot)
        if index is None:
            return None
        link = shard.links[index]
        held = link.name or ""
        if len(held) != digits:
            return link.cid if held[digits:] == name else None
        block = yield from ask(ahead._replace(cid=link.cid))
        shard = open_shard(block, fanout)
        level += 1


def open_shard(block: Block, fanout: int) -> ShardEntity:
    """Return the shard in a block that another shard links to.

    Raises:
        BadBlock: the block is not a shard, or has another fanout.
    """
    shard = open_entity(block)
    if not isinstance(shard, ShardEntity):
        raise BadBlock("hamt", "a shard links to a block that is not a shard", block.cid)
    if shard.fanout != fanout:
        raise BadBlock("hamt", f"fanout {shard.fanout} below a shard of {fanout}", block.cid)
    return shard
