"""Runs the walks of `gateway.content` against the source of blocks of one request."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from typing import TypeVar

from gateway.content.block import Block
from gateway.content.effort import is_at_hand, is_long
from gateway.content.named_links import named_links
from gateway.content.path import ContentPath
from gateway.content.resolve import Resolved, resolve
from gateway.content.unixfs import Entity, open_entity
from gateway.content.walk import Ended, Scope, Stream, Walk, Want, advance, advance_stream
from gateway.offload import Turns, run_offloaded
from gateway.pipeline.gate import PathGate
from gateway.ports import BlockSource

T = TypeVar("T")


class Reader:
    """Supplies the blocks of one request; it waits only for blocks that are not at hand.

    Args:
        source: supplies the blocks.
        before_wait: called before each wait, so that the edge can start to watch for a client
            that disconnects; requests that never wait do not pay for the watch.
        gate: checks every path and every block before anything of it is used; None without a
            denylist.
    """

    def __init__(
        self,
        source: BlockSource,
        before_wait: Callable[[], None],
        gate: PathGate | None = None,
    ) -> None:
        self.source = source
        self.gate = gate
        self._before_wait = before_wait
        self._last: Block | None = None

    async def get(self, want: Want) -> Block:
        """Return the wanted block; raises what `BlockSource.get` raises, and `Denied`.

        A block that is wanted twice in a row is read once: the first block of a file is read for
        its content type, then for its body.
        """
        last = self._last
        if last is not None and last.cid.multihash == want.cid.multihash:
            return last
        if self.gate is not None:
            self.gate.check_block(want.cid)
        block = self.source.peek(want.cid)
        if block is None:
            self._before_wait()
            block = await self.source.get(want)
        self._last = block
        return block

    async def resolve(
        self, path: ContentPath, scope: Scope, start: int = 0, stop: int | None = None
    ) -> Resolved:
        """Return the block at the end of a path; see `gateway.content.resolve.resolve`.

        All paths are resolved here, so that no spelling of one bypasses the denylist.

        Raises:
            Denied: the path is blocked, or a block on it.
        """
        if self.gate is not None:
            self.gate.check(path)
        return await self.drive(resolve(path.root, path.segments, scope, start, stop))

    async def drive(self, walk: Walk[T]) -> T:
        """Run a walk and return its value."""
        step = advance(walk, None)
        while isinstance(step, Want):
            block = await self.get(step)
            if is_long(step.cid, block.data) and not is_at_hand(block):
                step = await self._offload(partial(advance, walk, block))
            else:
                step = advance(walk, block)
        return step.value

    async def open(self, resolved: Resolved) -> Entity:
        """Return the decoded block at the end of a path; see `Resolved.entity`."""
        if _is_long(resolved.block):
            resolved.keep_entity(await self._offload(partial(open_entity, resolved.block)))
        return resolved.entity

    async def check_links(self, path: ContentPath, resolved: Resolved) -> None:
        """Ask the denylist about what is in the directory at `path`, before it is sent in whole.

        Raises:
            Denied: some of it is blocked.
            BadBlock: the directory is malformed.
        """
        if self.gate is not None:
            self.gate.check_links(path, await self.look(resolved.block, named_links))

    async def look(self, block: Block, work: Callable[[Block], T]) -> T:
        """Return `work(block)`; a large block is decoded in another thread. `work` is pure."""
        return await self._offload(partial(work, block)) if _is_long(block) else work(block)

    async def stream(
        self, steps: Stream[T], *, is_slow_to_start: bool = False
    ) -> AsyncGenerator[T, None]:
        """Run a walk that also yields values, and yield the values.

        Args:
            steps: the walk.
            is_slow_to_start: whether the first step decodes all links of a large block.
        """
        begin = partial(advance_stream, steps, None)
        step = await self._offload(begin) if is_slow_to_start else begin()
        while not isinstance(step, Ended):
            if not isinstance(step, Want):
                yield step
                step = advance_stream(steps, None)
                continue
            block = await self.get(step)
            if is_long(step.cid, block.data):
                step = await self._offload(partial(advance_stream, steps, block))
            else:
                step = advance_stream(steps, block)

    async def _offload(self, work: Callable[[], T]) -> T:
        self._before_wait()
        return await run_offloaded(work)

    async def require(self, walk: Walk[None]) -> None:
        """Check that all blocks of a walk can be read; raises what `get` raises for the first."""
        async for _ in self.blocks(walk):
            pass

    async def blocks(self, walk: Walk[None]) -> AsyncGenerator[tuple[Want, Block], None]:
        """Run a walk and yield each `Want` with its block."""
        turns = Turns()
        step = advance(walk, None)
        while isinstance(step, Want):
            block = await self.get(step)
            yield step, block
            await turns.step()
            if is_long(step.cid, block.data):
                step = await self._offload(partial(advance, walk, block))
            else:
                step = advance(walk, block)


def _is_long(block: Block) -> bool:
    return is_long(block.cid, block.data) and not is_at_hand(block)


async def chain(first: T, rest: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield `first`, which was already taken off an iterator, then the rest of it."""
    yield first
    async for item in rest:
        yield item
