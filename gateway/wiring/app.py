"""The composition root: builds the parts of one worker from its settings and connects them."""

import asyncio
from collections.abc import Callable
from functools import partial

from gateway.background import Background, Work
from gateway.cache.control import Control
from gateway.cache.disk.scrub import BackgroundScrub
from gateway.cache.shared.tier import SharedTier
from gateway.cache.tiered_store import TieredStore
from gateway.client_table import ClientTable
from gateway.guard.addresses import TrustedProxies
from gateway.guard.admission import AdmissionControl
from gateway.guard.connections import ConnectionLimit
from gateway.guard.denylist import Denylist
from gateway.ops.clock import SystemClock
from gateway.ops.descriptors import room_for_connections
from gateway.ops.events import LoggedStatistics
from gateway.ops.geo import GeoDatabase
from gateway.ops.logs import Logs, configure
from gateway.ops.overview import WorkerSnapshot
from gateway.ops.record import RequestRecord
from gateway.ops.statistics import Statistics
from gateway.ops.worker import take_snapshot
from gateway.pipeline import Pages, Pipeline
from gateway.ports import Clock
from gateway.settings import LimitsSettings, Settings
from gateway.upkeep.orders import Upkeep
from gateway.web.app import ContentEndpoint, create_content_app
from gateway.web.clients import Clients
from gateway.web.hot.body_builder import Filler
from gateway.web.hot.hot_connection import protocol_with
from gateway.web.hot.recorder import HotRecorder, expire_hosts
from gateway.web.hot.responder import HotPath
from gateway.web.hot.table import FILES_SHARE_OF_MEMORY, SHARE_OF_MEMORY, HotTable
from gateway.web.pages.document import PreviewPage
from gateway.web.pages.listing import ListingPage
from gateway.web.routing import Router
from gateway.wiring.names import NamesRoom
from gateway.wiring.upstreams import UpstreamsRoom


class RequestLog:
    """Counts and logs requests; implements `gateway.web.observer.RequestObserver`."""

    def __init__(self, statistics: Statistics, logs: Logs) -> None:
        self.request_started = statistics.request_started
        self._count = statistics.request_finished
        self._count_more = statistics.requests_repeated
        self._write = logs.access.write
        self.line_writer = logs.access.repeater

    def request_finished(self, record: RequestRecord) -> None:
        """Count and log a finished request."""
        self._count(record)
        self._write(record)

    def counter(self, record: RequestRecord) -> Callable[[int], None]:
        """Return a function that counts further requests equal to `record`."""
        return partial(self._count_more, record)


class Gateway:
    """All parts of a gateway in one process; implements `gateway.processes.service.Service`."""

    def __init__(
        self,
        settings: Settings,
        table: ClientTable,
        store: TieredStore,
        statistics: Statistics,
        logs: Logs,
    ) -> None:
        clock = SystemClock()
        self._store = store
        self._clock = clock
        self._statistics = statistics
        self._logs = logs
        self._started = clock.now()
        self._upstreams = UpstreamsRoom(settings, store, clock, statistics)
        lists, is_strict = settings.denylist.files, settings.denylist.incomplete == "refuse"
        self._denylist = Denylist(lists, clock, is_strict=is_strict) if lists else None
        pool, hosts = self._upstreams.pool, self._upstreams.hosts
        self._names = NamesRoom(settings, pool, clock, self._denylist, hosts)
        self._keeper = Control(store, clock)
        self._upkeep = Upkeep(store, self._keeper, self._upstreams.retrieval, clock, self._denylist)
        self.obey = self._upkeep.obey
        rate = settings.cache.scrub_rate
        self._scrub = BackgroundScrub(store.disk, rate) if store.disk and rate else None
        self._background = Background(clock)
        self._tasks: list[asyncio.Task[None]] = []
        server = settings.server
        clients = Clients(
            TrustedProxies.parse(server.trusted_proxies),
            GeoDatabase(settings.geoip.database, clock),
        )
        admission = AdmissionControl(settings.limits, server.max_concurrent_requests, clock, table)
        self._counts = admission.share(settings.shared)
        memory = settings.cache.memory_size
        files_size = memory // FILES_SHARE_OF_MEMORY
        answers = HotTable(memory // SHARE_OF_MEMORY, files_size, store.lend)
        requests = RequestLog(statistics, logs)
        hot = HotPath(answers, admission, clients, requests, clock)
        names, pages = self._names.resolver, Pages(ListingPage(), PreviewPage())
        pipeline = Pipeline(self._upstreams.retrieval, store, names, pages, self._denylist)
        router = Router(clients, settings.hosts, names)
        self._filler = Filler(pipeline, files_size)
        store.on_purge(answers.clear)
        keep = HotRecorder(answers, self._filler).keep
        endpoint = ContentEndpoint(router, pipeline, admission, requests, clock, keep)
        endpoint.tells_choices = settings.selection.debug_header
        self.app = create_content_app(endpoint)
        connections = _limit_connections(settings.limits, clients, clock)
        self.http_protocol: type[asyncio.Protocol] = protocol_with(hot, connections)
        self._answers = answers

    async def start(self) -> None:
        """Start all background work: health checks, pins, reloads, scrubbing."""
        background = self._background
        self._upstreams.start(background)
        self._upkeep.start(background)
        if self._store.shared is not None:
            self._store.shared.start(background, self._keeper.follow_purge)
        behind: dict[str, Work] = {"hosts": partial(expire_hosts, self._answers, self._clock)}
        if self._scrub is not None:
            behind["scrub"] = self._scrub.run
        if self._counts is not None:
            behind["counts"] = self._counts.run
        if self._denylist is not None:
            behind["denylist"] = partial(self._denylist.follow, self._answers.clear)
        self._tasks = [background.keep(name, work) for name, work in behind.items()]

    def snapshot(self) -> WorkerSnapshot:
        """Return the counters and states of this worker."""
        self._answers.heads.settle()
        health = self._store.health()
        snapshot = take_snapshot(
            self._statistics,
            (self._store.stats(), (health.status, health.reason)),
            self._upstreams.pool.rows(),
            self._started,
            self._clock.now(),
            self._upstreams.cluster_condition(),
        )
        snapshot["tasks"] = self._background.rows()
        if self._denylist is not None:
            snapshot["denylist"] = self._denylist.state()
        return snapshot

    async def close(self) -> None:
        """End fetches and connections; write the cache index and the log."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._counts is not None:
            await self._counts.close()
        await self._upkeep.close()
        self._keeper.close()
        await self._filler.close()
        await self._names.close()
        await self._upstreams.close()
        await self._store.close()
        self._logs.flush()


def _limit_connections(settings: LimitsSettings, clients: Clients, clock: Clock) -> ConnectionLimit:
    return ConnectionLimit(settings.connections, room_for_connections(), clients.trusted, clock)


async def build(settings: Settings, clients: ClientTable) -> Gateway:
    """Build a gateway and open its cache; the `ServiceFactory` of production.

    Args:
        settings: the whole configuration.
        clients: the table in which all workers count clients.

    Raises:
        BadSetting: the GeoIP database, a trusted proxy's network, a static DNSLink or a denylist
            cannot be read.
    """
    logs = configure(settings.log)
    clock = SystemClock()
    statistics = LoggedStatistics(clock, with_choices=settings.log.access != "json")
    shared = SharedTier.of(settings.shared, clock, statistics)
    store = await TieredStore.open(settings.cache, clock, statistics, shared)
    try:
        return Gateway(settings, clients, store, statistics, logs)
    except BaseException:
        await store.close()
        raise
