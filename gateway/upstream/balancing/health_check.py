"""Active health checks of upstreams.

The CID `bafkqaaa` holds its own (empty) content, so every gateway answers it at once, without a
search: silence means that the upstream is down, not that content is hard to find. Such an answer
has no body. So a suspected or ejected upstream is also asked for a block that it has served before:
a head without its body is a fault, an absence is not.
Two probes in a row that contradict the current state change it.
"""

import asyncio
from typing import Final

from gateway.background import Background
from gateway.errors import BlockAbsent, UpstreamError
from gateway.ports import Clock
from gateway.settings import UpstreamSettings
from gateway.upstream.balancing.health import UpstreamState
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.upstream.transport.client import TrustlessClient

TICK_S: Final = 0.25
EVERY_S: Final = 0.75
"""Interval for a cluster node: the outage of an idle one is noticed within 2 s, its recovery after
two intervals at most."""
MAX_PROBES_PER_S: Final = 20.0  # of one worker to all nodes; beyond it, their intervals grow
PUBLIC_EVERY_S: Final = 15.0  # interval for an ejected public gateway, which counts requests
UNHEARD_S: Final = 0.5
"""A public gateway in use that has sent nothing for so long is probed, if there is credit."""
PROBE_SHARE: Final = 0.02  # credit per request: public gateways count requests
MAX_CREDIT: Final = 3.0
MIN_TIMEOUT_S: Final = 0.75
"""One and a half timeouts and the time until a suspicion are below 2 s. A new connection over a
round trip of 300 ms needs more, but such upstreams get `USUAL_FACTOR` times their usual latency."""
MAX_TIMEOUT_S: Final = 3.0  # also the default: name, TCP, TLS and answer, over an ocean
USUAL_FACTOR: Final = 4.0


class HealthCheck:
    """Probes upstreams at intervals, and suspected ones at once.

    Args:
        pool: the upstreams; gets the results.
        client: sends the probes.
        clock: the time.
    """

    def __init__(self, pool: UpstreamPool, client: TrustlessClient, clock: Clock) -> None:
        self._pool = pool
        self._client = client
        self._clock = clock
        self._next_at: dict[str, float] = {}
        self._credit = 0.0
        self._asked = 0
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._ticks: asyncio.Task[None] | None = None
        pool.on_suspicion(self.suspect)

    def start(self, background: Background) -> None:
        """Start the probes at intervals."""
        self._ticks = background.keep("probes", self._run)

    async def _run(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(TICK_S)

    def tick(self) -> None:
        """Start the probes that are due."""
        now = self._clock.monotonic()
        states = self._pool.states()
        names = {upstream.name for upstream, _ in states}
        self._next_at = {name: at for name, at in self._next_at.items() if name in names}
        nodes = sum(upstream.tier == "cluster" for upstream, _ in states)
        for upstream, state in states:
            every_s = _every_s(upstream, state, nodes)
            if every_s is not None and now >= self._next_at.get(upstream.name, 0.0):
                self._next_at[upstream.name] = now + every_s
                self._begin(upstream.name, with_body=False)
        self._probe_unheard(now)

    def _probe_unheard(self, now: float) -> None:
        """Probe silent public gateways, within the credit."""
        asked = self._pool.asked()
        earned = max(0, asked - self._asked) * PROBE_SHARE
        self._credit = min(self._credit + earned, MAX_CREDIT)
        self._asked = asked
        for name in self._pool.unheard(now - UNHEARD_S):
            if self._credit >= 1 and now >= self._next_at.get(name, 0.0):
                self._credit -= 1
                self._next_at[name] = now + UNHEARD_S
                self._begin(name, with_body=False)

    def suspect(self, name: str) -> None:
        """Check an upstream now, with a body, unless a check of it is in flight."""
        self._begin(name, with_body=True)

    def _begin(self, name: str, *, with_body: bool) -> None:
        if name not in self._checks:
            check = self.check(name, with_body=with_body)
            task = self._checks[name] = asyncio.create_task(check)
            task.add_done_callback(lambda _: self._checks.pop(name, None))

    async def check(self, name: str, *, with_body: bool = True) -> None:
        """Probe an upstream, twice if the first result contradicts its state, and update the pool.

        Args:
            name: of the upstream.
            with_body: whether a healthy upstream is also asked for a block that it has served.
        """
        found = self._pool.find(name)
        if found is None:
            return
        upstream, state = found
        if state is UpstreamState.EJECTED:
            is_back = not await self._fault(upstream) and not await self._fault(upstream)
            if is_back and self._pool.find(name) == found:
                self._pool.readmit(name)
            return
        fault = await self._lasting_fault(upstream, with_body=with_body)
        # Requests may have changed its state meanwhile: then nothing is left to do.
        if fault is not None and self._pool.find(name) == found:
            self._pool.eject(name, fault)

    async def _lasting_fault(
        self, upstream: UpstreamSettings, *, with_body: bool
    ) -> UpstreamError | None:
        """Return the error if two probes fail; the second starts before the first times out."""
        first = asyncio.create_task(self._fault(upstream, with_body=with_body))
        try:
            await asyncio.wait((first,), timeout=self._timeout_s(upstream.name) / 2)
            if first.done() and first.result() is None:
                return None
            second = await self._fault(upstream, with_body=with_body)
            return second and await first
        finally:
            first.cancel()

    async def _fault(
        self, upstream: UpstreamSettings, *, with_body: bool = True
    ) -> UpstreamError | None:
        """Return the error of a probe; None if the upstream answers and sends bodies."""
        started, timeout_s = self._clock.monotonic(), self._timeout_s(upstream.name)
        try:
            await self._client.probe(upstream, timeout_s)
            self._pool.prime(upstream.name, self._clock.monotonic() - started)
            served = self._pool.served(upstream.name)
            if with_body and served is not None:
                await self._client.probe_body(upstream, served, timeout_s)
        except BlockAbsent:  # odd, but an answer
            return None
        except UpstreamError as error:
            return error
        return None

    def _timeout_s(self, name: str) -> float:
        usual_s = self._pool.usual_s(name)
        if usual_s is None:
            return MAX_TIMEOUT_S
        return min(max(MIN_TIMEOUT_S, USUAL_FACTOR * usual_s), MAX_TIMEOUT_S)

    async def close(self) -> None:
        """End all probes."""
        tasks = [*self._checks.values(), *([self._ticks] if self._ticks else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _every_s(upstream: UpstreamSettings, state: UpstreamState, nodes: int) -> float | None:
    """Return the interval of an upstream's probes, given the number of nodes; None for never."""
    if upstream.tier == "cluster":
        return max(EVERY_S, nodes / MAX_PROBES_PER_S)
    return PUBLIC_EVERY_S if state is UpstreamState.EJECTED else None
