"""An Observer that remembers what it was told."""

from collections import Counter
from dataclasses import dataclass, field

from gateway.ports import Choice, MissReason, Observer, Rejection, Tier


@dataclass(slots=True)
class RecordingObserver:
    """Counts what happened to blocks; what upstreams did is kept as tuples, in order."""

    found: Counter[Tier] = field(default_factory=Counter)
    missed: int = 0
    miss_reasons: Counter[MissReason] = field(default_factory=Counter)
    verified_bytes: int = 0
    rejected: Counter[tuple[Rejection, str]] = field(default_factory=Counter)
    evicted: Counter[tuple[Tier, str]] = field(default_factory=Counter)
    evicted_bytes: int = 0
    problems: list[str] = field(default_factory=list)
    """What was told of each state of an upstream."""
    upstream: list[tuple[object, ...]] = field(default_factory=list)

    def block_found(self, tier: Tier, size_bytes: int) -> None:
        self.found[tier] += 1

    def block_missed(self, reason: MissReason) -> None:
        self.missed += 1
        self.miss_reasons[reason] += 1

    def block_verified(self, size_bytes: int) -> None:
        self.verified_bytes += size_bytes

    def block_rejected(self, reason: Rejection, source: str) -> None:
        self.rejected[reason, source] += 1

    def block_evicted(self, tier: Tier, reason: str, size_bytes: int) -> None:
        self.evicted[tier, reason] += 1
        self.evicted_bytes += size_bytes

    def upstream_asked(self, choice: Choice, step: str) -> None:
        self.upstream.append(("asked", choice, step))

    def upstream_answered(self, upstream: str, step: str, ttfb_s: float) -> None:
        self.upstream.append(("answered", upstream, step, ttfb_s))

    def upstream_received(self, upstream: str, size_bytes: int) -> None:
        self.upstream.append(("received", upstream, size_bytes))

    def upstream_failed(self, upstream: str, step: str, kind: str, reason: str) -> None:
        self.upstream.append(("failed", upstream, step, kind, reason))

    def upstream_state(self, upstream: str, state: str, reason: str, problem: str = "") -> None:
        self.upstream.append(("state", upstream, state, reason))
        self.problems.append(problem)


_: Observer = RecordingObserver()  # mypy proves the fake still fits the port
