"""Delegated routing: finds providers of content that no configured upstream has.

Providers are untrusted. Each is used for that one root only, after all other upstreams, with a low
concurrency, and over connections to addresses of the public internet only.
"""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver

from gateway.content.cid import Cid
from gateway.errors import UpstreamError
from gateway.net.public_address import is_public
from gateway.ports import Clock
from gateway.settings import RoutingSettings, UpstreamSettings
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.upstream.balancing.quota import Quota
from gateway.upstream.balancing.routing_records import Provider, parse_providers
from gateway.upstream.transport.api import ApiClient

NAME: Final = "router"  # in errors
MAX_ASKED: Final = 4  # providers used for one root; any one of them has all of it
CONCURRENCY: Final = 8  # concurrent requests to one provider


class Router:
    """A client of a delegated router; adds the providers that it finds to the pool.

    Args:
        settings: address and rate limit of the router.
        pool: the upstreams; providers are added to it.
        clock: the time.
        hosts: resolves the router's host; None for the system's resolver.
    """

    def __init__(
        self,
        settings: RoutingSettings,
        pool: UpstreamPool,
        clock: Clock,
        hosts: AbstractResolver | None = None,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._may_be = is_any if settings.allow_private else is_public
        self._api = ApiClient(NAME, settings.url, resolver=hosts)
        self._quota = Quota(
            UpstreamSettings(name=NAME, url=settings.url, requests=settings.requests)
        )

    async def find(self, cid: Cid) -> Collection[str]:
        """Return the names of upstreams that have a block according to the router.

        Empty if it knows none, does not answer, or its rate limit is used up.
        """
        now = self._clock.monotonic()
        if self._quota.ready_at(now) > now:
            return ()
        self._quota.take(now)
        try:
            accept = "application/x-ndjson, application/json"
            data = await self._api.get(f"/routing/v1/providers/{cid}", accept)
        except UpstreamError:
            return ()
        upstreams = [made for one in parse_providers(data or b"") if (made := self._make(one))]
        return self._pool.add_routed(upstreams[:MAX_ASKED])

    def _make(self, provider: Provider) -> UpstreamSettings | None:
        """Return an upstream for a provider; None if none of its addresses is allowed."""
        for url in provider.urls:
            host = urlsplit(url).hostname or ""
            if is_name(host) or self._may_be(host):
                return UpstreamSettings(
                    name=f"provider-{provider.id[-8:]}",
                    url=url,
                    tier="routed",
                    concurrency=CONCURRENCY,
                )
        return None

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()


def is_any(_address: str) -> bool:
    """Allow every address."""
    return True


def is_name(host: str) -> bool:
    """Tell whether a host is a name; its addresses are checked once it is resolved."""
    return ":" not in host and not host.replace(".", "").isdigit()
