"""Long work of the processor, done beside the event loop.

In one thread for all: what is pure Python holds the lock of the interpreter while it runs, so that
two would not be faster, and the event loop would wait for both.
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Final, TypeVar

from gateway.content.block import Block
from gateway.content.effort import is_long
from gateway.content.walk import Ended, Walk, Want, advance

T = TypeVar("T")

SWITCH_S: Final = 0.0005
"""How long the thread may hold the lock when the event loop wants it. The loop asks for it at every
event: with Python's own 5 ms a crowd of connections would wait for seconds."""
TURN_STEPS: Final = 64
"""Steps for which nobody has to wait, until others have a turn: some 5 ms at the most."""


async def run_offloaded(work: Callable[[], T]) -> T:
    """Return what `work` returns; others are served meanwhile.

    Args:
        work: pure; it goes on when the caller is cancelled.

    Raises:
        Exception: what `work` raises, which must not be StopIteration.
    """
    return await asyncio.get_running_loop().run_in_executor(_thread(), _run, work)


def _run(work: Callable[[], T]) -> T:
    """Run `work` without the collector of cycles.

    It would look at ten thousands of new objects again and again, and has everybody wait for it.
    """
    gc.disable()
    try:
        return work()
    finally:
        gc.enable()


@lru_cache(maxsize=1)
def _thread() -> ThreadPoolExecutor:
    sys.setswitchinterval(SWITCH_S)
    return ThreadPoolExecutor(1, thread_name_prefix="aside")


async def take_step(walk: Walk[T], want: Want, block: Block) -> Want | Ended[T]:
    """Send a walk the block that it wants, aside if that takes long."""
    if is_long(want.cid, block.data):
        return await run_offloaded(partial(advance, walk, block))
    return advance(walk, block)


class Turns:
    """Gives others a turn now and then, in a loop whose steps may all be at hand."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps = 0

    async def step(self) -> None:
        """Take note of a step."""
        self._steps += 1
        if self._steps % TURN_STEPS == 0:
            await asyncio.sleep(0)
