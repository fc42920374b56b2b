"""A fair concurrency limit for lookups, of which some groups never get an answer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A semaphore that is fair among groups and takes permits back from the largest group.

    Each turn (permit) belongs to a group. While callers wait, the oldest turn of the group with the
    most turns ends once it has lasted `least_s`; the next turn goes to the waiting group with the
    fewest. So lookups below a domain whose servers are silent delay only each other.

    Args:
        limit: concurrent turns.
        least_s: seconds that each turn lasts at least.
    """

    def __init__(self, limit: int, least_s: float) -> None:
        self._free = limit
        self._least_s = least_s
        self._counts: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], str] = {}
        self._holders: dict[asyncio.Timeout, tuple[str, float]] = {}
        """Group and start of each turn that has no time limit yet, oldest first."""

    @asynccontextmanager
    async def take(self, group: str) -> AsyncIterator[None]:
        """Hold a turn of `group` for the body of an `async with`; waits for a free one.

        Raises:
            TimeoutError: the turn was taken back for a waiting group before the body ended.
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
                if self._waiting.pop(called, None) is None:  # the turn came at the same moment
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
        """Limit one turn, the oldest of the largest group, to `least_s` from its start."""
        if not self._holders:
            return
        turn = max(self._holders, key=lambda held: self._counts[self._holders[held][0]])
        _, began = self._holders.pop(turn)
        turn.reschedule(began + self._least_s)
