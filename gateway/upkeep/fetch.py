"""Whole DAGs, block by block: fetched ahead when they are not here."""

from collections.abc import AsyncGenerator

from gateway.content.block import Block
from gateway.content.car_walk import walk_car
from gateway.content.cid import DAG_PB, Cid
from gateway.content.dag_pb import decode_node
from gateway.content.walk import Walk, Want, advance
from gateway.errors import DeadlineExceeded
from gateway.offload import Turns, take_step
from gateway.ports import BlockSource, Retriever


async def fetch_dag(retriever: Retriever, root: Cid) -> AsyncGenerator[Block, None]:
    """Yield every block below `root`, each as soon as it is in the cache; parents come first.

    A session of the retriever has a deadline that is meant for clients. A large DAG takes longer:
    as long as blocks come, another session goes on where the last one stopped.

    Raises:
        ContentError, RetrievalError: a block is malformed, or cannot be had.
    """
    walk: Walk[None] = walk_car(root, is_unique=True)
    source = retriever.open_session(None)
    has_progress = False
    turns = Turns()
    want = advance(walk, None)
    try:
        while isinstance(want, Want):
            await turns.step()
            try:
                block = await _get(source, want)
            except DeadlineExceeded:
                if not has_progress:
                    raise
                has_progress = False
                await source.close()
                source = retriever.open_session(None)
                continue
            has_progress = True
            yield block
            want = await take_step(walk, want, block)
    finally:
        await source.close()


def expected_bytes(block: Block) -> int | None:
    """Return what the DAG below a root holds, as the root says it; nothing proves it."""
    if block.cid.codec != DAG_PB:
        return None
    return len(block.data) + sum(link.size or 0 for link in decode_node(block.data).links)


async def _get(source: BlockSource, want: Want) -> Block:
    block = source.peek(want.cid)
    return block if block is not None else await source.get(want)
