"""Finds the cluster nodes that hold a block, before any node is made to search for it.

Kubo, Rainbow and this gateway answer a `HEAD` with `only-if-cached` from their stores, within a
round trip. All nodes are asked at once, and the cluster for the block's allocations.
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
"""Wait for further answers after the first yes, if all nodes are equally near."""
MAX_GRACE_S: Final = NOISE_S
"""Most wait for a node nearer to the client, for as long as its distance saves: a busy moment must
not send the client's request over an ocean."""

Allocated = Callable[[Cid], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True)
class Holding:
    """The nodes that hold a block, and those that do not; names of upstreams."""

    holders: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()
    """Nodes that have answered that they do not hold it."""
    is_nowhere: bool = False
    """Whether all nodes have answered so."""


NOT_ASKED: Final = Holding()


class Holders:
    """Asks cluster nodes what they hold.

    Args:
        pool: the upstreams.
        client: sends the requests.
        allocated: returns the nodes that a CID is allocated to; None without a cluster's API.
        router: finds providers beyond the configured upstreams; None without delegated routing.
        is_final: whether nodes get no requests for content that none of them holds, so that they
            never search for it.
    """

    def __init__(
        self,
        pool: UpstreamPool,
        client: TrustlessClient,
        *,
        allocated: Allocated | None = None,
        router: Router | None = None,
        is_final: bool = False,
    ) -> None:
        self._pool = pool
        self._client = client
        self._allocated = allocated
        self.router: Final = router
        self.is_final: Final = is_final

    async def find(self, cid: Cid, place: Place | None = None) -> Holding:
        """Ask the cluster nodes which of them hold a block; `NOT_ASKED` with fewer than two nodes.

        Args:
            cid: of the block.
            place: location of the client; None if unknown.
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
        if self._allocated is None:
            return ()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._allocated(cid)
        except TimeoutError:
            return ()


def _holding(said: dict[str, bool]) -> Holding:
    holders = frozenset(name for name, has in said.items() if has)
    return Holding(holders, frozenset(said) - holders)


async def _wait_for_one(
    heads: dict[asyncio.Task[bool | None], str], ways_s: Mapping[str, float]
) -> dict[str, bool]:
    """Wait for all answers, or a grace period after the first yes; return the answers by name.

    Args:
        heads: the requests, with the names of the nodes.
        ways_s: network time of each node to the client and back, in seconds.
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
    """Return the grace period: the time that the nearest node still waited for could save."""
    best_s = min(ways_s.get(name, 0.0) for name, has in said.items() if has)
    saved_s = max(best_s - ways_s.get(name, best_s) for name in waiting)
    return min(max(GRACE_S, saved_s), max(GRACE_S, MAX_GRACE_S))
