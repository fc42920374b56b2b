"""A DNS-over-HTTPS client (https://www.rfc-editor.org/rfc/rfc8484); does not parse messages."""

from base64 import urlsafe_b64encode
from typing import Final
from urllib.parse import urlsplit

from typing_extensions import override

from gateway.ports import Clock, DnsOverHttps
from gateway.settings import RetrievalSettings, UpstreamSettings
from gateway.upstream.transport.client import SYSTEM, Hosts, TrustlessClient
from gateway.upstream.transport.request import Step

NAME: Final = "resolver"  # in errors
TIMEOUT_S: Final = 5.0  # for the first byte, and for each pause; dnspython's default for a query


class DohClient(DnsOverHttps):
    """A client of one DNS-over-HTTPS server, with connections of its own.

    Args:
        url: of the server, such as `https://dns.example/dns-query`.
        clock: the time.
        hosts: resolve the server's host.
    """

    def __init__(self, url: str, clock: Clock, hosts: Hosts = SYSTEM) -> None:
        parts = urlsplit(url)
        self._server = UpstreamSettings(name=NAME, url=f"{parts.scheme}://{parts.netloc}")
        self._path = parts.path or "/"
        self._query = f"{parts.query}&" if parts.query else ""
        self._client = TrustlessClient(
            RetrievalSettings(first_byte_timeout=TIMEOUT_S, idle_timeout=TIMEOUT_S),
            clock,
            hosts=hosts,
        )

    @override
    async def exchange(self, query: bytes) -> bytes:
        """Send a message as GET, which HTTP caches understand; see `ports.DnsOverHttps`."""
        text = urlsafe_b64encode(query).rstrip(b"=").decode()
        target = f"{self._path}?{self._query}dns={text}"
        return await self._client.fetch(
            self._server, "the name", target, Step.DNS, lambda _size: None
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()
