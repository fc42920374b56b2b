"""Streams that fall far behind their own pace while a reader waits for them."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from gateway.ports import Clock
from gateway.upstream.retrieval.fetch import Fetch
from gateway.upstream.retrieval.in_flight import Entry

STALL_S: Final = 1.5
"""How long a reader waits before it is looked how much came: with a round trip and the first block
of another upstream it is less than 2.5 s that nothing comes."""
PACE_SHARE: Final = 0.1  # of what came before in the same time; less has stalled, not slowed down
_MIN_TIME_S: Final = 0.001  # a mean over less is infinite


class StallWatch:
    """Looks after whoever brings a block, for as long as a reader waits; use as `with`.

    Args:
        entry: of the block.
        clock: the time.
        on_stall: told who has stalled, again and again.
    """

    def __init__(self, entry: Entry, clock: Clock, on_stall: Callable[[Fetch], None]) -> None:
        self._entry = entry
        self._clock = clock
        self._on_stall = on_stall
        self._timer: asyncio.TimerHandle | None = None
        self._fetch: Fetch | None = None
        self._began_at = 0.0
        self._before_bytes = 0

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _begin(self) -> None:
        owner = self._entry.owner
        self._fetch = owner if isinstance(owner, Fetch) else None
        self._began_at = self._clock.monotonic()
        self._before_bytes = self._fetch.received_bytes if self._fetch is not None else 0
        self._timer = asyncio.get_running_loop().call_later(STALL_S, self._look)

    def _look(self) -> None:
        fetch = self._fetch
        if fetch is not None and fetch is self._entry.owner and self._has_stalled(fetch):
            self._on_stall(fetch)
        self._begin()

    def _has_stalled(self, fetch: Fetch) -> bool:
        waited_s = self._clock.monotonic() - self._began_at
        if not fetch.is_running or waited_s <= 0:
            return False
        if not self._before_bytes and fetch.race is not None:
            return False  # it was hedged, as whoever is slow to begin
        ran_s = max(self._began_at - fetch.began_at, _MIN_TIME_S)
        came_bytes = fetch.received_bytes - self._before_bytes
        return came_bytes <= PACE_SHARE * waited_s * self._before_bytes / ran_s
