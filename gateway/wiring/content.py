"""Builds the parts that answer clients' requests for content, from the settings."""

import asyncio
from typing import NamedTuple

from gateway.cache.tiered_store import TieredStore
from gateway.client_table import ClientTable
from gateway.guard.addresses import TrustedProxies
from gateway.guard.admission import AdmissionControl
from gateway.guard.connections import ConnectionLimit
from gateway.ops.descriptors import room_for_connections
from gateway.ops.geo import GeoDatabase
from gateway.pipeline import Pages, Pipeline
from gateway.ports import Clock, Denials, NameResolver, Retriever
from gateway.settings import Settings
from gateway.web.app import ContentEndpoint, create_content_app
from gateway.web.clients import Clients
from gateway.web.hot.body_builder import Filler
from gateway.web.hot.hot_connection import protocol_with
from gateway.web.hot.recorder import HotRecorder
from gateway.web.hot.responder import HotPath
from gateway.web.hot.table import FILES_SHARE_OF_MEMORY, SHARE_OF_MEMORY, HotTable
from gateway.web.observer import RequestObserver
from gateway.web.pages.document import PreviewPage
from gateway.web.pages.listing import ListingPage
from gateway.web.routing import Router


class Sources(NamedTuple):
    """Where content comes from, and what of it is not served."""

    store: TieredStore
    retrieval: Retriever
    names: NameResolver
    denials: Denials | None


class ContentRoom:
    """The content listener's application and connection protocol, and the parts behind them.

    Args:
        settings: the whole configuration.
        sources: blocks, names and the denylist.
        clock: the time.
        table: the table in which all workers count clients.
        requests: counts and logs requests.

    Raises:
        BadSetting: the GeoIP database or a trusted proxy's network cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        sources: Sources,
        clock: Clock,
        table: ClientTable,
        requests: RequestObserver,
    ) -> None:
        store, retrieval, names, denials = sources
        clients = Clients(
            TrustedProxies.parse(settings.server.trusted_proxies),
            GeoDatabase(settings.geoip.database, clock),
        )
        most = settings.server.max_concurrent_requests
        admission = AdmissionControl(settings.limits, most, clock, table)
        self.counts = admission.share(settings.shared)
        memory = settings.cache.memory_size
        files_size = memory // FILES_SHARE_OF_MEMORY
        self.answers = HotTable(memory // SHARE_OF_MEMORY, files_size, store.lend)
        store.on_purge(self.answers.clear)
        pipeline = Pipeline(retrieval, store, names, Pages(ListingPage(), PreviewPage()), denials)
        router = Router(clients, settings.hosts, names)
        self._filler = Filler(pipeline, files_size)
        keep = HotRecorder(self.answers, self._filler).keep
        endpoint = ContentEndpoint(router, pipeline, admission, requests, clock, keep)
        endpoint.tells_choices = settings.selection.debug_header
        self.app = create_content_app(endpoint)
        hot = HotPath(self.answers, admission, clients, requests, clock)
        room = room_for_connections()
        connections = ConnectionLimit(settings.limits.connections, room, clients.trusted, clock)
        self.http_protocol: type[asyncio.Protocol] = protocol_with(hot, connections)

    async def close(self) -> None:
        """End the work on hot bodies, and the exchange of counts."""
        if self.counts is not None:
            await self.counts.close()
        await self._filler.close()
