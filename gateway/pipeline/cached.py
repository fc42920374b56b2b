"""Checks for `only-if-cached`: whether the cache holds all of an answer before its head is sent."""

from gateway.content.cid import RAW, Cid
from gateway.content.read import Level, level_below, open_child, push_level
from gateway.content.unixfs import FileEntity
from gateway.content.walk import Scope, Want
from gateway.errors import NotCached
from gateway.pipeline.drive import Reader
from gateway.ports import BlockStore


async def require_file(
    reader: Reader, store: BlockStore, file: FileEntity, start: int, stop: int
) -> None:
    """Check that bytes of a file are in the cache; raw leaves are looked up but not read.

    Args:
        reader: reads only from the cache.
        store: the cache.
        file: the root of the file.
        start: offset of the first byte.
        stop: offset past the last byte.

    Raises:
        NotCached: a leaf is not in the cache.
        NotFound: another block is not in the cache.
        BadBlock: as `gateway.content.read.read_file`.
    """
    levels = [level_below(file, 0, start, stop)]
    while levels:
        level = levels[-1]
        if not level.index:
            await _require_leaves(store, level.cids)
        offset, node = await _next_node(reader, level, file.cid)
        if node is None:
            levels.pop()
        else:
            push_level(levels, level_below(node, offset, start, stop), node.cid)


async def _require_leaves(store: BlockStore, cids: tuple[Cid, ...]) -> None:
    leaves = [cid for cid in cids if cid.codec == RAW and not cid.is_identity]
    if leaves and not await store.has_all(leaves):
        raise NotCached(next((cid for cid in leaves if not store.has(cid)), leaves[0]))


async def _next_node(reader: Reader, level: Level, root: Cid) -> tuple[int, FileEntity | None]:
    """Return the offset of the next child with children, and the child; None when there is none."""
    while level.index < len(level.cids):
        index, offset = level.index, level.offset
        cid, size = level.cids[index], level.sizes[index]
        level.index, level.offset = index + 1, offset + size
        if cid.codec != RAW and size:
            want = Want(cid, (), Scope.ENTITY, 0, None, root, level.cids, index)
            child = open_child(cid, await reader.get(want), size)
            if isinstance(child, FileEntity):
                return offset, child
    return 0, None
