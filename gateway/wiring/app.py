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
from gateway.guard.denylist import Denylist
from gateway.ops.clock import SystemClock
from gateway.ops.events import LoggedStatistics
from gateway.ops.logs import Logs, configure
from gateway.ops.overview import WorkerSnapshot
from gateway.ops.record import RequestRecord
from gateway.ops.statistics import Statistics
from gateway.ops.worker import take_snapshot
from gateway.settings import Settings
from gateway.upkeep.orders import Upkeep
from gateway.web.hot.recorder import expire_hosts
from gateway.wiring.content import ContentRoom, Sources
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
        sources = Sources(store, self._upstreams.retrieval, self._names.resolver, self._denylist)
        requests = RequestLog(statistics, logs)
        self._content = ContentRoom(settings, sources, clock, table, requests)
        self.app = self._content.app
        self.http_protocol = self._content.http_protocol

    async def start(self) -> None:
        """Start all background work: health checks, pins, reloads, scrubbing."""
        background = self._background
        self._upstreams.start(background)
        self._upkeep.start(background)
        if self._store.shared is not None:
            self._store.shared.start(background, self._keeper.follow_purge)
        answers, counts = self._content.answers, self._content.counts
        behind: dict[str, Work] = {"hosts": partial(expire_hosts, answers, self._clock)}
        if self._scrub is not None:
            behind["scrub"] = self._scrub.run
        if counts is not None:
            behind["counts"] = counts.run
        if self._denylist is not None:
            behind["denylist"] = partial(self._denylist.follow, answers.clear)
        self._tasks = [background.keep(name, work) for name, work in behind.items()]

    def snapshot(self) -> WorkerSnapshot:
        """Return the counters and states of this worker."""
        self._content.answers.heads.settle()
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
        await self._upkeep.close()
        self._keeper.close()
        await self._content.close()
        await self._names.close()
        await self._upstreams.close()
        await self._store.close()
        self._logs.flush()


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
