"""A memo of the results of pure functions, bounded by weight."""

from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from typing import Final, Generic, TypeVar

ENTRY_BYTES: Final = 512
"""Overhead of a small result, which callers add to the bytes of each block."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Keeps the most recently used results up to a total weight.

    `functools.lru_cache` counts results; these differ in size by a factor of 10,000. Several
    threads may use one memo: each call changes the table in atomic steps of the interpreter, if the
    comparison of keys is atomic, as it is for numbers, bytes and tuples of them.

    Args:
        capacity: limit of the sum of weights.
        share: a result is kept if its weight is at most `capacity / share`.
    """

    def __init__(self, capacity: int, share: int = 4) -> None:
        self.capacity = capacity
        """Sum of the weights of all kept results."""
        self._largest = capacity // share
        self.weight = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: K) -> V | None:
        """Return the result for `key`; None when it is not kept."""
        found = self._kept.get(key)
        if found is None:
            return None
        with suppress(KeyError):  # another thread dropped it meanwhile
            self._kept.move_to_end(key)
        return found[0]

    def __contains__(self, key: K) -> bool:
        """Return whether the result for `key` is kept."""
        return key in self._kept

    def keep(self, key: K, value: V, weight: int) -> None:
        """Store a result that `find` did not return, unless it is too heavy."""
        if weight > self._largest:
            return
        entry = (value, weight)
        if self._kept.setdefault(key, entry) is not entry:
            return
        self.weight += weight
        while self.weight > self.capacity:
            gone = self._kept.popitem(last=False)[1][1]
            self.weight -= gone
