"""The pool of upstreams: their states, the choice among them, and statistics of every call."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gateway.content.block import Block
from gateway.content.cid import Cid
from gateway.errors import UpstreamError, UpstreamRefused, UpstreamSilent
from gateway.ports import Choice, Clock, Observer, Place
from gateway.settings import SelectionSettings, UpstreamSettings
from gateway.upstream.balancing.health import PROBED, UpstreamState, kind_of
from gateway.upstream.balancing.member import Member, candidate_of, row_of
from gateway.upstream.balancing.selection import Wish, choose, find_way_s, is_within
from gateway.upstream.transport.request import Step

EXPLORE_EVERY: Final = 100
"""One choice in so many goes to an upstream that is not the best, to measure it, as in Saturn's
client."""


SILENT_S: Final = 0.5  # silence after which a request to an ejected upstream is ended
MAX_ROUTED: Final = 64  # providers kept with their health, the newest ones
MAX_GONE: Final = 1024  # `cluster_records.MAX_PEERS`: as many can leave at once
DEFAULT_POLICY: Final = SelectionSettings()


class UpstreamPool:
    """The upstreams of one worker: chooses among them and tracks their health.

    Args:
        upstreams: in the order of the configuration; names are unique.
        clock: the time.
        observer: notified of requests, answers, failures and changes of state.
        policy: regions whose clients are served from inside only.
        workers: processes that share the quotas.
    """

    def __init__(
        self,
        upstreams: Sequence[UpstreamSettings],
        clock: Clock,
        observer: Observer,
        policy: SelectionSettings = DEFAULT_POLICY,
        workers: int = 1,
    ) -> None:
        self.clock = clock
        self.observer = observer
        self._policy = policy
        self._members = {upstream.name: Member(upstream, workers) for upstream in upstreams}
        self._routed: dict[str, Member] = {}
        self._gone: dict[str, Member] = {}
        """Members that left lately, for requests to them that are still in flight."""
        self._configured = tuple(self._members)
        self._choices = 0
        self._check: Callable[[str], None] = lambda _: None

    def set_discovered(self, upstreams: Sequence[UpstreamSettings]) -> None:
        """Replace the discovered upstreams; those that stay keep their state."""
        before = self._members
        discovered = {
            upstream.name: known
            if (known := before.get(upstream.name)) and known.settings == upstream
            else Member(upstream)
            for upstream in upstreams
        }
        configured = {name: before[name] for name in self._configured}
        self._members = configured | {n: m for n, m in discovered.items() if n not in configured}
        self._leave({n: m for n, m in before.items() if n not in self._members})

    def add_routed(self, upstreams: Sequence[UpstreamSettings]) -> Collection[str]:
        """Add providers from a router, which are chosen only as holders; return their names."""
        for upstream in upstreams:
            known = self._routed.pop(upstream.name, None)
            is_same = known is not None and known.settings == upstream
            self._routed[upstream.name] = known if known and is_same else Member(upstream)
        while len(self._routed) > MAX_ROUTED:
            oldest = next(iter(self._routed))
            self._leave({oldest: self._routed.pop(oldest)})
        return [upstream.name for upstream in upstreams]

    def _leave(self, members: Mapping[str, Member]) -> None:
        """Keep members that left for a while: a request may have chosen one of them."""
        self._gone |= members
        while len(self._gone) > MAX_GONE:
            del self._gone[next(iter(self._gone))]

    def choose(
        self, place: Place | None, exclude: Collection[str] = (), holders: Collection[str] = ()
    ) -> Choice | None:
        """Return the next upstream to ask, holders first; None if none is left.

        Args:
            place: location of the client; None if unknown.
            exclude: names of upstreams that were tried already.
            holders: names of upstreams that have the content.
        """
        now = self.clock.monotonic()
        members = [*self._members.values(), *(m for n, m in self._routed.items() if n in holders)]
        candidates = [candidate_of(member, now) for member in members]
        explores = False
        if not exclude:
            self._choices += 1
            explores = self._choices % EXPLORE_EVERY == 0
        wish = Wish(exclude, holders, pins=self._policy.pins, explores=explores)
        return choose(candidates, place, now, wish)

    def held(self, exclude: Collection[str] = ()) -> dict[str, float]:
        """Return the upstreams that their Retry-After holds off, with the seconds left."""
        now = self.clock.monotonic()
        return {
            name: member.health.held_until - now
            for name, member in self._members.items()
            if member.health.held_until > now and name not in exclude
        }

    def spent(self, exclude: Collection[str] = ()) -> dict[str, float]:
        """Return the upstreams whose quota is used up, with the seconds until it is not."""
        now = self.clock.monotonic()
        ready = {name: m.quota.ready_at(now) for name, m in self._members.items()}
        return {n: at - now for n, at in ready.items() if at > now and n not in exclude}

    def ask(self, choice: Choice, step: str) -> "UpstreamCall":
        """Open a call to the chosen upstream; the caller closes it."""
        member = self._get(choice.upstream)
        member.quota.take(self.clock.monotonic())
        self.observer.upstream_asked(replace(choice, upstream=member.label), step)
        call = UpstreamCall(self, member, step)
        self._tell_state(member)
        return call

    def _get(self, upstream: str) -> Member:
        """Return a member that was chosen a moment ago, even if it has left meanwhile."""
        found = self._members.get(upstream) or self._routed.get(upstream)
        return found or self._gone[upstream]

    def is_block_wise(self, upstream: str) -> bool:
        """Tell whether an upstream gets block requests only, no CAR requests, for now."""
        return self._get(upstream).block_wise_until > self.clock.monotonic()

    def go_block_wise(self, upstream: str, seconds: float) -> None:
        """Send an upstream block requests only, for some seconds."""
        if upstream in self._members:
            self._members[upstream].block_wise_until = self.clock.monotonic() + seconds

    def tier(self, upstream: str) -> str:
        """Return the tier of an upstream."""
        return self._get(upstream).settings.tier

    def is_sound(self, upstream: str) -> bool:
        """Tell whether the last request to an upstream did not fail."""
        return self._get(upstream).health.consecutive == 0

    def ways_s(self, place: Place | None) -> Mapping[str, float]:
        """Return the seconds that light needs from a client to each upstream and back."""
        now = self.clock.monotonic()
        return {n: find_way_s(candidate_of(m, now), place) for n, m in self._members.items()}

    def is_bound(self, place: Place | None) -> bool:
        """Tell whether a client's region is pinned: only upstreams inside may serve it."""
        return any(is_within(pin, place) for pin in self._policy.pins if place is not None)

    def usual_s(self, upstream: str) -> float | None:
        """Return the 95th percentile of its time to first block in seconds; None if unknown."""
        member = self._members.get(upstream)
        return None if member is None else member.health.usual_s()

    def states(self) -> list[tuple[UpstreamSettings, UpstreamState]]:
        """Return all upstreams with their states."""
        now = self.clock.monotonic()
        return [(m.settings, m.health.state(now)) for m in self._members.values()]

    def find(self, upstream: str) -> tuple[UpstreamSettings, UpstreamState] | None:
        """Return one upstream with its state; None if it is not in the pool."""
        member = self._members.get(upstream)
        if member is None:
            return None
        return member.settings, member.health.state(self.clock.monotonic())

    def asked(self) -> int:
        """Return the number of requests to all current upstreams."""
        return sum(member.health.requests for member in self._members.values())

    def unheard(self, since: float) -> list[str]:
        """Return the names of healthy public gateways in use that sent nothing after `since`."""
        now = self.clock.monotonic()
        return [
            name
            for name, member in self._members.items()
            if member.settings.tier == "public"
            and member.health.requests
            and member.heard_at <= since
            and member.health.state(now) is UpstreamState.HEALTHY
        ]

    def on_suspicion(self, check: Callable[[str], None]) -> None:
        """Set the function that `suspect` calls with an upstream's name; one at a time."""
        self._check = check

    def suspect(self, upstream: str) -> None:
        """Have an upstream checked for whether it is still up."""
        self._check(upstream)

    def prime(self, upstream: str, answered_s: float) -> None:
        """Record the latency of a probe, in seconds."""
        if upstream in self._members:
            self._members[upstream].health.primed(answered_s, self.clock.monotonic())

    def readmit(self, upstream: str) -> None:
        """End the ejection of an upstream whose probes succeed."""
        member = self._members.get(upstream)
        if member is not None:
            member.health.readmit(self.clock.monotonic())
            self._tell_state(member)

    def eject(self, upstream: str, error: UpstreamError) -> None:
        """Eject an upstream whose probes fail."""
        member = self._members.get(upstream)
        if member is not None:
            now = self.clock.monotonic()
            member.health.eject_probed(kind_of(error), now, error.reason)
            self._tell_state(member)

    def served(self, upstream: str) -> Cid | None:
        """Return a block that an upstream delivered lately; None if there is none."""
        member = self._members.get(upstream)
        return None if member is None else member.served

    def note_failure(self, member: Member, step: str, error: UpstreamError) -> None:
        """Count a failure of an upstream."""
        kind = kind_of(error)
        retry_after_s = error.retry_after_s if isinstance(error, UpstreamRefused) else None
        member.health.failed(kind, self.clock.monotonic(), retry_after_s, error.reason)
        self.observer.upstream_failed(member.label, step, kind, error.reason)
        self._tell_state(member)
        if kind in PROBED and member.told_state is UpstreamState.HEALTHY:
            self.suspect(member.settings.name)

    def pardon(self, member: Member) -> None:
        """Take in that a CAR was cut for want of a block; see `UpstreamHealth.pardon`."""
        member.health.pardon(self.clock.monotonic())
        self._tell_state(member)

    def _tell_state(self, member: Member) -> None:
        """Notify the observer if the state has changed since the last notification."""
        state = member.health.state(self.clock.monotonic())
        if state is not member.told_state:
            member.told_state = state
            if state is UpstreamState.EJECTED:
                self._end_silent(member)
            if state is UpstreamState.HEALTHY:
                self.observer.upstream_state(member.label, state, "time-is-over")
            else:
                health = member.health
                self.observer.upstream_state(member.label, state, health.reason, health.problem)

    def _end_silent(self, member: Member) -> None:
        """End the silent requests to an ejected upstream."""
        heard_before = self.clock.monotonic() - SILENT_S
        for exchange in tuple(member.requests):
            if exchange.heard_at <= heard_before and exchange.on_ejection is not None:
                name = member.settings.name
                exchange.on_ejection(UpstreamSilent(name, "sent nothing and was ejected"))

    def rows(self) -> list[dict[str, Any]]:
        """Return the state of each upstream for operators, as JSON."""
        now = self.clock.monotonic()
        total = sum(member.health.requests for member in self._members.values())
        return [row_of(member, now, total) for member in self._members.values()]


class UpstreamCall:
    """Statistics of one request to an upstream, from `UpstreamPool.ask` to `close`."""

    def __init__(self, pool: UpstreamPool, member: Member, step: str) -> None:
        self.member = member
        self.step = step
        self._pool = pool
        self._has_delivered = False
        self._has_failed = False
        self._is_outrun = False
        self.on_ejection: Callable[[UpstreamError], None] | None = None
        """Called if the upstream is ejected while the request is silent."""
        self._started = pool.clock.monotonic()
        self.heard_at = self._started
        """When the upstream last sent something; monotonic."""
        member.requests.add(self)
        self._is_probe = member.health.is_on_trial
        member.health.probes += self._is_probe
        member.health.requests += 1
        member.health.in_flight += 1

    @property
    def upstream(self) -> UpstreamSettings:
        """The upstream's settings."""
        return self.member.settings

    def received(self, size_bytes: int) -> None:
        """Count bytes of the body."""
        self.heard_at = self.member.heard_at = self._pool.clock.monotonic()
        self.member.health.received_bytes += size_bytes
        self._pool.observer.upstream_received(self.member.label, size_bytes)

    def delivered(self, block: Block | None = None) -> None:
        """Record a delivered block; the first one measures the upstream's latency.

        Success is counted by `close` only: some upstreams cut every body.
        """
        if block is not None:
            self.member.has_served(block)
        if self._has_delivered:
            return
        self._has_delivered = True
        now = self._pool.clock.monotonic()
        if self.step == Step.RECORD:  # the search for a name says nothing about blocks
            return
        self.member.health.measured(now - self._started, now)
        self._pool.observer.upstream_answered(self.member.label, self.step, now - self._started)

    def outrun(self) -> None:
        """Record that no block has come so far, as a lower bound of the latency."""
        if not self._has_delivered and not self._is_outrun:
            self._is_outrun = True
            now = self._pool.clock.monotonic()
            self.member.health.outrun(now - self._started, now)

    def failed(self, error: UpstreamError) -> None:
        """Record the error that ended the request."""
        self._has_failed = True
        self._pool.note_failure(self.member, self.step, error)

    def pardon(self) -> None:
        """Note that the upstream lacks what its CAR was cut before."""
        self._pool.pardon(self.member)

    def close(self) -> None:
        """End the call. One that was cancelled counts as a success if it delivered a block."""
        self.member.requests.discard(self)
        self.member.health.in_flight -= 1
        self.member.health.probes -= self._is_probe
        if self._has_delivered and not self._has_failed:
            self.member.health.succeeded(self._pool.clock.monotonic())
