"""Trustless gateways over HTTP, and DNS over HTTPS; the one file that knows aiohttp.

An answer is bytes from a stranger: nothing is followed, decompressed or remembered, everything
has a limit in bytes and in time, and every failure leaves as one of our own errors. What the bytes
are worth is decided by whoever hashes them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.tracing import Trace
from typing_extensions import override
from yarl import URL

from gateway.content.cid import Cid
from gateway.errors import UpstreamError, UpstreamRefused, UpstreamSilent, UpstreamUnreachable
from gateway.ports import Clock
from gateway.settings import RetrievalSettings, UpstreamSettings
from gateway.upstream.request import (
    HEADERS,
    MAX_BYTES,
    CarPlan,
    Step,
    car_target,
    check_head,
    raw_target,
)

CONNECT_TIMEOUT_S: Final = 5.0  # name, TCP and TLS; boxo's httpnet dials as long
MAX_CONNECTIONS: Final = 256  # to one upstream; more requests wait for their turn
KEEPALIVE_S: Final = 30.0  # idle connections; below the 75 s of nginx and the 60 s of Go proxies
READ_BUFFER_BYTES: Final = 256 * 1024
MAX_LINE_BYTES: Final = 8 * 1024  # status line, and one header field
MAX_HEADER_FIELDS: Final = 100  # HAProxy and Envoy take 101 and 100
MAX_INTERIM_ANSWERS: Final = 8  # 1xx before the answer
MIN_WINDOW_BYTES: Final = 10 * 1024
"""What has to come in each `idle_timeout` spent waiting: 1 KiB/s by default, or it is a drip."""
END_WAIT_S: Final = 0.2
"""How long the end of a body is waited for when all that was wanted has come: a connection that
can be used again saves two to six round trips."""


class TrustlessClient:
    """Asks trustless gateways for blocks, CARs and IPNS records; verifies nothing."""

    def __init__(self, settings: RetrievalSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def fetch_raw(
        self, upstream: UpstreamSettings, cid: Cid, received: Callable[[int], None]
    ) -> bytes:
        """Fetch one block, unverified; `received` is told the size of each piece.

        Raises:
            UpstreamError: any but BlockMismatch and those of CARs.
        """
        return await self.fetch(upstream, cid, raw_target(cid), Step.RAW, received)

    async def fetch(
        self,
        upstream: UpstreamSettings,
        what: object,
        target: str,
        step: Step,
        received: Callable[[int], None],
    ) -> bytes:
        """Fetch a small body, unverified.

        Args:
            upstream: whom to ask.
            what: what is asked for, in the words of an error.
            target: path and query of the request.
            step: how it is asked for; one of those in `MAX_BYTES`.
            received: told the size of each piece.

        Raises:
            UpstreamError: any but BlockMismatch and those of CARs.
        """
        async with self._open(upstream, what, target, step) as body:
            pieces: list[bytes] = []
            size = 0
            while piece := await body.read():
                received(len(piece))
                size += len(piece)
                if size > MAX_BYTES[step]:
                    raise UpstreamRefused(upstream.name, f"sent a {step} of too many bytes", 200)
                pieces.append(piece)
            return b"".join(pieces)

    @asynccontextmanager
    async def open_car(self, upstream: UpstreamSettings, plan: CarPlan) -> AsyncIterator["Body"]:
        """Ask for a CAR. The connection is closed at the end unless the body was read to its end.

        Raises:
            UpstreamError: also from `Body.read`.
        """
        async with self._open(upstream, plan.base, car_target(plan), Step.CAR) as body:
            yield body

    @asynccontextmanager
    async def _open(
        self, upstream: UpstreamSettings, what: object, target: str, step: Step
    ) -> AsyncIterator["Body"]:
        async with self._turn(upstream.name):
            first_byte_at = _loop_time() + self._settings.first_byte_timeout
            url = URL(upstream.url + target, encoded=True)
            response = await self._request(upstream.name, url, step, first_byte_at)
            try:
                now = self._clock.now()
                check_head(upstream.name, what, step, response.status, response.headers, now)
                yield Body(upstream.name, response, first_byte_at, self._settings)
            finally:
                response.release()  # closes the connection when there is something left to read

    def _turn(self, name: str) -> asyncio.Semaphore:
        """Return what bounds the connections to an upstream.

        Not the connector's limit: the time in its queue would look like a slow upstream.
        """
        return self._turns.setdefault(name, asyncio.Semaphore(MAX_CONNECTIONS))

    async def _request(
        self, name: str, url: URL, step: Step, first_byte_at: float
    ) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout_at(first_byte_at):
                return await self._get_session().get(
                    url, headers=HEADERS[step], allow_redirects=False
                )
        except (aiohttp.ClientError, OSError) as error:
            raise _translate(name, error, self._settings.first_byte_timeout) from error

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connect_s = min(CONNECT_TIMEOUT_S, self._settings.first_byte_timeout)
            self._session = aiohttp.ClientSession(
                connector=_Connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=connect_s),
                auto_decompress=False,
                trust_env=False,
                read_bufsize=READ_BUFFER_BYTES,
                max_line_size=MAX_LINE_BYTES,
                max_field_size=MAX_LINE_BYTES,
                max_headers=MAX_HEADER_FIELDS,
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Body:
    """The body of an answer, read under a minimum rate.

    The rate counts only the time that is spent waiting for the upstream: a reader may take as long
    as it likes between two reads.
    """

    def __init__(
        self,
        upstream: str,
        response: aiohttp.ClientResponse,
        first_byte_at: float,
        settings: RetrievalSettings,
    ) -> None:
        self._upstream = upstream
        self._content = response.content
        self._settings = settings
        self._first_byte_at: float | None = first_byte_at
        self._waited_s = 0.0
        self._came_bytes = 0

    async def read(self) -> bytes:
        """Return what has come, or wait for it; empty at the end.

        Raises:
            UpstreamSilent: nothing, or next to nothing, came in time.
            UpstreamUnreachable: the connection broke.
            UpstreamRefused: the framing is broken.
        """
        try:
            data = self._content.read_nowait()
            return self._came(data) if data else await self._wait()
        except (aiohttp.ClientError, OSError) as error:
            raise _translate(self._upstream, error, self._limit_s()) from error

    def _limit_s(self) -> float:
        is_first = self._first_byte_at is not None
        return self._settings.first_byte_timeout if is_first else self._settings.idle_timeout

    async def _wait(self) -> bytes:
        started = _loop_time()
        until = started + self._settings.idle_timeout - self._waited_s
        async with asyncio.timeout_at(self._first_byte_at or until):
            data = await self._content.readany()
        if self._first_byte_at is None:
            self._waited_s += _loop_time() - started
        return self._came(data)

    def _came(self, data: bytes) -> bytes:
        self._first_byte_at = None
        self._came_bytes += len(data)
        if self._came_bytes >= MIN_WINDOW_BYTES:
            self._came_bytes = 0
            self._waited_s = 0.0
        return data

    async def end(self) -> None:
        """Wait a moment for the end, so that the connection can be used again; never raises."""
        try:
            async with asyncio.timeout(END_WAIT_S):
                await self._content.readany()
        except (aiohttp.ClientError, OSError):
            return  # the connection is closed, as it is when more came


class _Protocol(ResponseHandler):
    """Gives up on an upstream that answers with interim answers and nothing else."""

    _interim = 0

    @override
    async def read(self) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        message, payload = await super().read()
        self._interim = self._interim + 1 if message.code < 200 else 0
        if self._interim > MAX_INTERIM_ANSWERS:
            raise HttpProcessingError(code=502, message="too many interim answers")
        return message, payload


class _Connector(aiohttp.TCPConnector):
    """Hands out only connections on which nothing was said without having been asked.

    aiohttp puts a connection back into its pool while the bytes that came with the end of a body
    are still being parsed, and goes on to listen to idle ones: an answer that nobody asked for
    would be taken for the answer to the next request.
    """

    def __init__(self) -> None:
        super().__init__(limit=0, keepalive_timeout=KEEPALIVE_S)
        make: Callable[..., ResponseHandler] = _Protocol
        self._factory = partial(make, loop=asyncio.get_running_loop())

    @override
    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        for _ in range(MAX_CONNECTIONS + 1):
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                return connection
            connection.close()
        raise aiohttp.ClientConnectionError("it speaks before it is asked")


def _loop_time() -> float:
    """Return the time that `asyncio.timeout_at` goes by."""
    return asyncio.get_running_loop().time()


_Kind = type[UpstreamUnreachable] | type[UpstreamRefused]
_TRANSLATIONS: Final[tuple[tuple[type[Exception], _Kind, str], ...]] = (
    (aiohttp.ConnectionTimeoutError, UpstreamUnreachable, "took no connection in time"),
    (aiohttp.ClientSSLError, UpstreamUnreachable, "failed to speak TLS"),
    (aiohttp.ClientConnectorDNSError, UpstreamUnreachable, "has a name that does not resolve"),
    (aiohttp.ClientConnectorError, UpstreamUnreachable, "takes no connection"),
    (aiohttp.ClientResponseError, UpstreamRefused, "answered with broken HTTP"),
)


def _translate(upstream: str, error: Exception, limit_s: float) -> UpstreamError:
    """Make one of our errors of one of aiohttp's, or of a timeout of `limit_s`."""
    for theirs, ours, reason in _TRANSLATIONS:
        if isinstance(error, theirs):
            return ours(upstream, reason)
    if isinstance(error, TimeoutError):
        return UpstreamSilent(upstream, f"sent nothing, or too little, for {limit_s:g} s")
    return UpstreamUnreachable(upstream, "broke the connection")
