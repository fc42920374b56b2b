"""Builds the parts that resolve names, from the settings."""

from dataclasses import replace
from typing import Final

from gateway.naming.dns import (
    Do53Nameserver,
    HttpsNameserver,
    Nameserver,
    TxtResolver,
    system_nameservers,
)
from gateway.naming.dnslink import Dnslinks
from gateway.naming.ipns import Keys
from gateway.naming.resolver import Names
from gateway.naming.shared import SharedRecords
from gateway.ports import Clock, Denials
from gateway.settings import Settings, parse_dns_server
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.upstream.records import UpstreamRecords
from gateway.upstream.transport.client import SYSTEM, Hosts, TrustlessClient
from gateway.upstream.transport.doh import DohClient

FIRST_BYTE_S: Final = 30.0  # Kubo searches the DHT before its first byte; its own retrieval timeout


class NamesRoom:
    """The name resolver of one worker, with connections of its own.

    Args:
        settings: the whole configuration.
        pool: the upstreams, shared with the retrieval of blocks.
        clock: the time.
        denials: checked for each name; None for no denylist.
        hosts: resolve the hosts of upstreams.

    Raises:
        BadSetting: an entry of the static DNSLink map is malformed.
    """

    def __init__(
        self,
        settings: Settings,
        pool: UpstreamPool,
        clock: Clock,
        denials: Denials | None = None,
        hosts: Hosts = SYSTEM,
    ) -> None:
        patience = max(FIRST_BYTE_S, settings.retrieval.first_byte_timeout)
        self._client = TrustlessClient(
            replace(settings.retrieval, first_byte_timeout=patience), clock, hosts=hosts
        )
        self._hosts = hosts
        self._doh: DohClient | None = None
        shared = SharedRecords(settings.shared, clock) if settings.shared.redis else None
        txts = TxtResolver(self._open_nameservers(settings.names.resolver, clock))
        self.resolver = Names(
            Keys(UpstreamRecords(pool, self._client), shared, clock),
            Dnslinks(settings.names, txts, clock),
            clock,
            denials,
        )

    def _open_nameservers(self, resolver: str, clock: Clock) -> list[str | Nameserver]:
        if resolver == "system":
            return system_nameservers()
        if "://" not in resolver:
            server = parse_dns_server(resolver)
            return [Do53Nameserver(server.host, server.port)]
        self._doh = DohClient(resolver, clock, self._hosts)
        return [HttpsNameserver(self._doh)]

    async def close(self) -> None:
        """End searches and close connections."""
        await self.resolver.close()
        await self._client.close()
        if self._doh is not None:
            await self._doh.close()
