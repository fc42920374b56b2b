"""Which blocks a CAR stream will bring soon. Pure.

Only those are announced: a reader that waits for an announced block waits for all that comes before
it in the stream, and one that jumps to the end of a film shall not wait for the film. How much lies
below a node is not known before it is walked, so of nodes only the next one is announced.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.content.cid import RAW, Cid
from gateway.content.walk import Want

REACH_BYTES: Final = 4 * 1024 * 1024  # 0.3 s at 100 Mbit/s: less than a new request over a WAN
MIN_REACH: Final = 4
MAX_REACH: Final = 256
_FIRST_GUESS_BYTES: Final = 256 * 1024  # the usual leaf
_WEIGHT: Final = 0.25  # of the newest block in the mean


@dataclass(slots=True)
class _Level:
    cids: tuple[Cid, ...]
    are_leaves: bool | None = None
    """Whether they are leaves; None while nobody knows."""
    position: int = 0
    """What the stream is at, or below."""
    announced: int = 0
    """How far they were announced."""

    def announce(self, count: int) -> tuple[Cid, ...]:
        """Announce so many from the position on; returns those that were not before."""
        start = max(self.announced, self.position)
        self.announced = max(start, min(self.position + count, len(self.cids)))
        return self.cids[start : self.announced]


class AnnounceWindow:
    """Follows a walk and says which CIDs have come into reach."""

    def __init__(self) -> None:
        self._levels: list[_Level] = []
        self._mean_bytes = float(_FIRST_GUESS_BYTES)

    @property
    def reach(self) -> int:
        """How many blocks ahead are announced."""
        blocks = REACH_BYTES / max(self._mean_bytes, 1.0)
        return int(min(max(blocks, MIN_REACH), MAX_REACH))

    @property
    def is_clear(self) -> bool:
        """Whether it is known what comes next, as far as the reach."""
        if not self._levels:
            return False
        level = self._levels[-1]
        return level.are_leaves is True and level.position + self.reach <= len(level.cids)

    def passed(self, size_bytes: int) -> None:
        """Take in the size of a block that came."""
        self._mean_bytes += _WEIGHT * (size_bytes - self._mean_bytes)

    def moved_to(self, want: Want) -> Iterator[Cid]:
        """Yield the siblings that come into reach when the stream is at `want`, in order."""
        if not want.siblings:
            return
        self._enter(want)
        *upper, level = self._levels
        reach = self.reach if level.are_leaves else 1
        yield from level.announce(reach)
        if level.position + reach <= len(level.cids):
            return
        while upper:
            level = upper.pop()
            if level.position + 1 < len(level.cids):
                yield from level.announce(2)  # the parent of where the stream is, and the next
                return

    def _enter(self, want: Want) -> None:
        """Go to the level of a want: up to one that is known, or one down."""
        for depth in range(len(self._levels) - 1, -1, -1):
            level = self._levels[depth]
            if level.cids is want.siblings:
                if depth == len(self._levels) - 1 and level.are_leaves is None:
                    level.are_leaves = True
                del self._levels[depth + 1 :]
                break
        else:
            if self._levels:
                self._levels[-1].are_leaves = False
            level = _Level(want.siblings, True if want.cid.codec == RAW else None)
            self._levels.append(level)
        level.position = want.index
