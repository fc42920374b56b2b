"""Who holds a block, asked before anybody is made to search for it.

A `HEAD` with `only-if-cached` is answered by Kubo, by Rainbow and by this gateway from what they
have, within a round trip. All nodes of the cluster are asked at once, and the cluster itself, who
is to hold it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.content.cid import Cid
from gateway.errors import UpstreamError
from gateway.ports import Place
from gateway.settings import UpstreamSettings
from gateway.upstream.balancing.delegated_routing import Router
from gateway.upstream.balancing.health import UpstreamState
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.upstream.balancing.selection import NOISE_S
from gateway.upstream.transport.client import TrustlessClient

TIMEOUT_S: Final = 0.5  # ten round trips between two cities of a continent
GRACE_S: Final = 0.003
"""How long the others are waited for when one has it: it may be all the same which."""
MAX_GRACE_S: Final = NOISE_S
"""How long one that is nearer to the client is waited for, as far as its way is shorter: what a
busy moment adds to an answer must not send the client over an ocean."""

Allocated = Callable[[Cid], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True)
class Holding:
    """Who has a block, as far as it was found out."""

    holders: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()
    """Those that said that they do not hold it."""
    is_nowhere: bool = False
    """All nodes were asked, and all said so."""


NOT_ASKED: Final = Holding()


class Holders:
    """Asks cluster nodes what they hold.

    Args:
        pool: the upstreams.
        client: how they are spoken to.
    """

    def __init__(self, pool: UpstreamPool, client: TrustlessClient) -> None:
        self._pool = pool
        self._client = client
        self.allocated: Allocated | None = None
        """Who is to hold a CID, as the cluster says; None without one."""
        self.router: Router | None = None
        """Knows strangers who have something; None for nobody."""
        self.is_final = False
        """Whether nodes are not asked for what none of them holds: they shall not search."""

    async def find(self, cid: Cid, place: Place | None = None) -> Holding:
        """Find out which cluster nodes hold a block; nobody is asked when there are not two.

        Args:
            cid: of the block.
            place: where the client is.
        """
        nodes = [
            upstream
            for upstream, state in self._pool.states()
            if upstream.tier == "cluster" and state is UpstreamState.HEALTHY
        ]
        if len(nodes) < 2:
            return NOT_ASKED
        heads = {asyncio.create_task(self._ask(node, cid)): node.name for node in nodes}
        allocated = asyncio.create_task(self._ask_cluster(cid))
        try:
            said = await _wait_for_one(heads, self._pool.ways_s(place))
            if any(said.values()):
                return _holding(said)
            if holders := await allocated:
                return Holding(frozenset(holders))
            return Holding(lacking=frozenset(said), is_nowhere=len(said) == len(nodes))
        finally:
            for task in (*heads, allocated):
                task.cancel()

    async def _ask(self, node: UpstreamSettings, cid: Cid) -> bool | None:
        try:
            return await self._client.has(node, cid, TIMEOUT_S)
        except UpstreamError:
            return None

    async def _ask_cluster(self, cid: Cid) -> Collection[str]:
        if self.allocated is None:
            return ()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self.allocated(cid)
        except TimeoutError:
            return ()


def _holding(said: dict[str, bool]) -> Holding:
    holders = frozenset(name for name, has in said.items() if has)
    return Holding(holders, frozenset(said) - holders)


async def _wait_for_one(
    heads: dict[asyncio.Task[bool | None], str], ways_s: Mapping[str, float]
) -> dict[str, bool]:
    """Wait until one has it and a moment longer, or all have said something; return what.

    Args:
        heads: who is asked.
        ways_s: of each, to the client and back.
    """
    said: dict[str, bool] = {}
    waiting = set(heads)
    loop = asyncio.get_running_loop()
    found_at: float | None = None
    while waiting:
        timeout = None
        if found_at is not None:
            grace_s = _grace_s(said, [heads[task] for task in waiting], ways_s)
            timeout = max(0.0, found_at + grace_s - loop.time())
        done, waiting = await asyncio.wait(
            waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            break
        said |= {heads[task]: has for task in done if (has := task.result()) is not None}
        if found_at is None and any(said.values()):
            found_at = loop.time()
    return said


def _grace_s(said: dict[str, bool], waiting: Sequence[str], ways_s: Mapping[str, float]) -> float:
    """Return how long to wait when some have it: as long as the way of a nearer one is shorter."""
    best_s = min(ways_s.get(name, 0.0) for name, has in said.items() if has)
    saved_s = max(best_s - ways_s.get(name, best_s) for name in waiting)
    return min(max(GRACE_S, saved_s), max(GRACE_S, MAX_GRACE_S))
