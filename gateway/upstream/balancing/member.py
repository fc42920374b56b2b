"""One upstream of the pool: settings, health, quota, and requests in flight."""

from collections.abc import Callable
from math import inf
from typing import Any, Final, Protocol

from gateway.content.block import Block
from gateway.content.cid import Cid
from gateway.errors import UpstreamError
from gateway.settings import UpstreamSettings
from gateway.upstream.balancing.health import UpstreamHealth, UpstreamState
from gateway.upstream.balancing.quota import Quota
from gateway.upstream.balancing.selection import Candidate

MIN_PROBE_BYTES: Final = 32  # a smaller body cannot be cut in half
MAX_PROBE_BYTES: Final = 64 * 1024  # 5 ms at 100 Mbit/s; more only where nothing smaller was served


class Request(Protocol):
    """A request in flight. Production: `gateway.upstream.balancing.pool.UpstreamCall`."""

    heard_at: float
    on_ejection: Callable[[UpstreamError], None] | None


class Member:
    """One upstream and its state in this process.

    Args:
        settings: of the upstream.
        workers: processes that share its quota.
    """

    def __init__(self, settings: UpstreamSettings, workers: int = 1) -> None:
        self.settings = settings
        self.health = UpstreamHealth()
        self.quota = Quota(settings, workers)
        self.block_wise_until = 0.0
        """Until then (monotonic) it gets block requests only, after useless CARs."""
        self.told_state = UpstreamState.HEALTHY
        self.heard_at = -inf
        """When it last sent something; monotonic."""
        self.requests: set[Request] = set()
        """Requests in flight."""
        self.served: Cid | None = None
        """A block that it delivered lately, a small one if possible; probes request it."""
        self._served_bytes = 0

    def has_served(self, block: Block) -> None:
        """Record a delivered block, as a candidate for probes."""
        size = len(block.data)
        is_usable = size >= MIN_PROBE_BYTES and not block.cid.is_identity
        if is_usable and (size <= MAX_PROBE_BYTES or not 0 < self._served_bytes < size):
            self.served, self._served_bytes = block.cid, size

    @property
    def label(self) -> str:
        """Its name in metrics; all providers from a router share one."""
        return self.settings.tier if self.settings.tier == "routed" else self.settings.name


def candidate_of(member: Member, now: float) -> Candidate:
    """Return the facts about a member that the selection uses."""
    settings, health = member.settings, member.health
    return Candidate(
        settings.name,
        settings.tier,
        settings.country,
        settings.latitude,
        settings.longitude,
        settings.continent,
        health.ttfb_s(now),
        health.measured_at,
        health.in_flight,
        settings.concurrency,
        health.unfit_until(now),
        max(health.held_until, member.quota.ready_at(now)),
        health.is_probed_only,
    )


def row_of(member: Member, now: float, total: int) -> dict[str, Any]:
    """Return a member's state for operators, as JSON.

    Args:
        member: the upstream.
        now: monotonic time.
        total: number of requests to all upstreams, for its share.
    """
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
        "problem": "" if state is UpstreamState.HEALTHY else health.problem,
        "ttfb_ms": None if ttfb_s is None else round(ttfb_s * 1000, 3),
        "in_flight": health.in_flight,
        "requests": health.requests,
        "failures": {kind.value: count for kind, count in health.failures.items()},
        "share": round(health.requests / total, 4) if total else 0.0,
        "bytes": health.received_bytes,
        "budget_left": member.quota.left(now),
    }
