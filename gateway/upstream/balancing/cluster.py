"""A client of the operator's IPFS Cluster: its nodes, and the allocations of CIDs to them.

The list of peers is polled every few seconds, so nodes come and go without a restart. While the API
does not answer, its last list stays in use.
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
GONE_AFTER_S: Final = 30.0  # a restarting peer is missing from the list for a moment
MAX_AUTHORITY_BYTES: Final = 16 * 1024 * 1024  # all certificates that browsers trust have 256 KiB
NAME: Final = "cluster"  # of the API, in errors


class ClusterCondition(NamedTuple):
    """The state of the cluster, for operators."""

    status: str
    """`healthy`, `degraded` or `unhealthy`."""
    reason: str


class Cluster:
    """Adds the nodes of a cluster to the pool, and looks up allocations.

    Args:
        settings: address and credentials of the API.
        pool: the upstreams; discovered nodes are added to it.
        clock: the time.
        hosts: resolves the API's host; None for the system's resolver.

    Raises:
        BadSetting: the file `cluster.authority` cannot be read.
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
        self._error = "was not asked yet"
        self._task: asyncio.Task[None] | None = None

    def start(self, background: Background) -> None:
        """Start to poll the list of peers."""
        self._task = background.keep("cluster", self._run)

    async def _run(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(POLL_S)

    async def refresh(self) -> None:
        """Fetch the list of peers once and update the pool."""
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
        """Return the names of the upstreams that a CID is allocated to.

        Empty if it is allocated to all nodes, or if the API does not answer.
        """
        try:
            data = await self._api.get(f"/allocations/{cid}")
        except UpstreamError:
            return ()
        peers = parse_allocations(data or b"")
        return frozenset(self._names[peer] for peer in peers if peer in self._names)

    def condition(self) -> ClusterCondition:
        """Return the state of the cluster."""
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
            status, f"{len(ill)} of {count} peers have problems: {', '.join(ill)}"
        )

    async def close(self) -> None:
        """End the poll and close connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._api.close()


def _trust(authority: str) -> ssl.SSLContext | None:
    if not authority:
        return None
    try:
        path = Path(authority).expanduser()
        with open_regular(path, MAX_AUTHORITY_BYTES):  # checks the file, which OpenSSL does not
            return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as exc:
        raise BadSetting("cluster.authority", f"{authority}: {exc.strerror or exc}") from exc


class Nodes(NamedTuple):
    """The peers of a cluster as upstreams."""

    discovered: list[UpstreamSettings]
    """Upstreams for peers that the configuration does not name."""
    names: dict[str, str]
    """Names of upstreams, configured ones too, by ids of cluster peers."""


def match_peers(
    configured: Sequence[UpstreamSettings], peers: Sequence[ClusterPeer], settings: ClusterSettings
) -> Nodes:
    """Match each peer to an upstream: a configured one, or a new one. Pure."""
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
    """Return a unique name for the upstream of a peer; `taken` has those in use."""
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
