"""Builds the parts that fetch from upstreams, from the settings."""

from gateway.background import Background
from gateway.naming.hosts import DnsHosts, SystemHosts
from gateway.net.address_cache import KeptHosts
from gateway.net.public_address import is_public
from gateway.ports import BlockStore, Clock, Observer
from gateway.settings import PUBLIC_UPSTREAMS, Settings
from gateway.upstream.balancing.cluster import Cluster, ClusterCondition
from gateway.upstream.balancing.delegated_routing import Router, is_any
from gateway.upstream.balancing.health_check import HealthCheck
from gateway.upstream.balancing.holders import Holders
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.upstream.retrieval.fetch import FetchContext
from gateway.upstream.retrieval.session import Retrieval
from gateway.upstream.transport.client import Hosts, TrustlessClient


class UpstreamsRoom:
    """All parts between one worker and its upstreams.

    Args:
        settings: the whole configuration.
        store: the block cache.
        clock: the time.
        observer: notified of blocks and upstream events.
    """

    def __init__(
        self, settings: Settings, store: BlockStore, clock: Clock, observer: Observer
    ) -> None:
        upstreams, workers = settings.upstreams or PUBLIC_UPSTREAMS, settings.server.workers
        self.pool = UpstreamPool(upstreams, clock, observer, settings.selection, workers)
        may_be = is_any if settings.routing.allow_private else is_public
        ours = KeptHosts(SystemHosts(), clock)
        self.hosts = Hosts(ours, KeptHosts(DnsHosts(), clock))
        self._client = TrustlessClient(settings.retrieval, clock, may_be, self.hosts)
        self._health_check = HealthCheck(self.pool, self._client, clock)
        self._cluster: Cluster | None = None
        if settings.cluster.api:
            self._cluster = Cluster(settings.cluster, self.pool, clock, ours)
        self._router: Router | None = None
        if settings.routing.url:
            self._router = Router(settings.routing, self.pool, clock, ours)
        holders = Holders(
            self.pool,
            self._client,
            allocated=None if self._cluster is None else self._cluster.allocated,
            router=self._router,
            is_final=not settings.cluster.search,
        )
        context = FetchContext(store, self.pool, self._client, observer, clock, holders)
        self.retrieval = Retrieval(context, settings.retrieval)

    def start(self, background: Background) -> None:
        """Start the health checks, and the poll of the cluster if there is one."""
        self._health_check.start(background)
        if self._cluster is not None:
            self._cluster.start(background)

    def cluster_condition(self) -> ClusterCondition | None:
        """Return the state of the cluster; None without one."""
        return None if self._cluster is None else self._cluster.condition()

    async def close(self) -> None:
        """End fetches and health checks; close connections."""
        await self._health_check.close()
        if self._cluster is not None:
            await self._cluster.close()
        if self._router is not None:
            await self._router.close()
        await self.retrieval.close()
        await self._client.close()
        for hosts in self.hosts:
            if hosts is not None:
                await hosts.close()
