"""What was asked for lately: values by key, a bounded number, the least used gone first."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Two halves: what is found in the old one moves to the new one.

    When the new half is full it becomes the old one, and what was left there goes: nobody asked
    for it while `capacity // 2` others were. No order is kept, so that finding costs a look-up.

    Args:
        capacity: of both halves.
        dropped: told which keys have gone.
    """

    __slots__ = ("_dropped", "_half", "_old", "latest")

    def __init__(self, capacity: int, dropped: Callable[[set[K]], None] = lambda _: None) -> None:
        self._half = capacity // 2
        self._dropped = dropped
        self._old: dict[K, V] = {}
        self.latest: dict[K, V] = {}
        """The new half, to look into first. Not to be changed by others."""

    def __len__(self) -> int:
        return len(self.latest) + len(self._old)

    def find(self, key: K) -> V | None:
        """Return the value, which has been used now; None when there is none."""
        value = self.latest.get(key)
        if value is None and (value := self._old.get(key)) is not None:
            self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value; it has been used now."""
        self._old.pop(key, None)
        if key not in self.latest and len(self.latest) >= self._half:
            gone, self._old, self.latest = set(self._old), self.latest, {}
            self._dropped(gone)
        self.latest[key] = value

    def drop(self, key: K) -> None:
        """Forget a value."""
        self._old.pop(key, None)
        self.latest.pop(key, None)
