"""Running walks against a request's source of blocks."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TypeVar

from gateway.content.block import Block
from gateway.content.path import ContentPath
from gateway.content.resolve import Resolved, resolve
from gateway.content.walk import Scope, Stream, Walk, Want
from gateway.pipeline.gate import PathGate
from gateway.ports import BlockSource

T = TypeVar("T")


class Reader:
    """The blocks of one request: those at hand at once, the others by waiting.

    Args:
        source: where blocks come from.
        before_wait: called before each wait, so that the edge can start to watch for a client
            that leaves; requests that never wait do not pay for the watch.
        gate: asked about every path and every block before anything of it is used; None for no
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

        The same block twice in a row is asked for once: the head of a file is read for its type,
        then for its body.
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
        """Return what stands at a path; see `gateway.content.resolve.resolve`.

        The one way from a path to content, so that no spelling of it goes past the denylist.

        Raises:
            Denied: the path is blocked, or a block on it.
        """
        if self.gate is not None:
            self.gate.check(path)
        return await self.drive(resolve(path.root, path.segments, scope, start, stop))

    async def drive(self, walk: Walk[T]) -> T:
        """Run a walk to its value."""
        try:
            want = next(walk)
            while True:
                want = walk.send(await self.get(want))
        except StopIteration as stop:
            value: T = stop.value
            return value

    async def stream(self, steps: Stream[T]) -> AsyncGenerator[T, None]:
        """Run a walk that also yields values, and yield the values."""
        try:
            step = next(steps)
            while True:
                if isinstance(step, Want):
                    step = steps.send(await self.get(step))
                else:
                    yield step
                    step = steps.send(None)
        except StopIteration:
            return


async def chain(first: T, rest: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield what was taken off an iterator already, then the rest of it."""
    yield first
    async for item in rest:
        yield item
