"""The interface between a process and the gateway that it runs.

A worker process loads the gateway's factory by its name, `package.module:function`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any, Protocol, cast

from gateway.client_table import ClientTable
from gateway.ops.overview import WorkerSnapshot
from gateway.settings import Settings

CLOSE_TIMEOUT_S = 5.0  # closing writes an index at most, which can be rebuilt

_log = logging.getLogger("gateway.service")


class Service(Protocol):
    """All parts of a gateway in one process. Production: `gateway.wiring.app.Gateway`."""

    @property
    def app(self) -> Any:
        """The ASGI application of the content listener."""
        ...

    @property
    def http_protocol(self) -> type[asyncio.Protocol]:
        """The connection protocol of the content listener."""
        ...

    def snapshot(self) -> WorkerSnapshot:
        """Return the counters and states of this process, as JSON values."""
        ...

    async def obey(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out an operator's order; JSON in and out (`gateway.upkeep.orders`)."""
        ...

    async def start(self) -> None:
        """Start all background work; called once before the first request."""
        ...

    async def close(self) -> None:
        """Write and release everything; also called after `start` has failed."""
        ...


ServiceFactory = Callable[[Settings, ClientTable], Awaitable[Service]]
"""Makes a service; called with the settings and the table in which all workers count clients."""


def load(name: str) -> Any:
    """Import and return the object that `package.module:function` names."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


def load_factory(name: str) -> ServiceFactory:
    """Import and return the service factory that `package.module:function` names."""
    return cast("ServiceFactory", load(name))


async def open_service(
    stack: AsyncExitStack,
    factory: str,
    settings: Settings,
    clients: ClientTable,
    close_timeout_s: float = CLOSE_TIMEOUT_S,
) -> Service:
    """Build and start the service; the stack closes it."""
    service = await load_factory(factory)(settings, clients)
    stack.push_async_callback(_close, service, close_timeout_s)
    await service.start()
    return service


async def _close(service: Service, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await service.close()
    except TimeoutError:
        _log.warning("closing took longer than %.0f s", timeout_s)
