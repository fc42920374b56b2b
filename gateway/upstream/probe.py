"""Small requests that find out whether an upstream is there.

The CID `bafkqaaa` holds its own (empty) content, so every gateway answers it at once, whatever it
searches for besides: silence says that the upstream is gone, not that content is hard to find.
Two answers in a row that contradict what is believed change it.
"""

import asyncio
from typing import Final

from gateway.errors import BlockAbsent, UpstreamError
from gateway.ports import Clock
from gateway.settings import UpstreamSettings
from gateway.upstream.client import TrustlessClient
from gateway.upstream.health import UpstreamState
from gateway.upstream.pool import UpstreamPool

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


class Prober:
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

    def start(self) -> None:
        """Begin to probe on time."""
        self._ticks = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(TICK_S)

    def tick(self) -> None:
        """Start the probes that are due."""
        now = self._clock.monotonic()
        states = self._pool.states()
        nodes = sum(upstream.tier == "cluster" for upstream, _ in states)
        for upstream, state in states:
            every_s = _every_s(upstream, state, nodes)
            if every_s is not None and now >= self._next_at.get(upstream.name, 0.0):
                self._next_at[upstream.name] = now + every_s
                self.suspect(upstream.name)
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
                self.suspect(name)

    def suspect(self, name: str) -> None:
        """Find out whether an upstream is there, unless that is under way."""
        if name not in self._checks:
            task = self._checks[name] = asyncio.create_task(self.check(name))
            task.add_done_callback(lambda _: self._checks.pop(name, None))

    async def check(self, name: str) -> None:
        """Probe an upstream, twice if the first answer is not the one that is expected."""
        found = self._pool.find(name)
        if found is None:
            return
        upstream, state = found
        changes = self._is_back if state is UpstreamState.EJECTED else self._is_gone
        # Requests may have found out the same meanwhile: then nothing is left to be changed.
        if await changes(upstream) and self._pool.find(name) == found:
            self._pool.contradict(name)

    async def _is_back(self, upstream: UpstreamSettings) -> bool:
        return await self._is_there(upstream) and await self._is_there(upstream)

    async def _is_gone(self, upstream: UpstreamSettings) -> bool:
        """Tell whether two probes fail; the second one does not wait for the end of the first."""
        first = asyncio.create_task(self._is_there(upstream))
        try:
            await asyncio.wait((first,), timeout=self._timeout_s(upstream.name) / 2)
            if first.done() and first.result():
                return False
            return not await self._is_there(upstream) and not await first
        finally:
            first.cancel()

    async def _is_there(self, upstream: UpstreamSettings) -> bool:
        started = self._clock.monotonic()
        try:
            await self._client.probe(upstream, self._timeout_s(upstream.name))
        except BlockAbsent:  # odd, but somebody speaks
            return True
        except UpstreamError:
            return False
        self._pool.prime(upstream.name, self._clock.monotonic() - started)
        return True

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
