"""An HTTP server on one listener: uvicorn, started and drained from here.

uvicorn provides the connection protocol and the ASGI cycle. Signals, logging, limits and the order
of a shutdown are handled here, because several listeners share a process.
"""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.processes.listeners import BACKLOG, Listener

GRACE_S = 10  # for requests in flight to end; Kubernetes kills after 30
KEEP_ALIVE_S = 75  # longer than nginx's keepalive_timeout for upstreams, 60 s: nginx closes first


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()
        self.servers: list[asyncio.Server] = []  # uvicorn sets it only once it has started

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()


class Serving:
    """A running server of one application on one listener; made by `start`."""

    def __init__(self, server: _Server, listener: Listener) -> None:
        self._server = server
        self._listener = listener
        self._task = asyncio.create_task(server.serve([listener.socket]))

    @classmethod
    async def start(
        cls,
        app: Any,
        listener: Listener,
        http_protocol: type[asyncio.Protocol] = HttpToolsProtocol,
        grace_s: int = GRACE_S,
    ) -> "Serving":
        """Start a server; returns once it accepts connections.

        Args:
            app: an ASGI application.
            listener: closed when the server ends.
            http_protocol: the connection protocol, `HttpToolsProtocol` or a subclass.
            grace_s: seconds that `drain` waits for requests in flight.
        """
        config = uvicorn.Config(
            app,
            http=http_protocol,
            ws="none",
            loop="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=grace_s,
        )
        server = _Server(config)
        serving = cls(server, listener)
        accepting = asyncio.create_task(server.accepting.wait())
        await asyncio.wait((accepting, serving._task), return_when=asyncio.FIRST_COMPLETED)
        if serving._task.done():
            accepting.cancel()
            serving._task.result()
        return serving

    async def ended(self) -> None:
        """Wait for the end of the server; before `drain`, only an error ends it."""
        await asyncio.wait((self._task,))

    async def drain(self) -> None:
        """Stop accepting, wait for requests in flight up to the grace period, then abort them."""
        self._server.should_exit = True
        await self._task
        self.cut()

    def cut(self) -> None:
        """End now: abort all connections, so that clients see unfinished bodies as cut."""
        self._task.cancel()
        for server in self._server.servers:
            server.close()  # uvloop never ends while one is open
        for connection in list(self._server.server_state.connections):
            transport = cast("asyncio.Transport | None", connection.transport)
            if transport is not None:
                transport.abort()
        self._listener.close()
