"""Who holds a block, asked before anybody is made to search for it.

A `HEAD` with `only-if-cached` is answered by Kubo, by Rainbow and by this gateway from what they
have, within a round trip. All nodes of the cluster are asked at once, and the cluster itself, who
is to hold it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from gateway.content.cid import Cid
from gateway.errors import UpstreamError
from gateway.settings import UpstreamSettings
from gateway.upstream.client import TrustlessClient
from gateway.upstream.health import UpstreamState
from gateway.upstream.pool import UpstreamPool
from gateway.upstream.routing import Router

TIMEOUT_S: Final = 0.5  # ten round trips between two cities of a continent
GRACE_S: Final = 0.003
"""How long the others are waited for when one has it: a nearer one may have it, too."""

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


class Presence:
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

    async def find(self, cid: Cid) -> Holding:
        """Find out which cluster nodes hold a block; nobody is asked when there are not two."""
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
            said = await _wait_for_one(heads)
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


async def _wait_for_one(heads: dict[asyncio.Task[bool | None], str]) -> dict[str, bool]:
    """Wait until one has it and a moment longer, or all have said something; return what."""
    said: dict[str, bool] = {}
    waiting = set(heads)
    while waiting:
        timeout = GRACE_S if any(said.values()) else None
        done, waiting = await asyncio.wait(
            waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            break
        said |= {heads[task]: has for task in done if (has := task.result()) is not None}
    return said
