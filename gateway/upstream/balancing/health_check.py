"""Small requests that find out whether an upstream is there.

The CID `bafkqaaa` holds its own (empty) content, so every gateway answers it at once, whatever it
searches for besides: silence says that the upstream is gone, not that content is hard to find.
There is no body to it. So who is suspected, or was ejected, is asked for a block as well that it
has served before: a head without its body is a fault, an absence is none.
Two answers in a row that contradict what is believed change it.
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
"""Of a cluster node: one that is not asked at the moment is known to be gone within 2 s, too. Its
recovery is seen after twice this at most."""
MAX_PROBES_PER_S: Final = 20.0  # of one worker to a large cluster, whose nodes wait longer
PUBLIC_EVERY_S: Final = 15.0  # of a public gateway while it is ejected: it is metered
UNHEARD_S: Final = 0.5
"""A public gateway in use from which nothing came for so long is probed, when there is credit."""
PROBE_SHARE: Final = 0.02  # of such probes in all requests: public gateways are metered
MAX_CREDIT: Final = 3.0
MIN_TIMEOUT_S: Final = 0.75
"""One and a half of these and the time until somebody is suspected are below 2 s. 300 ms of round
trip take it on a new connection, but such upstreams have `USUAL_FACTOR` times what they are known
for."""
MAX_TIMEOUT_S: Final = 3.0  # also while nothing is known: name, TCP, TLS and answer, over an ocean
USUAL_FACTOR: Final = 4.0


class HealthCheck:
    """Probes upstreams now and then, and those at once that are suspected to be gone.

    Args:
        pool: the upstreams; told what was found.
        client: how they are spoken to.
        clock: when the next probe is due.
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
        pool.on_suspicion = self.suspect

    def start(self, background: Background) -> None:
        """Begin to probe on time."""
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
        """Look after those that nobody asks at the moment, as far as there is credit for it."""
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
        """Find out whether an upstream is there and sends bodies, unless that is under way."""
        self._begin(name, with_body=True)

    def _begin(self, name: str, *, with_body: bool) -> None:
        if name not in self._checks:
            check = self.check(name, with_body=with_body)
            task = self._checks[name] = asyncio.create_task(check)
            task.add_done_callback(lambda _: self._checks.pop(name, None))

    async def check(self, name: str, *, with_body: bool = True) -> None:
        """Probe an upstream, twice if the first answer is not the one that is expected.

        Args:
            name: of the upstream.
            with_body: ask for a block that it has served, too, though it is healthy.
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
        # Requests may have found out the same meanwhile: then nothing is left to be changed.
        if fault is not None and self._pool.find(name) == found:
            self._pool.eject(name, fault)

    async def _lasting_fault(
        self, upstream: UpstreamSettings, *, with_body: bool
    ) -> UpstreamError | None:
        """Return why two probes failed; the second one does not wait for the end of the first."""
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
        """Return what is wrong with an upstream; None when it is there and sends bodies."""
        started, timeout_s = self._clock.monotonic(), self._timeout_s(upstream.name)
        try:
            await self._client.probe(upstream, timeout_s)
            self._pool.prime(upstream.name, self._clock.monotonic() - started)
            served = self._pool.served(upstream.name)
            if with_body and served is not None:
                await self._client.probe_body(upstream, served, timeout_s)
        except BlockAbsent:  # odd, but somebody speaks
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
    """Return how often an upstream is probed, of so many cluster nodes; None for never."""
    if upstream.tier == "cluster":
        return max(EVERY_S, nodes / MAX_PROBES_PER_S)
    return PUBLIC_EVERY_S if state is UpstreamState.EJECTED else None
