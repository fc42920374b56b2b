"""The blocks of a trustless CAR response, in its order.

https://specs.ipfs.tech/http-gateways/trustless-gateway/: depth first, parents before children,
the blocks of the path before those of what stands at its end. Both ends use it: who answers with a
CAR, and who receives one and wants to know what comes next.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.content.block import Block
from gateway.content.cid import DAG_PB, Cid
from gateway.content.dag_pb import decode_node
from gateway.content.document import DECODERS, open_document
from gateway.content.hamt import max_levels
from gateway.content.ipld import links_of
from gateway.content.listing import sub_shards
from gateway.content.read import MAX_PENDING, level_below, open_child, push_level
from gateway.content.resolve import open_shard, resolve
from gateway.content.unixfs import FileEntity, ShardEntity
from gateway.content.walk import Scope, Walk, Want, ask
from gateway.errors import BadBlock

MAX_LEVELS: Final = 1024  # of dag-scope=all; boxo has the same limit

_Seen = set[Cid] | None
_Expand = Callable[[Block], tuple[Cid, ...]]


def walk_car(
    root: Cid,
    segments: tuple[str, ...] = (),
    scope: Scope = Scope.ALL,
    start: int = 0,
    stop: int | None = None,
    *,
    is_unique: bool = False,
) -> Walk[None]:
    """Ask for every block of the CAR, once for each visit.

    Identity CIDs are opened, never asked for. `start` and `stop` select bytes of a file as in a
    Python slice (`entity-bytes=a:b` is `start=a, stop=b+1`, or None for `*` and -1); they mean
    nothing for anything else, nor for another scope than ENTITY.

    With `is_unique` a part of the DAG that was walked in whole is not walked again, so that the
    work is bounded by the blocks that exist. A block may still be asked for again after only some
    of what is below it was walked: who writes a CAR without duplicates has to skip it.

    Raises:
        NoSuchLink, NotTraversable: as `resolve`.
        BadBlock: a block is malformed.
    """
    resolved = yield from resolve(root, segments, scope, start, stop)
    seen: _Seen = set() if is_unique else None
    if scope is Scope.ALL:
        below = find_links(resolved.block)
        yield from _follow(below, find_links, Want(root, (), Scope.ALL), MAX_LEVELS, seen)
    elif scope is Scope.ENTITY:
        entity = resolved.entity
        if isinstance(entity, FileEntity):
            yield from _follow_file(entity, slice(start, stop), seen)
        elif isinstance(entity, ShardEntity):
            yield from _follow_shards(entity, seen)


def find_links(block: Block) -> tuple[Cid, ...]:
    """Return what a block links to, in order; nothing for codecs that we do not read."""
    cid = block.cid
    if cid.codec in DECODERS:
        return links_of(open_document(block))
    if cid.codec != DAG_PB:
        return ()
    try:
        return tuple([link.cid for link in decode_node(block.data).links])
    except BadBlock as exc:
        raise BadBlock(exc.codec, exc.reason, cid) from exc


def _follow_shards(root: ShardEntity, seen: _Seen) -> Walk[None]:
    fanout = root.fanout

    def expand(block: Block) -> tuple[Cid, ...]:
        return sub_shards(open_shard(block, fanout))

    told = Want(root.cid, (), Scope.ENTITY, root=root.cid)
    yield from _follow(sub_shards(root), expand, told, max_levels(fanout) - 1, seen)


@dataclass(slots=True)
class _Level:
    cids: tuple[Cid, ...]
    index: int = 0


def _follow(
    cids: tuple[Cid, ...], expand: _Expand, told: Want, limit: int, seen: _Seen
) -> Walk[None]:
    """Ask for `cids` and all that is below them, at most `limit` levels."""
    levels = [_Level(cids)]
    while levels:
        level = levels[-1]
        index = level.index
        if index == len(level.cids):
            levels.pop()
            continue
        level.index += 1
        cid = level.cids[index]
        if seen is not None:
            if cid in seen:
                continue
            seen.add(cid)
        block = yield from ask(told._replace(cid=cid, siblings=level.cids, index=index))
        below = expand(block)
        if below:
            _check_room(levels, len(below), limit, cid)
            levels.append(_Level(below))


def _check_room(levels: list[_Level], more: int, limit: int, cid: Cid) -> None:
    if len(levels) >= limit:
        raise BadBlock("dag", f"more than {limit} levels deep", cid)
    if sum(len(level.cids) - level.index for level in levels) + more > MAX_PENDING:
        raise BadBlock("dag", f"more than {MAX_PENDING} links are waiting", cid)


def _follow_file(file: FileEntity, wanted: slice, seen: _Seen) -> Walk[None]:
    """Ask for the parts of a file that hold wanted bytes; in a whole file also for empty ones."""
    start, stop, _ = wanted.indices(file.size)
    levels = [level_below(file, 0, start, stop)] if start < stop or not file.size else []
    while levels:
        level = levels[-1]
        index, offset = level.index, level.offset
        if index == len(level.cids):
            levels.pop()
            continue
        cid, size = level.cids[index], level.sizes[index]
        level.index, level.offset = index + 1, offset + size
        if seen is not None and start <= offset and offset + size <= stop:
            if cid in seen:
                continue
            seen.add(cid)
        position = max(offset, start)
        want = Want(cid, (), Scope.ENTITY, position, stop, file.cid, level.cids, index)
        child = open_child(cid, (yield from ask(want)), size)
        if isinstance(child, FileEntity):
            push_level(levels, level_below(child, offset, start, stop), cid)
