"""Results of pure functions, kept while they are in use."""

from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from typing import Final, Generic, TypeVar

ENTRY_BYTES: Final = 512
"""What callers add to the bytes of each block: a small one costs as much for what stands around."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Keeps what was used last, as much as its capacity allows.

    `functools.lru_cache` counts results; these differ in size by a factor of 10,000. Several
    threads may use one: each call changes the table in single steps of the interpreter, if only
    comparing keys is one, as it is with numbers, bytes and tuples of them.

    Args:
        capacity: sum of the weights that are kept.
        share: a result is kept if it takes at most one part in so many.
    """

    def __init__(self, capacity: int, share: int = 4) -> None:
        self.capacity = capacity
        """Sum of the weights that are kept."""
        self._largest = capacity // share
        self.weight = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: K) -> V | None:
        """Return the result for `key` if it is still there."""
        found = self._kept.get(key)
        if found is None:
            return None
        with suppress(KeyError):  # another thread let it go just now
            self._kept.move_to_end(key)
        return found[0]

    def __contains__(self, key: K) -> bool:
        """Tell whether the result for `key` is still there."""
        return key in self._kept

    def keep(self, key: K, value: V, weight: int) -> None:
        """Keep a result that `find` did not have, unless it is too heavy."""
        if weight > self._largest:
            return
        entry = (value, weight)
        if self._kept.setdefault(key, entry) is not entry:
            return
        self.weight += weight
        while self.weight > self.capacity:
            gone = self._kept.popitem(last=False)[1][1]
            self.weight -= gone
