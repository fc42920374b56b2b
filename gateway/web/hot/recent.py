"""A map of bounded size that keeps the values used most recently."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """An approximate LRU map of two halves; a value that is found in the old half moves to the new.

    When the new half is full it becomes the old one, and the values left in the old one are
    dropped: they were not used while `capacity // 2` others were. No order is kept, so that finding
    costs one look-up.

    Args:
        capacity: number of values in both halves.
        dropped: called with the keys that were dropped.
    """

    __slots__ = ("_dropped", "_half", "_old", "latest")

    def __init__(self, capacity: int, dropped: Callable[[set[K]], None] = lambda _: None) -> None:
        self._half = capacity // 2
        self._dropped = dropped
        self._old: dict[K, V] = {}
        self.latest: dict[K, V] = {}
        """The new half, in which to look first; for reading only."""

    def __len__(self) -> int:
        return len(self.latest) + len(self._old)

    def find(self, key: K) -> V | None:
        """Return the value and mark it as used; None when the key is not there."""
        value = self.latest.get(key)
        if value is None and (value := self._old.get(key)) is not None:
            self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Store a value and mark it as used."""
        self._old.pop(key, None)
        if key not in self.latest and len(self.latest) >= self._half:
            gone, self._old, self.latest = set(self._old), self.latest, {}
            self._dropped(gone)
        self.latest[key] = value

    def drop(self, key: K) -> None:
        """Remove a value."""
        self._old.pop(key, None)
        self.latest.pop(key, None)
