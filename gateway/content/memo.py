"""Results of pure functions, kept while they are in use."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Keeps what was used last, as much as its capacity allows; for one thread.

    `functools.lru_cache` counts results; these differ in size by a factor of 10,000.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        """Sum of the weights that are kept."""
        self.weight = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: K) -> V | None:
        """Return the result for `key` if it is still there."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: K, value: V, weight: int) -> None:
        """Keep a result that `find` did not have; one of over a quarter of the capacity is not."""
        if weight > self.capacity // 4:
            return
        self._kept[key] = (value, weight)
        self.weight += weight
        while self.weight > self.capacity:
            self.weight -= self._kept.popitem(last=False)[1][1]
