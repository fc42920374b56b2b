"""Bytes of a file, leaf by leaf, whatever the layout of its DAG."""

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
"""Children known but not yet visited, over all levels: one block holds 47,000 at most, the usual
file 174 or 1,024 a level. Without it 64 wide blocks would cost a gigabyte."""

MAX_NODES_PER_LEAF: Final = 4
"""Nodes opened for each leaf, beside `MAX_DEPTH`: in a tree whose nodes have two children it is
one. Without it every byte of a file could cost the opening of 64 nodes."""

_ENTITY = Scope.ENTITY  # looked up for every leaf


@dataclass(slots=True)
class Level:
    """The children of one node that hold wanted bytes."""

    cids: tuple[Cid, ...]
    sizes: tuple[int, ...]
    offset: int
    """Absolute position of the child `index`."""
    index: int = 0
    """The child to visit next."""


def level_below(node: FileEntity, offset: int, start: int, stop: int) -> Level:
    """Return the children that hold bytes of `[start, stop)`; `offset` is where the node starts."""
    position = offset + len(node.inline)
    cids, sizes = node.children, node.blocksizes
    if start > position or stop < offset + node.size:
        bounds = list(accumulate(sizes, initial=position))
        first = max(bisect_right(bounds, start) - 1, 0)
        last = min(bisect_left(bounds, stop), len(sizes))
        position, cids, sizes = bounds[first], cids[first:last], sizes[first:last]
    return Level(cids, sizes, position)


def push_level(levels: list[Level], level: Level, cid: Cid) -> None:
    """Go down one level.

    Raises:
        BadBlock: too deep, or too much is waiting.
    """
    if len(levels) >= MAX_DEPTH:
        raise BadBlock("unixfs", f"a file is more than {MAX_DEPTH} levels deep", cid)
    if sum(len(each.cids) - each.index for each in levels) + len(level.cids) > MAX_PENDING:
        raise BadBlock("unixfs", f"a file has more than {MAX_PENDING} parts waiting", cid)
    levels.append(level)


def open_child(cid: Cid, block: Block | None, size: int) -> Piece | FileEntity:
    """Open a part of a file: the content of a leaf, or a node with children.

    Raises:
        BadBlock: not a part of a file, or not of the `size` that its parent says.
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


def _wrong_size(cid: Cid, told: int, size: int) -> BadBlock:
    return BadBlock("unixfs", f"a part of a file has {size} bytes, its parent says {told}", cid)


def read_file(file: FileEntity, start: int = 0, stop: int | None = None) -> Stream[Piece]:
    """Yield the bytes `[start, stop)` in pieces; asks only for blocks that hold some of them.

    Pieces are parts of blocks, not copied: whole leaves where the range covers them. Memory does
    not grow with the file, whatever the DAG claims to be.

    Raises:
        BadBlock: a part is no file, has not the size that its parent says, or lies too deep; or
            the file is more nodes than content.
        ValueError: the driver sent another block than it was asked for.
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
    """Return the part of `piece` inside `[start, stop)`; itself when that is all of it."""
    if start <= 0 and stop >= len(piece):
        return piece
    return memoryview(piece)[max(start, 0) : stop]
