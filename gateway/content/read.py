"""Reads the bytes of a file, leaf by leaf, for any layout of its DAG."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from gateway.content.block import Block, identity_block, rename
from gateway.content.cid import DAG_PB, RAW, Cid
from gateway.content.multihash import IDENTITY
from gateway.content.unixfs import FileEntity, Piece, find_leaf_content, open_entity
from gateway.content.walk import Scope, Stream, Want
from gateway.errors import BadBlock

MAX_DEPTH: Final = 64  # levels below the root; Kubo's largest files have 5
MAX_PENDING: Final = 1 << 17
"""Limit of children known but not yet visited, on all levels: a block holds up to 47,000, usual
files have 174 or 1,024 a level. Without it 64 wide blocks would take a gigabyte."""

MAX_NODES_PER_LEAF: Final = 4
"""Limit of nodes opened for each leaf, beside `MAX_DEPTH`: a binary tree has one. Without it every
byte of a file could cost the decoding of 64 nodes."""

_ENTITY = Scope.ENTITY  # looked up for every leaf


@dataclass(slots=True)
class Level:
    """The children of one node that hold wanted bytes."""

    cids: tuple[Cid, ...]
    sizes: tuple[int, ...]
    offset: int
    """Absolute offset of the child `index` in the file."""
    index: int = 0
    """Index of the child to visit next."""


def level_below(node: FileEntity, offset: int, start: int, stop: int) -> Level:
    """Return the children with bytes of `[start, stop)`; `offset` is that of the node."""
    position = offset + len(node.inline)
    cids, sizes = node.children, node.blocksizes
    if start > position or stop < offset + node.size:
        bounds = list(accumulate(sizes, initial=position))
        first = max(bisect_right(bounds, start) - 1, 0)
        last = min(bisect_left(bounds, stop), len(sizes))
        position, cids, sizes = bounds[first], cids[first:last], sizes[first:last]
    return Level(cids, sizes, position)


def push_level(levels: list[Level], level: Level, cid: Cid) -> None:
    """Add a level below the last one.

    Raises:
        BadBlock: more than `MAX_DEPTH` levels, or more than `MAX_PENDING` children.
    """
    if len(levels) >= MAX_DEPTH:
        raise BadBlock("unixfs", f"a file is more than {MAX_DEPTH} levels deep", cid)
    if sum(len(each.cids) - each.index for each in levels) + len(level.cids) > MAX_PENDING:
        raise BadBlock("unixfs", f"a file has more than {MAX_PENDING} parts waiting", cid)
    levels.append(level)


def open_child(cid: Cid, block: Block | None, size: int) -> Piece | FileEntity:
    """Return the content of a leaf of a file, or a node with children.

    Raises:
        BadBlock: not a part of a file, or not of the `size` that its parent claims.
        ValueError: the driver sent another block, or none.
    """
    if block is None:
        block = identity_block(cid)
    if block.cid.multihash != cid.multihash:
        raise ValueError(f"asked for {cid}, was sent {block.cid}")
    if cid.codec == RAW:
        if len(block.data) != size:
            raise _wrong_size(cid, size, len(block.data))
        return block.data
    if cid.codec == DAG_PB:
        content = find_leaf_content(block.data, size)
        if content is not None:
            return content
    node = open_entity(rename(block, cid))
    if not isinstance(node, FileEntity):
        raise BadBlock("unixfs", "a part of a file that is not a file", cid)
    if node.size != size:
        raise _wrong_size(cid, size, node.size)
    return node if node.children else node.inline


def _wrong_size(cid: Cid, claimed: int, size: int) -> BadBlock:
    return BadBlock("unixfs", f"a part of a file has {size} bytes, its parent says {claimed}", cid)


def read_file(file: FileEntity, start: int = 0, stop: int | None = None) -> Stream[Piece]:
    """Yield the bytes `[start, stop)` in pieces; wants only blocks that hold some of them.

    Pieces are parts of blocks without a copy: whole leaves where the range covers them. Memory does
    not grow with the file, for any DAG.

    Raises:
        BadBlock: a part is not a file, has another size than its parent claims, or is too deep; or
            the file has too many nodes for its leaves.
        ValueError: the driver sent another block than the wanted one.
    """
    stop = file.size if stop is None else min(stop, file.size)
    root, spare = file.cid, MAX_DEPTH
    if start < len(file.inline) and start < stop:
        yield cut(file.inline, start, stop)
    levels = [level_below(file, 0, start, stop)] if start < stop else []
    while levels:
        level = levels[-1]
        cids, sizes, offset = level.cids, level.sizes, level.offset
        for index in range(level.index, len(cids)):
            cid, size = cids[index], sizes[index]
            if size == 0:
                continue
            block = None
            if cid.multihash[0] != IDENTITY:
                at = max(offset, start)
                block = yield Want(cid, (), _ENTITY, at, stop, root, cids, index)
            child = open_child(cid, block, size)
            if isinstance(child, FileEntity):
                if start < offset + len(child.inline):
                    yield cut(child.inline, start - offset, stop - offset)
                level.index, level.offset = index + 1, offset + size
                push_level(levels, level_below(child, offset, start, stop), cid)
                spare -= 1
                _check_spare(spare, cid)
                break
            spare += MAX_NODES_PER_LEAF
            yield cut(child, start - offset, stop - offset)
            offset += size
        else:
            levels.pop()


def _check_spare(spare: int, cid: Cid) -> None:
    if spare < 0:
        raise BadBlock("unixfs", f"a file has over {MAX_NODES_PER_LEAF} nodes for each leaf", cid)


def cut(piece: Piece, start: int, stop: int) -> Piece:
    """Return the part of `piece` inside `[start, stop)`; the piece itself when that is all."""
    if start <= 0 and stop >= len(piece):
        return piece
    return memoryview(piece)[max(start, 0) : stop]
