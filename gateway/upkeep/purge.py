"""Taking content out: which cached blocks belong to a root, and all of them gone."""

from dataclasses import dataclass
from functools import partial

from gateway.content.car_walk import find_links
from gateway.content.cid import RAW, Cid
from gateway.content.effort import is_long
from gateway.errors import BadBlock
from gateway.offload import Turns, run_offloaded
from gateway.ports import BlockControl, BlockStore, Purged

MAX_BLOCKS = 1_000_000
"""Blocks that one order may take out: some 200 MB of bookkeeping while it runs."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What is cached below a root."""

    cids: tuple[Cid, ...]
    """Parents before children."""
    holes: int
    """Nodes that are not cached. Blocks below them may be, but nobody here can tell."""
    is_cut: bool
    """Whether there are more than `MAX_BLOCKS`."""


async def reach(store: BlockStore, root: Cid) -> Reach:
    """Find all that is cached below a root, without asking anybody else for it."""
    waiting, seen, found, holes = [root], {root.multihash}, list[Cid](), 0
    turns = Turns()
    while waiting and len(found) < MAX_BLOCKS:
        await turns.step()
        cid = waiting.pop()
        found.append(cid)
        if cid.codec == RAW or cid.is_identity:
            continue
        below = await _find_below(store, cid)
        if below is None:
            holes += 1
            continue
        for child in below:
            if child.multihash not in seen:
                seen.add(child.multihash)
                waiting.append(child)
    return Reach(tuple(found), holes, is_cut=bool(waiting))


async def purge_dag(store: BlockStore, keeper: BlockControl, root: Cid) -> tuple[Purged, Reach]:
    """Take out all that is cached below a root, the deepest first: it can be done again.

    Raises:
        CacheUnavailable: it could not be done, or not in whole.
    """
    reached = await reach(store, root)
    return await keeper.purge(reached.cids[::-1]), reached


async def _find_below(store: BlockStore, cid: Cid) -> tuple[Cid, ...] | None:
    found = await store.find(cid)
    if found is None:
        return None
    block = found[0]
    try:
        if is_long(block.cid, block.data):
            return await run_offloaded(partial(find_links, block))
        return find_links(block)
    except BadBlock:
        return ()
