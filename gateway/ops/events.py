"""Statistics that also write to the log what an operator wants to read.

The words are the same in both: reasons of choices, kinds of failures, states of upstreams.
"""

from dataclasses import asdict
from typing import Final

import structlog
from typing_extensions import override

from gateway.ops.statistics import MAX_LABELS, Statistics, forget_oldest
from gateway.ports import Choice, Clock, Rejection

EVERY_S: Final = 1.0  # the same failure is written once in this time, however many requests meet it

_log = structlog.stdlib.get_logger(__name__)


class LoggedStatistics(Statistics):
    """Counts everything; writes failures, lies and ejections.

    Args:
        clock: tells when the same failure may be written again.
        with_choices: write each choice of an upstream, too. The access log as JSON holds them
            already, the other formats have no place for them.
    """

    def __init__(self, clock: Clock, *, with_choices: bool = False) -> None:
        super().__init__()
        self._clock = clock
        self._with_choices = with_choices
        self._last: dict[tuple[str, str, str], float] = {}
        self._skipped: dict[tuple[str, str, str], int] = {}

    @override
    def block_rejected(self, reason: Rejection, source: str) -> None:
        super().block_rejected(reason, source)
        self._warn("block_rejected", source, reason)

    @override
    def upstream_asked(self, choice: Choice, step: str) -> None:
        super().upstream_asked(choice, step)
        if self._with_choices:
            _log.info("upstream_chosen", step=step, **asdict(choice))

    @override
    def upstream_failed(self, upstream: str, step: str, kind: str, reason: str) -> None:
        super().upstream_failed(upstream, step, kind, reason)
        self._warn("upstream_failed", upstream, kind, step=step, reason=reason)

    @override
    def upstream_state(self, upstream: str, state: str, reason: str, problem: str = "") -> None:
        super().upstream_state(upstream, state, reason, problem)
        more = {"problem": problem} if problem else {}
        _log.warning("upstream_state", upstream=upstream, state=state, reason=reason, **more)

    def _warn(self, event: str, source: str, kind: str, **more: str) -> None:
        """Write an event unless the same one was written a moment ago."""
        key = (event, source, kind)
        now = self._clock.monotonic()
        if key in self._last and now - self._last[key] < EVERY_S:
            self._skipped[key] = self._skipped.get(key, 0) + 1
            forget_oldest(self._skipped, MAX_LABELS)
            return
        self._last.pop(key, None)
        self._last[key] = now
        forget_oldest(self._last, MAX_LABELS)
        skipped = self._skipped.pop(key, 0)
        _log.warning(event, source=source, kind=kind, **more, skipped=skipped)
