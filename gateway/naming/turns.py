"""Who may ask next, when only so many may ask at once and some of those never get an answer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Turns of a bounded number, which those who wait in vain have to give back.

    Each turn belongs to a group. While others wait, the oldest turn of the group that has most of
    them ends once it has lasted `least_s`, and of those who wait the group that has fewest turns is
    next: who asks for what nobody answers waits for it alone.

    Args:
        limit: turns at once.
        least_s: seconds that each turn lasts whatever waits.
    """

    def __init__(self, limit: int, least_s: float) -> None:
        self._free = limit
        self._least_s = least_s
        self._counts: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], str] = {}
        self._holders: dict[asyncio.Timeout, tuple[str, float]] = {}
        """Group and beginning of each turn that may last, oldest first."""

    @asynccontextmanager
    async def take(self, group: str) -> AsyncIterator[None]:
        """Hold a turn.

        Raises:
            TimeoutError: it ended before the work did, because others wait.
        """
        await self._acquire(group)
        turn = asyncio.timeout(None)
        try:
            async with turn:
                self._holders[turn] = group, asyncio.get_running_loop().time()
                if self._waiting:
                    self._end_one()
                yield
        finally:
            self._holders.pop(turn, None)
            self._release(group)

    async def _acquire(self, group: str) -> None:
        if not self._free:
            self._end_one()
            called = asyncio.get_running_loop().create_future()
            self._waiting[called] = group
            try:
                await called
            except asyncio.CancelledError:
                if self._waiting.pop(called, None) is None:  # it was given a turn all the same
                    self._release(group)
                raise
            return
        self._free -= 1
        self._counts[group] += 1

    def _release(self, group: str) -> None:
        self._counts[group] -= 1
        if not self._counts[group]:
            del self._counts[group]
        if not self._waiting:
            self._free += 1
            return
        called = min(self._waiting, key=lambda waiting: self._counts[self._waiting[waiting]])
        self._counts[self._waiting.pop(called)] += 1
        called.set_result(None)

    def _end_one(self) -> None:
        """Let one of the turns that may last end as soon as it has lasted long enough."""
        if not self._holders:
            return
        turn = max(self._holders, key=lambda held: self._counts[self._holders[held][0]])
        _, began = self._holders.pop(turn)
        turn.reschedule(began + self._least_s)
