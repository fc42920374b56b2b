"""DNS over HTTPS: https://www.rfc-editor.org/rfc/rfc8484. The messages are read elsewhere."""

from base64 import urlsafe_b64encode
from typing import Final
from urllib.parse import urlsplit

from typing_extensions import override

from gateway.ports import Clock, DnsOverHttps
from gateway.settings import RetrievalSettings, UpstreamSettings
from gateway.upstream.transport.client import SYSTEM, Hosts, TrustlessClient
from gateway.upstream.transport.request import Step

NAME: Final = "resolver"  # in errors
TIMEOUT_S: Final = 5.0  # of the first byte, and of each pause; dnspython's default for one query


class DohClient(DnsOverHttps):
    """Asks one resolver, over connections of its own.

    Args:
        url: of the service, as `https://dns.example/dns-query`.
        clock: the time.
        hosts: who knows the service's address.
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
        """Send a message as GET, which caches on the way understand; see `ports.DnsOverHttps`."""
        text = urlsafe_b64encode(query).rstrip(b"=").decode()
        target = f"{self._path}?{self._query}dns={text}"
        return await self._client.fetch(
            self._server, "the name", target, Step.DNS, lambda _size: None
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()
