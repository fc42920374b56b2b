"""Which roots are asked for most, in bounded memory.

Space-Saving (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements
in Data Streams, 2005): a key that is not held takes the place of the one with the lowest count
and inherits that count as its possible error. With `capacity` places and N requests no count is
more than N / capacity too high, none is too low, and every key asked for more than
N / capacity times is held. Sketches of several workers merge with the same guarantee
(Agarwal et al.: Mergeable Summaries, 2012).
"""

import heapq
from collections.abc import Sequence
from typing import Final, NamedTuple

CAPACITY: Final = 256


class Heavy(NamedTuple):
    """One key and how often it came."""

    key: str
    at_most: int
    error: int
    """It came at least `at_most - error` times."""


class TopKeys:
    """Counts keys; costs a dictionary update for a key that is held, a heap step for another."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._counts: dict[str, int] = {}
        self._errors: dict[str, int] = {}
        # One (count, key) for each key held. Counts in here may be old, that is, too low.
        self._heap: list[tuple[int, str]] = []

    def add(self, key: str, times: int = 1) -> None:
        """Count one occurrence, or several."""
        if key in self._counts:
            self._counts[key] += times
        elif len(self._counts) < self._capacity:
            self._counts[key] = times
            self._errors[key] = 0
            heapq.heappush(self._heap, (times, key))
        else:
            self._replace_least(key, times)

    def _replace_least(self, key: str, times: int) -> None:
        heap, counts = self._heap, self._counts
        while True:
            count, least = heap[0]
            if counts[least] == count:
                break
            heapq.heapreplace(heap, (counts[least], least))
        del counts[least], self._errors[least]
        counts[key] = count + times
        self._errors[key] = count
        heapq.heapreplace(heap, (count + times, key))

    def snapshot(self) -> list[list[str | int]]:
        """Return `[key, count, error]` rows, the highest count first."""
        rows = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [[key, count, self._errors[key]] for key, count in rows]


def merge_rows(
    sketches: Sequence[Sequence[Sequence[str | int]]], capacity: int = CAPACITY
) -> list[list[str | int]]:
    """Merge the snapshots of sketches with `capacity` places each into one like them.

    A key that a full sketch does not hold may have come as often as its lowest count.
    """
    read = [[Heavy(str(key), int(n), int(e)) for key, n, e in rows] for rows in sketches]
    floors = [min(row.at_most for row in rows) if len(rows) >= capacity else 0 for rows in read]
    total = sum(floors)
    merged: dict[str, Heavy] = {}
    for rows, floor in zip(read, floors, strict=True):
        for key, count, error in rows:
            old = merged.get(key, Heavy(key, total, total))
            merged[key] = Heavy(key, old.at_most + count - floor, old.error + error - floor)
    ranked = sorted(merged.values(), key=lambda row: (-row.at_most, row.key))
    return [list(row) for row in ranked[:capacity]]
