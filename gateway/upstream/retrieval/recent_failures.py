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
"""As `negative_cache.ABSENT_S`: a failure is shared as long as an absence is."""
MAX_WAVES: Final = 4096  # 1 KB each with the failures of four upstreams


@dataclass(slots=True)
class _Failed:
    failures: list[Failure]
    failed_at: float
    is_over: bool = False


class RecentFailures:
    """Tries by multihash, the oldest first."""

    def __init__(self) -> None:
        self._recent_failures: dict[bytes, _Failed] = {}

    def __len__(self) -> int:
        return len(self._recent_failures)

    def note(self, multihash: bytes, failures: Iterable[Failure], now: float) -> None:
        """Remember who failed for a block that is waited for."""
        wave = self._recent_failures.pop(multihash, None)
        known = wave.failures if wave else []
        added = [failure for failure in failures if failure not in known]
        if len(self._recent_failures) >= MAX_WAVES:
            del self._recent_failures[next(iter(self._recent_failures))]
        self._recent_failures[multihash] = _Failed(known + added, now)

    def end(self, multihash: bytes, now: float) -> None:
        """Take note that nobody is left to be asked."""
        wave = self._recent_failures.get(multihash)
        if wave is not None:
            wave.failed_at, wave.is_over = now, True

    def find(self, multihash: bytes, now: float) -> list[Failure]:
        """Return how upstreams failed for a block lately, in order."""
        wave = self._recent_failures.get(multihash)
        if wave is None:
            return []
        if now - wave.failed_at >= REST_S:
            del self._recent_failures[multihash]
            return []
        return list(wave.failures)

    def is_over(self, multihash: bytes, now: float) -> bool:
        """Tell whether everybody who can be asked has failed a moment ago."""
        wave = self._recent_failures.get(multihash)
        return wave is not None and wave.is_over and now - wave.failed_at < REST_S

    def forget(self, multihash: bytes) -> None:
        """Take note that the block is here."""
        self._recent_failures.pop(multihash, None)
