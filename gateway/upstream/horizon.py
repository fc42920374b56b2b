"""Which blocks a CAR stream will bring soon. Pure.

Only those are announced: a reader that waits for an announced block waits for all that comes before
it in the stream, and one that jumps to the end of a film shall not wait for the film.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.content.cid import Cid
from gateway.content.walk import Want

REACH_BYTES: Final = 4 * 1024 * 1024  # 0.3 s at 100 Mbit/s: less than a new request over a WAN
MIN_REACH: Final = 4
MAX_REACH: Final = 256
_FIRST_GUESS_BYTES: Final = 256 * 1024  # the usual leaf
_WEIGHT: Final = 0.25  # of the newest block in the mean


@dataclass(slots=True)
class _Level:
    cids: tuple[Cid, ...]
    position: int = 0
    """What the stream is at, or below."""
    announced: int = 0
    """What was announced before it."""


class Horizon:
    """Follows a walk and says which CIDs have come into reach."""

    def __init__(self) -> None:
        self._levels: list[_Level] = []
        self._mean_bytes = float(_FIRST_GUESS_BYTES)

    @property
    def reach(self) -> int:
        """How many blocks ahead are announced."""
        blocks = REACH_BYTES / max(self._mean_bytes, 1.0)
        return int(min(max(blocks, MIN_REACH), MAX_REACH))

    def passed(self, size_bytes: int) -> None:
        """Take in the size of a block that came."""
        self._mean_bytes += _WEIGHT * (size_bytes - self._mean_bytes)

    def moved_to(self, want: Want) -> Iterator[Cid]:
        """Yield the siblings that come into reach when the stream is at `want`, in order."""
        if not want.siblings:
            return
        self._enter(want)
        reach = self.reach
        first = 0  # the block that the deepest level is at counts; above, it is the parent of it
        for level in reversed(self._levels):
            end = min(level.position + first + reach, len(level.cids))
            start = max(level.announced, level.position)
            if start < end:
                yield from level.cids[start:end]
                level.announced = end
            reach -= max(len(level.cids) - level.position - first, 0)
            first = 1
            if reach <= 0:
                return

    def _enter(self, want: Want) -> None:
        """Go to the level of a want: up to one that is known, or one down."""
        for depth in range(len(self._levels) - 1, -1, -1):
            if self._levels[depth].cids is want.siblings:
                del self._levels[depth + 1 :]
                break
        else:
            self._levels.append(_Level(want.siblings))
        self._levels[-1].position = want.index
