"""All upstreams with what is known of them, and the books of every request to one."""

from collections.abc import Collection, Sequence
from typing import Any

from gateway.errors import UpstreamError, UpstreamRefused
from gateway.ports import Choice, Clock, Observer, Place
from gateway.settings import UpstreamSettings
from gateway.upstream.health import Health, UpstreamState, kind_of
from gateway.upstream.request import Step
from gateway.upstream.selection import Candidate, choose


class Member:
    """One upstream: its settings, its health, and whether it answers CAR requests."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self.settings = settings
        self.health = Health()
        self.block_wise_until = 0.0
        """Monotonic time; before it, it is asked for blocks only: its CARs were of no use."""
        self.told_state = UpstreamState.HEALTHY


class UpstreamPool:
    """Chooses upstreams and remembers how they did.

    Args:
        upstreams: in the order of the configuration; names are unique.
        clock: the time.
        observer: told about requests, answers, failures and states.
    """

    def __init__(
        self, upstreams: Sequence[UpstreamSettings], clock: Clock, observer: Observer
    ) -> None:
        self.clock = clock
        self.observer = observer
        self._members = {upstream.name: Member(upstream) for upstream in upstreams}

    def choose(self, place: Place | None, exclude: Collection[str] = ()) -> Choice | None:
        """Choose whom to ask next; None when nobody is left."""
        now = self.clock.monotonic()
        candidates = [_candidate(member, now) for member in self._members.values()]
        return choose(candidates, place, now, exclude)

    def held(self, exclude: Collection[str] = ()) -> dict[str, float]:
        """Return who is not asked because of its Retry-After, and the seconds that are left."""
        now = self.clock.monotonic()
        return {
            name: member.health.held_until - now
            for name, member in self._members.items()
            if member.health.held_until > now and name not in exclude
        }

    def ask(self, choice: Choice, step: str) -> "Exchange":
        """Open the books for a request to the upstream chosen."""
        self.observer.upstream_asked(choice, step)
        exchange = Exchange(self, self._members[choice.upstream], step)
        self._tell_state(exchange.member)
        return exchange

    def tier(self, upstream: str) -> str:
        """Return the tier of an upstream."""
        return self._members[upstream].settings.tier

    def is_block_wise(self, upstream: str) -> bool:
        """Tell whether CARs are not asked of it for now."""
        return self._members[upstream].block_wise_until > self.clock.monotonic()

    def go_block_wise(self, upstream: str, seconds: float) -> None:
        """Ask it for blocks only, for some time."""
        self._members[upstream].block_wise_until = self.clock.monotonic() + seconds

    def note_failure(self, member: Member, step: str, error: UpstreamError) -> None:
        """Count a failure of an upstream."""
        kind = kind_of(error)
        retry_after_s = error.retry_after_s if isinstance(error, UpstreamRefused) else None
        member.health.failed(kind, self.clock.monotonic(), retry_after_s)
        self.observer.upstream_failed(error.upstream, step, kind, error.reason)
        self._tell_state(member)

    def _tell_state(self, member: Member) -> None:
        """Tell the observer when the state is another than it was told."""
        state = member.health.state(self.clock.monotonic())
        if state is not member.told_state:
            member.told_state = state
            reason = "time-is-over" if state is UpstreamState.HEALTHY else member.health.reason
            self.observer.upstream_state(member.settings.name, state, reason)

    def rows(self) -> list[dict[str, Any]]:
        """Return one JSON-able row for each upstream, for operators."""
        now = self.clock.monotonic()
        total = sum(member.health.requests for member in self._members.values())
        return [_row(member, now, total) for member in self._members.values()]


class Exchange:
    """The books of one request to an upstream, from `UpstreamPool.ask` to `close`."""

    def __init__(self, pool: UpstreamPool, member: Member, step: str) -> None:
        self.member = member
        self.step = step
        self._pool = pool
        self._has_delivered = False
        self._has_failed = False
        self._started = pool.clock.monotonic()
        self._is_probe = member.health.is_on_probation
        member.health.probes += self._is_probe
        member.health.requests += 1
        member.health.in_flight += 1

    @property
    def upstream(self) -> UpstreamSettings:
        """Whom it is with."""
        return self.member.settings

    def received(self, size_bytes: int) -> None:
        """Count bytes of the body."""
        self.member.health.received_bytes += size_bytes
        self._pool.observer.upstream_received(self.upstream.name, size_bytes)

    def delivered(self) -> None:
        """Count what was wanted; the first block tells how fast the upstream is."""
        if self._has_delivered:
            return
        self._has_delivered = True
        now = self._pool.clock.monotonic()
        if self._is_probe:
            self.member.health.succeeded(now)
        if self.step == Step.RECORD:  # the search for a name says nothing about blocks
            return
        self.member.health.measured(now - self._started, now)
        self._pool.observer.upstream_answered(self.upstream.name, self.step, now - self._started)

    def failed(self, error: UpstreamError) -> None:
        """Note why it was of no use, or of no more use."""
        self._has_failed = True
        self._pool.note_failure(self.member, self.step, error)

    def close(self) -> None:
        """Close the books. A request that was ended early counts if it brought something."""
        self.member.health.in_flight -= 1
        self.member.health.probes -= self._is_probe
        if self._has_delivered and not self._has_failed:
            self.member.health.succeeded(self._pool.clock.monotonic())


def _candidate(member: Member, now: float) -> Candidate:
    settings, health = member.settings, member.health
    return Candidate(
        settings.name,
        settings.tier,
        settings.country,
        settings.latitude,
        settings.longitude,
        health.ttfb_s(now),
        health.in_flight,
        health.unfit_until(now),
        health.held_until,
    )


def _row(member: Member, now: float, total: int) -> dict[str, Any]:
    settings, health = member.settings, member.health
    state = health.state(now)
    ttfb_s = health.ttfb_s(now)
    return {
        "name": settings.name,
        "url": settings.url,
        "tier": settings.tier,
        "country": settings.country,
        "state": state.value,
        "reason": "" if state is UpstreamState.HEALTHY else health.reason,
        "ttfb_ms": None if ttfb_s is None else round(ttfb_s * 1000, 3),
        "in_flight": health.in_flight,
        "requests": health.requests,
        "failures": {kind.value: count for kind, count in health.failures.items()},
        "share": round(health.requests / total, 4) if total else 0.0,
        "bytes": health.received_bytes,
    }
