"""One listener with an application on it: uvicorn, started and drained by us.

uvicorn brings the connection protocol and the ASGI cycle. Signals, logging, limits and the
order of a shutdown are ours, because several listeners share a process.
"""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.processes.listeners import BACKLOG, Listener

GRACE_S = 10  # what is in flight has so long to end; Kubernetes kills after 30
KEEP_ALIVE_S = 75  # longer than the 60 s of nginx's keepalive_timeout for upstreams: nginx closes


class _Server(uvicorn.Server):
    """uvicorn's server without its hands on the process."""

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
    """An application on a listener, accepting connections; made by `start`."""

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
        """Accept connections.

        Args:
            app: an ASGI application.
            listener: closed when the serving ends.
            http_protocol: the connection protocol, `HttpToolsProtocol` or a subclass.
            grace_s: how long `drain` waits for requests in flight.
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
        """Wait until it accepts no more; only an error ends it before `drain`."""
        await asyncio.wait((self._task,))

    async def drain(self) -> None:
        """Stop accepting, let requests in flight end within the grace, then cut them."""
        self._server.should_exit = True
        await self._task
        self.cut()

    def cut(self) -> None:
        """End everything now: cut bodies are visibly cut."""
        self._task.cancel()
        for server in self._server.servers:
            server.close()  # uvloop never ends while one is open
        for connection in list(self._server.server_state.connections):
            transport = cast("asyncio.Transport | None", connection.transport)
            if transport is not None:
                transport.abort()
        self._listener.close()
