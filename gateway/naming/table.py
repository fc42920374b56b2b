"""A memory of names: aiocache's, with a bound, which it lacks."""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from aiocache import SimpleMemoryCache
from aiocache.serializers import NullSerializer

V = TypeVar("V")

MAX_NAMES: Final = 4096  # 40 MiB if each had a record of the largest size; most take 400 bytes


class Table(Generic[V]):
    """Keeps values by name; what was used least recently goes first.

    aiocache's own lifetimes are not used: it starts a timer for each, and knows one end of a
    value where names have four.
    """

    def __init__(self, capacity: int = MAX_NAMES) -> None:
        self._cache = SimpleMemoryCache(serializer=NullSerializer(), timeout=None)
        self._capacity = capacity
        self._order: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._order)

    async def find(self, name: str) -> V | None:
        """Return what is kept under a name, or None."""
        if name in self._order:
            self._order.move_to_end(name)
        value: V | None = await self._cache.get(name)
        return value

    async def keep(self, name: str, value: V) -> None:
        """Keep a value, and drop another if there are too many."""
        await self._cache.set(name, value)
        self._order[name] = None
        self._order.move_to_end(name)
        while len(self._order) > self._capacity:
            await self.drop(next(iter(self._order)))

    async def drop(self, name: str) -> None:
        """Forget a name."""
        self._order.pop(name, None)
        await self._cache.delete(name)
