"""Health of an upstream: failures, ejection, expected latency. Pure: takes `now` (monotonic).

Ejection follows Envoy's outlier detection (5 consecutive failures, 30 s times the number of
ejections, at most 300 s), with one more rule: bytes that do not match their CID eject at once.
Latency is a peak EWMA as in Finagle: a slow answer counts in full at once, fast ones lower the
value with time.
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
FORGIVE_S: Final = 300.0  # seconds of good behaviour that take one ejection off the count
MAX_RETRY_AFTER_S: Final = 300.0  # upper bound on an upstream's Retry-After
BUSY_TTFB_S: Final = 5.0  # latency that a 429 or 5xx counts as: fast refusals are not speed
MAX_OUTRUNS: Final = 6  # in a row that count; the factor ends at 64
MIN_SAMPLES: Final = 20  # for a 95th percentile: one sample is above it
MAX_SAMPLES: Final = 100  # the newest; Saturn's client looks at 50
RELAPSE_S: Final = 1.0
"""Least ejection, before probes can end it, of an upstream that failed its trial request; doubles
each time, so that one that answers nothing but probes is tried seldom."""
DECAY_S: Final = 30.0  # time constant of the EWMA; an unused upstream looks faster with time


class FailureKind(StrEnum):
    """Kinds of failed requests."""

    MISMATCH = "mismatch"
    """Bytes that do not match their CID: a lie."""
    BAD_CAR = "bad-car"
    INCOMPLETE = "incomplete"
    """A CAR that lacks some of the requested blocks; counts like an absence."""
    REDIRECTED = "redirected"
    """A redirect: the configured address is not the upstream's own."""
    REFUSED = "refused"
    """A status, type, encoding or size that is not accepted."""
    BUSY = "busy"
    """429 or 5xx."""
    TIMED_OUT = "timed-out"
    """504: the upstream did not find the content in time."""
    SILENT = "silent"
    UNREACHABLE = "unreachable"
    ABSENT = "absent"
    """404, 410 or 451: a valid answer, not a fault."""
    UNRESOLVED = "unresolved"
    """No valid record for a name, which may be due to the name."""


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
    """Return the kind of failure of an error."""
    if isinstance(error, IncompleteCar) and error.is_cut:  # until a 404 explains it
        return FailureKind.UNREACHABLE
    if isinstance(error, UpstreamRefused):
        if error.status == 504:
            return FailureKind.TIMED_OUT
        if error.status in REDIRECTS:
            return FailureKind.REDIRECTED
        is_busy = error.status == 429 or error.status >= 500
        return FailureKind.BUSY if is_busy else FailureKind.REFUSED
    return next((k for cls, k in _KINDS if isinstance(error, cls)), FailureKind.UNREACHABLE)


PROBED: Final = frozenset({FailureKind.SILENT, FailureKind.UNREACHABLE, FailureKind.REDIRECTED})
"""Failures that an answered probe disproves. After a lie or a refusal it proves nothing: the
ejection lasts its full time."""


class UpstreamState(StrEnum):
    """Whether an upstream gets requests."""

    HEALTHY = "healthy"
    EJECTED = "ejected"
    BACKING_OFF = "backing-off"
    """It answered with Retry-After."""


@dataclass(slots=True)
class UpstreamHealth:
    """Counters and state of one upstream; all times are monotonic seconds."""

    in_flight: int = 0
    probes: int = 0
    """Trial requests in flight, after an ejection."""
    requests: int = 0
    received_bytes: int = 0
    failures: dict[FailureKind, int] = field(default_factory=dict[FailureKind, int])
    consecutive: int = 0
    """Failures since the last success."""
    ejections: int = 0
    """Number of ejections, less those forgiven."""
    outruns: int = 0
    """Requests in a row that were hedged because they took longer than usual."""
    ejected_until: float = -inf
    held_until: float = -inf
    reason: str = ""
    """Why it is not healthy, one word."""
    problem: str = ""
    """Why it is not healthy, the text of the error."""
    is_on_trial: bool = False
    """Whether no request has succeeded since its last ejection."""
    _relapses: int = 0
    """Ejections in a row without a success between them, not counting the first."""
    _ttfb_s: float | None = None
    _is_primed: bool = False
    """Whether the expected latency comes from probes only."""
    _measured_at: float = -inf
    _ejected_at: float = -inf
    _is_probed: bool = False
    """Whether probes can end the ejection."""
    _ttfbs: deque[float] = field(default_factory=partial(deque[float], maxlen=MAX_SAMPLES))
    _forgiven_at: float = -inf

    @property
    def is_probed_only(self) -> bool:
        """Whether the expected time to the first block is of probes alone."""
        return self._is_primed

    @property
    def measured_at(self) -> float:
        """Time of the last measurement of the time to first block; monotonic."""
        return self._measured_at

    def ttfb_s(self, now: float) -> float | None:
        """Return the expected time to the first block in seconds; None if never measured."""
        if self._ttfb_s is None:
            return None
        return self._ttfb_s * exp((self._measured_at - now) / DECAY_S)

    def measured(self, ttfb_s: float, now: float) -> None:
        """Record the time to a first verified block."""
        self.outruns = 0
        self._ttfbs.append(ttfb_s)
        self._take_in(ttfb_s, now)

    def _take_in(self, ttfb_s: float, now: float) -> None:
        if self._is_primed:  # by probes, which measure the network only
            self._is_primed, self._ttfb_s = False, None
        known = self.ttfb_s(now)
        if self._ttfb_s is None or known is None or ttfb_s >= known:
            self._ttfb_s = ttfb_s
        else:
            weight = exp((self._measured_at - now) / DECAY_S)
            self._ttfb_s = self._ttfb_s * weight + ttfb_s * (1 - weight)
        self._measured_at = now

    def primed(self, answered_s: float, now: float) -> None:
        """Record the latency of a probe; ignored once a block was measured.

        The fastest of several counts: load can only add to the network's latency.
        """
        if self._ttfb_s is None:
            self._is_primed, self._ttfb_s, self._measured_at = True, answered_s, now
        elif self._is_primed:  # `_measured_at` stays old, so that a request may explore it
            self._ttfb_s = min(answered_s, self._ttfb_s)

    def outrun(self, waited_s: float, now: float) -> None:
        """Record that a hedged request had no block after `waited_s`.

        Its full latency stays unknown, because such requests are cancelled when another upstream
        delivers. So each one in a row counts twice as much as the one before it.
        """
        self.outruns = min(self.outruns + 1, MAX_OUTRUNS)
        at_least_s = waited_s * 2**self.outruns
        if at_least_s > (self.ttfb_s(now) or 0.0):
            self._take_in(at_least_s, now)

    def usual_s(self) -> float | None:
        """Return the 95th percentile of the time to first block; None with too few samples."""
        if len(self._ttfbs) < MIN_SAMPLES:
            return None
        return sorted(self._ttfbs)[int(0.95 * len(self._ttfbs))]

    def succeeded(self, now: float) -> None:
        """Count a request that was answered completely."""
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
        """Count a failure; ejects the upstream, or holds it off, if the rules say so.

        Args:
            kind: of the failure.
            now: monotonic time.
            retry_after_s: the Retry-After of the answer; None without one.
            problem: the text of the error, for operators.
        """
        self.failures[kind] = self.failures.get(kind, 0) + 1
        if kind in (FailureKind.BUSY, FailureKind.TIMED_OUT):
            self._take_in(max(BUSY_TTFB_S, self.ttfb_s(now) or 0.0), now)
        if retry_after_s is not None:
            self.held_until = now + min(retry_after_s, MAX_RETRY_AFTER_S)
            self.reason, self.problem = "retry-after", problem
        if kind is FailureKind.ABSENT and not self.is_on_trial:  # on trial only a body counts
            self.succeeded(now)
        if kind in NO_FAULT:
            return
        self.consecutive += 1
        if kind is FailureKind.MISMATCH or self.consecutive >= EJECT_AFTER:
            self._eject(kind, now, problem)

    def _eject(self, kind: FailureKind, now: float, problem: str) -> None:
        if now < self.ejected_until:
            return  # requests in flight at an ejection do not count again
        self.ejections += 1
        self.ejected_until = now + min(EJECTION_S * self.ejections, MAX_EJECTION_S)
        self._ejected_at = now
        self._relapses += self.is_on_trial
        self.is_on_trial = True
        self.consecutive = EJECT_AFTER - 1  # one more failure ejects it again
        self.reason, self.problem = kind, problem
        self._is_probed = kind in PROBED

    def pardon(self, now: float) -> None:
        """Take back one failure: a CAR was cut because the upstream lacks the next block.

        Kubo has no other way to say so once a body has begun. Does nothing if no such failure is
        counted, as for a node that the cluster has announced anew.
        """
        if not self.failures.get(FailureKind.UNREACHABLE):
            return
        self.failures[FailureKind.UNREACHABLE] -= 1
        known = self.failures.get(FailureKind.INCOMPLETE, 0)
        self.failures[FailureKind.INCOMPLETE] = known + 1
        if now < self.ejected_until and self.reason == FailureKind.UNREACHABLE:
            self.ejected_until = now
            self.ejections -= 1
            self.is_on_trial = self._relapses > 0
            self._relapses = max(0, self._relapses - 1)
        if not self.is_on_trial:
            self.consecutive = 0

    def eject_probed(self, kind: FailureKind, now: float, problem: str) -> None:
        """Eject an upstream after failed probes."""
        self._eject(kind, now, problem)
        self._is_probed = self._is_probed or kind is not FailureKind.MISMATCH

    def readmit(self, now: float) -> None:
        """End an ejection early, because probes succeed; a single trial request comes next."""
        rest_s = RELAPSE_S * (2**self._relapses - 1)
        if self._is_probed and now - self._ejected_at >= rest_s:
            self.ejected_until = min(self.ejected_until, now)

    def unfit_until(self, now: float) -> float:
        """Return until when it gets no request; after an ejection, a trial request goes alone."""
        if self.is_on_trial and self.probes:
            return max(self.ejected_until, nextafter(now, inf))
        return self.ejected_until

    def state(self, now: float) -> UpstreamState:
        """Return whether it gets requests now."""
        if now < self.ejected_until:
            return UpstreamState.EJECTED
        return UpstreamState.BACKING_OFF if now < self.held_until else UpstreamState.HEALTHY
