"""One search at a time for each key; all callers share its result."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from gateway.errors import GatewayError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Searches in flight, each in a task of its own: a caller that leaves does not end it."""

    def __init__(self) -> None:
        self._tasks: dict[K, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, key: K, search: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Start a search for `key` unless one is in flight."""
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(search())
            task.add_done_callback(lambda done: self._end(key, done))

    async def join(self, key: K, search: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of the search for `key`; starts one if none is in flight.

        Raises:
            Exception: what `search` raises.
        """
        self.begin(key, search)
        return await asyncio.shield(self._tasks[key])

    def _end(self, key: K, task: "asyncio.Task[T]") -> None:
        del self._tasks[key]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, GatewayError):
            context = {"message": "a search has failed", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)  # all callers may have left

    async def close(self) -> None:
        """End all searches."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
