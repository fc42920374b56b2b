"""A bounded LRU table of names, on top of aiocache's memory cache, which has no bound."""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from aiocache import SimpleMemoryCache
from aiocache.serializers import NullSerializer

V = TypeVar("V")

MAX_NAMES: Final = 4096  # 40 MiB if each had a record of the largest size; most take 400 bytes


class Table(Generic[V]):
    """A table of values by name that evicts the least recently used one.

    aiocache's own TTLs are not used: it starts a timer for each value, and knows one end of life
    where names have four (`Held`).

    Args:
        capacity: most names.
    """

    def __init__(self, capacity: int = MAX_NAMES) -> None:
        self._cache = SimpleMemoryCache(serializer=NullSerializer(), timeout=None)
        self._capacity = capacity
        self._order: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._order)

    async def find(self, name: str) -> V | None:
        """Return the value of a name; None if there is none."""
        if name in self._order:
            self._order.move_to_end(name)
        value: V | None = await self._cache.get(name)
        return value

    async def keep(self, name: str, value: V) -> None:
        """Store a value; evicts the least recently used name if the table is full."""
        await self._cache.set(name, value)
        self._order[name] = None
        self._order.move_to_end(name)
        while len(self._order) > self._capacity:
            await self.drop(next(iter(self._order)))

    async def drop(self, name: str) -> None:
        """Remove a name; no error if it is absent."""
        self._order.pop(name, None)
        await self._cache.delete(name)
