"""CPU-bound work, run in a thread beside the event loop.

One thread for all of it: pure Python holds the interpreter's lock (GIL) while it runs, so two
threads would not be faster, and the event loop would compete with both.
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
"""How long the thread may hold the GIL while the event loop waits for it, which it does at every
event: with Python's default of 5 ms, hundreds of connections would wait for seconds."""
TURN_STEPS: Final = 64
"""Steps without a wait after which the event loop gets control: 5 ms or so at most."""


async def run_offloaded(work: Callable[[], T]) -> T:
    """Run `work` in the thread and return its result; the event loop goes on meanwhile.

    Args:
        work: pure; it runs to its end even if the caller is cancelled.

    Raises:
        Exception: what `work` raises, which must not be StopIteration.
    """
    return await asyncio.get_running_loop().run_in_executor(_thread(), _run, work)


def _run(work: Callable[[], T]) -> T:
    """Run `work` with the cyclic garbage collector off.

    It would scan tens of thousands of new objects again and again, and stop all threads for it.
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
    """Send a walk the block that it wants, in the thread if that takes long."""
    if is_long(want.cid, block.data):
        return await run_offloaded(partial(advance, walk, block))
    return advance(walk, block)


class Turns:
    """Yields to the event loop now and then, in a loop whose steps may never have to wait."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps = 0

    async def step(self) -> None:
        """Count a step; yields to the event loop at every `TURN_STEPS`th."""
        self._steps += 1
        if self._steps % TURN_STEPS == 0:
            await asyncio.sleep(0)
