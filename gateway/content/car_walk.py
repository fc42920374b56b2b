"""The blocks of a trustless CAR response, in its order.

https://specs.ipfs.tech/http-gateways/trustless-gateway/: depth first, parents before children,
the blocks on the path before those of the content at its end. Both sides use it: to write a CAR,
and to know which block comes next in a CAR that is received.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.content.block import MAX_BLOCK_BYTES, Block
from gateway.content.cid import DAG_PB, RAW, Cid, CidKey
from gateway.content.dag_pb import decode_node
from gateway.content.document import DECODERS, open_document
from gateway.content.hamt import max_levels
from gateway.content.ipld import links_of
from gateway.content.listing import sub_shards
from gateway.content.memo import ENTRY_BYTES, Memo
from gateway.content.named_links import named_links
from gateway.content.read import MAX_PENDING, level_below, open_child, push_level
from gateway.content.resolve import open_shard, resolve
from gateway.content.unixfs import FileEntity, ShardEntity
from gateway.content.walk import Scope, Walk, Want, ask
from gateway.errors import BadBlock, NoSuchLink, NotTraversable

MAX_LEVELS: Final = 1024  # of dag-scope=all; boxo has the same limit
MAX_MEMO_BYTES: Final = MAX_BLOCK_BYTES + ENTRY_BYTES
"""Of the blocks whose links are kept, be it one of the largest: 8 MB of objects at the most."""

MANY_LINKS: Final = 1024
"""Blocks with fewer links are decoded again instead."""

_memo: Memo[CidKey, tuple[Cid, ...]] = Memo(MAX_MEMO_BYTES, 1)
_Seen = set[Cid] | None
Path = tuple[str, ...]
Check = Callable[[Path], None]
"""Called with each path below the root, before its block is wanted; raises to end the walk."""


def walk_car(  # noqa: PLR0913 (what a CAR request has, and how to write its answer)
    root: Cid,
    segments: tuple[str, ...] = (),
    scope: Scope = Scope.ALL,
    start: int = 0,
    stop: int | None = None,
    *,
    is_unique: bool = False,
    check: Check | None = None,
) -> Walk[None]:
    """Ask for every block of the CAR, once for each visit.

    Identity CIDs are opened, never asked for. `start` and `stop` select bytes of a file as in a
    Python slice (`entity-bytes=a:b` is `start=a, stop=b+1`, or None for `*` and -1); they mean
    nothing for anything else, nor for another scope than ENTITY.

    With `is_unique` a part of the DAG that was walked in whole is not walked again, so that the
    work is bounded by the blocks that exist. A block may still be asked for again after only some
    of what is below it was walked: who writes a CAR without duplicates has to skip it.

    `check` is asked about each path below the end of `segments` whose blocks are in the CAR.

    Raises:
        NoSuchLink, NotTraversable: as `resolve`.
        BadBlock: a block is malformed.
    """
    resolved = yield from resolve(root, segments, scope, start, stop)
    seen: _Seen = set() if is_unique else None
    if scope is Scope.ALL:
        expand = _expand_all if check is None else _expand_named
        told = Want(root, (), Scope.ALL)
        yield from _follow(expand(resolved.block, ()), expand, told, MAX_LEVELS, seen, check)
    elif scope is Scope.ENTITY:
        entity = resolved.entity
        if isinstance(entity, FileEntity):
            yield from _follow_file(entity, slice(start, stop), seen)
        elif isinstance(entity, ShardEntity):
            yield from _follow_shards(entity, seen)


def walk_proof(root: Cid, segments: tuple[str, ...], scope: Scope = Scope.BLOCK) -> Walk[None]:
    """Ask for every block of the CAR which proves that nothing stands at a path.

    They are those of the path as far as it leads: the shards of a HAMT where the name would be,
    and the file or symlink below which the path goes on. `scope` is only told to the fetcher.

    Raises:
        BadBlock: a block is malformed.
    """
    try:
        yield from resolve(root, segments, scope)
    except (NoSuchLink, NotTraversable):
        return


def find_links(block: Block) -> tuple[Cid, ...]:
    """Return the links of a block, in order; none for unsupported codecs.

    Many links are memoized, so that clients that read the same CAR share them.
    """
    cid = block.cid
    if cid.codec not in DECODERS and cid.codec != DAG_PB:
        return ()
    links = _memo.find(cid.key)
    if links is None:
        links = _find_links(block)
        if len(links) > MANY_LINKS:
            _memo.keep(cid.key, links, len(block.data) + ENTRY_BYTES)
    return links


def _find_links(block: Block) -> tuple[Cid, ...]:
    cid = block.cid
    if cid.codec in DECODERS:
        return links_of(open_document(block))
    try:
        return tuple([link.cid for link in decode_node(block.data).links])
    except BadBlock as exc:
        raise BadBlock(exc.codec, exc.reason, cid) from exc


def _follow_shards(root: ShardEntity, seen: _Seen) -> Walk[None]:
    fanout = root.fanout

    def expand(block: Block, _path: Path) -> _Level:
        return _Level(sub_shards(open_shard(block, fanout)))

    told = Want(root.cid, (), Scope.ENTITY, root=root.cid)
    first = _Level(sub_shards(root))
    yield from _follow(first, expand, told, max_levels(fanout) - 1, seen)


@dataclass(slots=True)
class _Level:
    """The links of a block that was walked to."""

    cids: tuple[Cid, ...]
    index: int = 0
    path: Path = ()
    """Of the block; only when paths are asked about."""
    names: tuple[Path, ...] = ()
    """Of each link, below `path`; likewise."""

    def path_of(self, index: int) -> Path:
        """Return the path of a link."""
        return self.path + self.names[index] if self.names else ()


_Expand = Callable[[Block, Path], _Level]


def _expand_all(block: Block, _path: Path) -> _Level:
    return _Level(find_links(block))


def _expand_named(block: Block, path: Path) -> _Level:
    links = tuple(named_links(block))
    return _Level(tuple([link.cid for link in links]), 0, path, tuple([n.path for n in links]))


def _follow(
    first: _Level,
    expand: _Expand,
    told: Want,
    limit: int,
    seen: _Seen,
    check: Check | None = None,
) -> Walk[None]:
    """Want the links of `first` and all blocks below them, at most `limit` levels."""
    levels = [first]
    while levels:
        level = levels[-1]
        index = level.index
        if index == len(level.cids):
            levels.pop()
            continue
        level.index += 1
        cid, path = level.cids[index], level.path_of(index)
        if check is not None and path != level.path:
            check(path)
        if cid.codec == RAW and cid.is_identity:
            continue  # it holds its bytes, and nothing is below it
        if seen is not None:
            if cid in seen:
                continue
            seen.add(cid)
        block = yield from ask(told._replace(cid=cid, siblings=level.cids, index=index))
        below = expand(block, path)
        if below.cids:
            _check_room(levels, len(below.cids), limit, cid)
            levels.append(below)


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
