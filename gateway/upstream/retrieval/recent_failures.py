"""How the tries for a block ended that nobody has given. Pure: takes `now` (monotonic seconds).

All who want a block share one wave of tries: who comes while it is under way leaves out whom others
have asked, and who comes after it gets its result for a moment. So an upstream that fails is asked
for a block once in a while, however many want it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.upstream.retrieval.attempts import Failure

REST_S: Final = 3.0
"""As `absences.ABSENT_S`: a failure is shared as long as an absence is."""
MAX_WAVES: Final = 4096  # 1 KB each with the failures of four upstreams


@dataclass(slots=True)
class _Wave:
    failures: list[Failure]
    failed_at: float
    is_over: bool = False


class Waves:
    """Tries by multihash, the oldest first."""

    def __init__(self) -> None:
        self._waves: dict[bytes, _Wave] = {}

    def __len__(self) -> int:
        return len(self._waves)

    def note(self, multihash: bytes, failures: Iterable[Failure], now: float) -> None:
        """Remember who failed for a block that is waited for."""
        wave = self._waves.pop(multihash, None)
        known = wave.failures if wave else []
        added = [failure for failure in failures if failure not in known]
        if len(self._waves) >= MAX_WAVES:
            del self._waves[next(iter(self._waves))]
        self._waves[multihash] = _Wave(known + added, now)

    def end(self, multihash: bytes, now: float) -> None:
        """Take note that nobody is left to be asked."""
        wave = self._waves.get(multihash)
        if wave is not None:
            wave.failed_at, wave.is_over = now, True

    def find(self, multihash: bytes, now: float) -> list[Failure]:
        """Return how upstreams failed for a block lately, in order."""
        wave = self._waves.get(multihash)
        if wave is None:
            return []
        if now - wave.failed_at >= REST_S:
            del self._waves[multihash]
            return []
        return list(wave.failures)

    def is_over(self, multihash: bytes, now: float) -> bool:
        """Tell whether everybody who can be asked has failed a moment ago."""
        wave = self._waves.get(multihash)
        return wave is not None and wave.is_over and now - wave.failed_at < REST_S

    def forget(self, multihash: bytes) -> None:
        """Take note that the block is here."""
        self._waves.pop(multihash, None)
