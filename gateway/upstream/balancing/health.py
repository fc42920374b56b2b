"""How an upstream has behaved, and what follows from it. Pure: takes `now` (monotonic seconds).

Ejection follows Envoy's outlier detection (5 consecutive failures, 30 s times the number of
ejections, at most 300 s), with one rule of ours: bytes that do not match their CID eject at once.
Speed is a peak EWMA as in Finagle: a slow answer counts in full, fast ones win it back with time.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from math import exp, inf, nextafter
from typing import Final

from gateway.errors import (
    BadCar,
    BlockAbsent,
    BlockMismatch,
    IncompleteCar,
    NameUnresolved,
    UpstreamError,
    UpstreamRefused,
    UpstreamSilent,
)
from gateway.upstream.transport.request import REDIRECTS

EJECT_AFTER: Final = 5  # consecutive failures; Envoy's consecutive_5xx
EJECTION_S: Final = 30.0  # times the number of ejections; Envoy's base_ejection_time
MAX_EJECTION_S: Final = 300.0  # Envoy's max_ejection_time
FORGIVE_S: Final = 300.0  # good behaviour that takes one ejection off the count
MAX_RETRY_AFTER_S: Final = 300.0  # an upstream cannot take itself out for longer
BUSY_TTFB_S: Final = 5.0  # what a 429 or 5xx counts as: fast refusals must not look like speed
MAX_OUTRUNS: Final = 6  # in a row, beyond which it looks no slower: 64 times as long
MIN_SAMPLES: Final = 20  # for a 95th percentile: one of them is above it
MAX_SAMPLES: Final = 100  # the newest; Saturn's client looks at 50
RELAPSE_S: Final = 1.0
"""Before probes bring back who failed the request that tried it, the next time twice as long: who
answers probes and nothing else is tried seldom."""
DECAY_S: Final = 30.0  # time constant of the EWMA; who is not asked looks faster by and by


class FailureKind(StrEnum):
    """Why an answer was of no use."""

    MISMATCH = "mismatch"
    """Bytes that are not what their CID says: a lie."""
    BAD_CAR = "bad-car"
    INCOMPLETE = "incomplete"
    """A CAR without all that was asked for; no more than an absence."""
    REDIRECTED = "redirected"
    """It sends elsewhere: the operator gave another address than its own."""
    REFUSED = "refused"
    """A status, type, encoding or size that is not taken."""
    BUSY = "busy"
    """429 or 5xx."""
    TIMED_OUT = "timed-out"
    """504: it did not find it in time either."""
    SILENT = "silent"
    UNREACHABLE = "unreachable"
    ABSENT = "absent"
    """404, 410 or 451: an honest answer, no failure."""
    UNRESOLVED = "unresolved"
    """No valid record for a name, which may be the name's fault."""


NO_FAULT: Final = frozenset({FailureKind.ABSENT, FailureKind.INCOMPLETE, FailureKind.UNRESOLVED})

_KINDS: Final = (
    (BlockMismatch, FailureKind.MISMATCH),
    (BadCar, FailureKind.BAD_CAR),
    (IncompleteCar, FailureKind.INCOMPLETE),
    (BlockAbsent, FailureKind.ABSENT),
    (UpstreamSilent, FailureKind.SILENT),
    (NameUnresolved, FailureKind.UNRESOLVED),
)


def kind_of(error: UpstreamError) -> FailureKind:
    """Return the kind of failure that an error tells of."""
    if isinstance(error, UpstreamRefused):
        if error.status == 504:
            return FailureKind.TIMED_OUT
        if error.status in REDIRECTS:
            return FailureKind.REDIRECTED
        is_busy = error.status == 429 or error.status >= 500
        return FailureKind.BUSY if is_busy else FailureKind.REFUSED
    return next((k for cls, k in _KINDS if isinstance(error, cls)), FailureKind.UNREACHABLE)


PROBED: Final = frozenset({FailureKind.SILENT, FailureKind.UNREACHABLE, FailureKind.REDIRECTED})
"""What a probe that is answered disproves. After a lie or a refusal it proves nothing: the ejection
takes its time."""


class UpstreamState(StrEnum):
    """Whether an upstream is asked."""

    HEALTHY = "healthy"
    EJECTED = "ejected"
    BACKING_OFF = "backing-off"
    """It answered with Retry-After."""


@dataclass(slots=True)
class UpstreamHealth:
    """What is known of one upstream."""

    in_flight: int = 0
    probes: int = 0
    """Requests under way that try whether it is back after an ejection."""
    requests: int = 0
    received_bytes: int = 0
    failures: dict[FailureKind, int] = field(default_factory=dict[FailureKind, int])
    consecutive: int = 0
    """Failures since the last success."""
    ejections: int = 0
    """How often it was ejected, less what was forgiven."""
    outruns: int = 0
    """Requests in a row that took longer than they usually do."""
    ejected_until: float = -inf
    held_until: float = -inf
    reason: str = ""
    """Why it is not healthy, in a word."""
    problem: str = ""
    """Likewise, as it was told."""
    is_on_trial: bool = False
    """Whether it has brought nothing to its end since its last ejection."""
    _relapses: int = 0
    """Ejections in a row without a success between them, but the first."""
    _ttfb_s: float | None = None
    _is_primed: bool = False
    """Whether the expected time is of probes alone."""
    _measured_at: float = -inf
    _ejected_at: float = -inf
    _is_probed: bool = False
    """Whether probes can end the ejection."""
    _ttfbs: deque[float] = field(default_factory=partial(deque[float], maxlen=MAX_SAMPLES))
    _forgiven_at: float = -inf

    @property
    def measured_at(self) -> float:
        """When the time to first block was measured last; monotonic."""
        return self._measured_at

    def ttfb_s(self, now: float) -> float | None:
        """Return the expected time to the first block; None when it was never measured."""
        if self._ttfb_s is None:
            return None
        return self._ttfb_s * exp((self._measured_at - now) / DECAY_S)

    def measured(self, ttfb_s: float, now: float) -> None:
        """Take in one time to a first verified block."""
        self.outruns = 0
        self._ttfbs.append(ttfb_s)
        self._take_in(ttfb_s, now)

    def _take_in(self, ttfb_s: float, now: float) -> None:
        if self._is_primed:  # by probes, which said something about the way only
            self._is_primed, self._ttfb_s = False, None
        known = self.ttfb_s(now)
        if self._ttfb_s is None or known is None or ttfb_s >= known:
            self._ttfb_s = ttfb_s
        else:
            weight = exp((self._measured_at - now) / DECAY_S)
            self._ttfb_s = self._ttfb_s * weight + ttfb_s * (1 - weight)
        self._measured_at = now

    def primed(self, answered_s: float, now: float) -> None:
        """Take in how fast a probe was answered, while nothing better is known.

        Of several the fastest counts: a busy moment can only add to what the way needs.
        """
        if self._ttfb_s is None:
            self._is_primed, self._ttfb_s, self._measured_at = True, answered_s, now
        elif self._is_primed:  # when it is over, an exploring request may still find out better
            self._ttfb_s = min(answered_s, self._ttfb_s)

    def outrun(self, waited_s: float, now: float) -> None:
        """Take in that nothing had come after `waited_s`.

        How long it would have taken is not known, because such requests are cut short when another
        upstream delivers. So each one in a row counts twice as much as the one before it.
        """
        self.outruns = min(self.outruns + 1, MAX_OUTRUNS)
        at_least_s = waited_s * 2**self.outruns
        if at_least_s > (self.ttfb_s(now) or 0.0):
            self._take_in(at_least_s, now)

    def usual_s(self) -> float | None:
        """Return the time within which 95 % of first blocks came; None while that is not known."""
        if len(self._ttfbs) < MIN_SAMPLES:
            return None
        return sorted(self._ttfbs)[int(0.95 * len(self._ttfbs))]

    def succeeded(self, now: float) -> None:
        """Count a request that brought what it should, to the end."""
        self.consecutive = 0
        if now >= self.ejected_until:
            self.is_on_trial = False
            self._relapses = 0
        if self.ejections and now >= self.ejected_until:
            since = max(self._forgiven_at, self.ejected_until)
            if now - since >= FORGIVE_S:
                self.ejections -= 1
                self._forgiven_at = now

    def failed(
        self,
        kind: FailureKind,
        now: float,
        retry_after_s: float | None = None,
        problem: str = "",
    ) -> None:
        """Count a failure, and eject or hold the upstream if that is enough."""
        self.failures[kind] = self.failures.get(kind, 0) + 1
        if kind in (FailureKind.BUSY, FailureKind.TIMED_OUT):
            self._take_in(max(BUSY_TTFB_S, self.ttfb_s(now) or 0.0), now)
        if retry_after_s is not None:
            self.held_until = now + min(retry_after_s, MAX_RETRY_AFTER_S)
            self.reason, self.problem = "retry-after", problem
        if kind is FailureKind.ABSENT and not self.is_on_trial:  # of its bodies it says nothing
            self.succeeded(now)
        if kind in NO_FAULT:
            return
        self.consecutive += 1
        if kind is FailureKind.MISMATCH or self.consecutive >= EJECT_AFTER:
            self._eject(kind, now, problem)

    def _eject(self, kind: FailureKind, now: float, problem: str) -> None:
        if now < self.ejected_until:
            return  # requests that were under way when it was ejected do not count again
        self.ejections += 1
        self.ejected_until = now + min(EJECTION_S * self.ejections, MAX_EJECTION_S)
        self._ejected_at = now
        self._relapses += self.is_on_trial
        self.is_on_trial = True
        self.consecutive = EJECT_AFTER - 1  # the next failure is enough
        self.reason, self.problem = kind, problem
        self._is_probed = kind in PROBED

    def eject_probed(self, kind: FailureKind, now: float, problem: str) -> None:
        """Eject an upstream because of what it does when it is probed."""
        self._eject(kind, now, problem)
        self._is_probed = self._is_probed or kind is not FailureKind.MISMATCH

    def readmit(self, now: float) -> None:
        """End an ejection early: it answers probes again. The next request tries it alone."""
        rest_s = RELAPSE_S * (2**self._relapses - 1)
        if self._is_probed and now - self._ejected_at >= rest_s:
            self.ejected_until = min(self.ejected_until, now)

    def unfit_until(self, now: float) -> float:
        """Return until when it is not asked: after an ejection one request tries it alone."""
        if self.is_on_trial and self.probes:
            return max(self.ejected_until, nextafter(now, inf))
        return self.ejected_until

    def state(self, now: float) -> UpstreamState:
        """Tell whether it may be asked."""
        if now < self.ejected_until:
            return UpstreamState.EJECTED
        return UpstreamState.BACKING_OFF if now < self.held_until else UpstreamState.HEALTHY
