"""The operator's IPFS Cluster: which nodes there are, and who is to hold what.

The list of peers is asked for every few seconds: nodes come and go without a restart. While the
API does not answer, what it said last stays true.
"""

import asyncio
import ssl
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver

from gateway.background import Background
from gateway.content.cid import Cid
from gateway.errors import BadSetting, UpstreamError
from gateway.ports import Clock
from gateway.regular_file import open_regular
from gateway.settings import ClusterSettings, UpstreamSettings, is_name
from gateway.upstream.balancing.cluster_records import ClusterPeer, parse_allocations, parse_peers
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.upstream.transport.api import ApiClient

POLL_S: Final = 5.0
GONE_AFTER_S: Final = 30.0  # a peer that restarts is not in the list for a moment
MAX_AUTHORITY_BYTES: Final = 16 * 1024 * 1024  # all that browsers believe are a quarter of one MiB
NAME: Final = "cluster"  # of the API in errors


class ClusterCondition(NamedTuple):
    """How the cluster is, as operators know it."""

    status: str
    """`healthy`, `degraded` or `unhealthy`."""
    reason: str


class Cluster:
    """Keeps the pool's list of nodes, and knows who is to hold a CID.

    Args:
        settings: where the API is.
        pool: the upstreams; nodes that are found are added.
        clock: the time.
        hosts: who knows the API's address; None for the system.

    Raises:
        BadSetting: `cluster.authority` cannot be read.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        pool: UpstreamPool,
        clock: Clock,
        hosts: AbstractResolver | None = None,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._clock = clock
        credentials = (settings.user, settings.password)
        trust = _trust(settings.authority)
        self._api = ApiClient(NAME, settings.api, credentials, trust, hosts)
        self._configured = tuple(upstream for upstream, _ in pool.states())
        self._peers: dict[str, ClusterPeer] = {}
        self._seen_at: dict[str, float] = {}
        self._names: dict[str, str] = {}
        """Names of upstreams by ids of cluster peers."""
        self._error = "not asked yet"
        self._task: asyncio.Task[None] | None = None

    def start(self, background: Background) -> None:
        """Begin to follow the cluster."""
        self._task = background.keep("cluster", self._run)

    async def _run(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(POLL_S)

    async def refresh(self) -> None:
        """Ask who is there, once."""
        try:
            data = await self._api.get("/peers")
        except UpstreamError as error:
            self._error = error.reason
            return
        now = self._clock.monotonic()
        self._error = ""
        for peer in parse_peers(data or b""):
            self._peers[peer.id] = peer
            self._seen_at[peer.id] = now
        for identity, seen_at in tuple(self._seen_at.items()):
            if now - seen_at >= GONE_AFTER_S:
                del self._seen_at[identity], self._peers[identity]
        nodes = match_peers(self._configured, tuple(self._peers.values()), self._settings)
        self._names = nodes.names
        self._pool.set_discovered(nodes.discovered)

    async def allocated(self, cid: Cid) -> Collection[str]:
        """Return the upstreams that are to hold a CID; none when all are, or nobody knows."""
        try:
            data = await self._api.get(f"/allocations/{cid}")
        except UpstreamError:
            return ()
        peers = parse_allocations(data or b"")
        return frozenset(self._names[peer] for peer in peers if peer in self._names)

    def condition(self) -> ClusterCondition:
        """Tell how the cluster is."""
        now = self._clock.monotonic()
        if self._error:
            status = "degraded" if self._peers else "unhealthy"
            return ClusterCondition(status, f"the API of the cluster {self._error}")
        ill = [
            f"{peer.name} ({peer.error or 'gone'})"
            for peer in self._peers.values()
            if peer.error or now - self._seen_at[peer.id] > 2 * POLL_S
        ]
        count = len(self._peers)
        if not ill:
            return ClusterCondition("healthy", f"{count} peers in the cluster")
        status = "unhealthy" if len(ill) == count else "degraded"
        return ClusterCondition(
            status, f"{len(ill)} of {count} peers are not well: {', '.join(ill)}"
        )

    async def close(self) -> None:
        """End all requests to it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._api.close()


def _trust(authority: str) -> ssl.SSLContext | None:
    if not authority:
        return None
    try:
        path = Path(authority).expanduser()
        with open_regular(path, MAX_AUTHORITY_BYTES):  # OpenSSL reads whatever stands there
            return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as exc:
        raise BadSetting("cluster.authority", f"{authority}: {exc.strerror or exc}") from exc


class Nodes(NamedTuple):
    """Peers as upstreams."""

    discovered: list[UpstreamSettings]
    """Those that the configuration does not have."""
    names: dict[str, str]
    """Names of upstreams, configured ones too, by ids of cluster peers."""


def match_peers(
    configured: Sequence[UpstreamSettings], peers: Sequence[ClusterPeer], settings: ClusterSettings
) -> Nodes:
    """Find the upstream of each peer: one of the configuration, or a new one. Pure."""
    nodes = Nodes([], {})
    taken = {upstream.name for upstream in configured}
    for peer in sorted(peers, key=lambda peer: (peer.name, peer.id)):
        known = _find_configured(configured, peer, settings.gateway_port)
        if known is not None:
            nodes.names[peer.id] = known.name
        elif settings.gateway_port and peer.hosts and not peer.error:
            name = _name_of(peer, taken)
            url = f"http://{peer.hosts[0]}:{settings.gateway_port}"
            taken.add(name)
            nodes.names[peer.id] = name
            nodes.discovered.append(UpstreamSettings(name=name, url=url, tier="cluster"))
    return nodes


def _name_of(peer: ClusterPeer, taken: Collection[str]) -> str:
    """Return what the upstream of a peer is called; no two are called the same."""
    called = (peer.name, peer.id[-12:], peer.id)
    free = (name for name in called if is_name(name) and name not in taken)
    return next(free, peer.id)  # ids are unique, but an operator may have taken one for a name


def _find_configured(
    configured: Sequence[UpstreamSettings], peer: ClusterPeer, port: int
) -> UpstreamSettings | None:
    for upstream in configured:
        if (upstream.peer or upstream.name) in peer.names:
            return upstream
    for upstream in configured:
        parts = urlsplit(upstream.url)
        is_same_port = (parts.port or 80) == port
        if (
            not upstream.peer
            and is_same_port
            and parts.hostname in {h.strip("[]") for h in peer.hosts}
        ):
            return upstream
    return None
