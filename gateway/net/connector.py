"""A hardened aiohttp session for untrusted servers, and translation of its errors into ours.

It refuses unsolicited data on pooled connections, endless heads and redirects, for every client
that is built on it.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from ssl import SSLContext
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.resolver import DefaultResolver
from aiohttp.tracing import Trace
from typing_extensions import override

from gateway.errors import UpstreamError, UpstreamRefused, UpstreamSilent, UpstreamUnreachable
from gateway.net.resend import ATTEMPT

MAX_STALE: Final = 256  # pooled connections with unsolicited data, closed one by one
KEEPALIVE_S: Final = 30.0  # idle connections; below the 75 s of nginx and the 60 s of Go proxies
_LIVENESS: Final = tuple(
    (getattr(socket, name), value)
    for name, value in (
        ("TCP_KEEPIDLE", 5),  # s without a byte before an idle peer is probed
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", 5_000),  # ms that sent data may stay unacknowledged
    )
    if hasattr(socket, name)  # Linux has them
)
"""A peer that vanished is noticed within 15 s while the connection is idle, within 5 s when it is
used; RFC 5482 and tcp(7)."""
READ_BUFFER_BYTES: Final = 256 * 1024
MAX_LINE_BYTES: Final = 8 * 1024  # status line, and one header field
MAX_HEADER_FIELDS: Final = 100  # HAProxy and Envoy allow 101 and 100
MAX_INTERIM_ANSWERS: Final = 8  # 1xx before the final response


def open_session(
    connect_s: float, ssl: SSLContext | None = None, resolver: AbstractResolver | None = None
) -> aiohttp.ClientSession:
    """Open a session; it belongs to the running event loop.

    Args:
        connect_s: timeout in seconds for name, TCP and TLS together.
        ssl: the trusted certificates; None for those of the system.
        resolver: resolves host names; None for the system's resolver.
    """
    return aiohttp.ClientSession(
        connector=_Connector(ssl, resolver),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=connect_s),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=READ_BUFFER_BYTES,
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_LINE_BYTES,
        max_headers=MAX_HEADER_FIELDS,
    )


def _open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Open a socket with TCP keepalive, so that a vanished peer is noticed."""
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _LIVENESS:
        opened.setsockopt(socket.IPPROTO_TCP, option, value)
    return opened


class _Protocol(ResponseHandler):
    """aiohttp's protocol with a limit on interim (1xx) responses."""

    _interim = 0
    uses = 0
    """Requests that this connection was used for."""

    @override
    async def read(self) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        message, payload = await super().read()
        self._interim = self._interim + 1 if message.code < 200 else 0
        if self._interim > MAX_INTERIM_ANSWERS:
            raise HttpProcessingError(code=502, message="too many interim responses")
        return message, payload


class _Connector(aiohttp.TCPConnector):
    """A connector that hands out only connections without unsolicited data.

    aiohttp returns a connection to its pool while bytes after the end of a body are still being
    parsed, and goes on reading from idle ones: an unsolicited response would be taken for the
    response to the next request.
    """

    def __init__(self, ssl: SSLContext | None, resolver: AbstractResolver | None) -> None:
        super().__init__(
            limit=0,
            keepalive_timeout=KEEPALIVE_S,
            ssl=ssl or True,
            resolver=resolver,
            use_dns_cache=resolver is None,  # our resolver has a cache, with longer lifetimes
            socket_factory=_open_socket,
        )
        make: Callable[..., ResponseHandler] = _Protocol
        self._factory = partial(make, loop=asyncio.get_running_loop())

    @override
    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        attempt = ATTEMPT.get()
        for _ in range(MAX_STALE + 1):
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            is_used = isinstance(protocol, _Protocol) and protocol.uses > 0
            may_be_used = attempt is None or not attempt.needs_new or not is_used
            if protocol is not None and not protocol.should_close and may_be_used:
                if isinstance(protocol, _Protocol):
                    protocol.uses += 1
                if attempt is not None:
                    attempt.took(is_used=is_used)
                return connection
            connection.close()
        raise aiohttp.ClientConnectionError("it sends data before any request")


class GuardedResolver(AbstractResolver):
    """A resolver that returns only allowed addresses (a guard against DNS rebinding).

    The connection goes to an address that was checked here, so a name that changes its address
    after a check gains nothing.

    Args:
        may_be: tells whether an address is allowed.
        resolver: resolves host names; None for the system's resolver.
    """

    def __init__(
        self, may_be: Callable[[str], bool], resolver: AbstractResolver | None = None
    ) -> None:
        self._may_be = may_be
        self._resolver = resolver or DefaultResolver()

    @override
    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)  # type: ignore[arg-type]  # 0: any
        allowed = [result for result in found if self._may_be(result["host"])]
        if not allowed:
            raise OSError(None, "no address of it is public")
        return allowed

    @override
    async def close(self) -> None:
        await self._resolver.close()


_Kind = type[UpstreamUnreachable] | type[UpstreamRefused]
_TRANSLATIONS: Final[tuple[tuple[type[Exception], _Kind, str], ...]] = (
    (aiohttp.ConnectionTimeoutError, UpstreamUnreachable, "took no connection in time"),
    (aiohttp.ClientSSLError, UpstreamUnreachable, "failed to speak TLS"),
    (aiohttp.ClientConnectorDNSError, UpstreamUnreachable, "has a name that does not resolve"),
    (aiohttp.ClientConnectorError, UpstreamUnreachable, "takes no connection"),
    (aiohttp.ClientResponseError, UpstreamRefused, "answered with malformed HTTP"),
    (aiohttp.InvalidURL, UpstreamUnreachable, "has a malformed address"),
    (UnicodeError, UpstreamUnreachable, "has a malformed address"),  # a label that IDNA refuses
)


def translate(upstream: str, error: Exception, limit_s: float) -> UpstreamError:
    """Translate any exception of a request to an upstream into an `UpstreamError`.

    Args:
        upstream: its name.
        error: of aiohttp, the system or Python; an `UpstreamError` is returned as it is. An address
            that makes yarl or `idna` raise, or a response that makes a parser raise, counts as a
            failure of that upstream.
        limit_s: the time limit in seconds, for the text of a timeout.
    """
    if isinstance(error, UpstreamError):
        return error
    for theirs, ours, reason in _TRANSLATIONS:
        if isinstance(error, theirs):
            return ours(upstream, reason)
    if isinstance(error, TimeoutError):
        return UpstreamSilent(upstream, f"sent nothing, or too little, for {limit_s:g} s")
    if isinstance(error, aiohttp.ClientError | OSError):
        return UpstreamUnreachable(upstream, "broke the connection")
    return UpstreamUnreachable(upstream, f"failed with {type(error).__name__}")


@contextmanager
def blamed(upstream: str, limit_s: float) -> Iterator[None]:
    """Translate every exception of the body into a failure of an upstream; see `translate`.

    Args:
        upstream: its name.
        limit_s: the time limit in seconds, for the text of a timeout.

    Raises:
        UpstreamError: the body raised an exception.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 (any exception: see `translate`)
        translated = translate(upstream, error, limit_s)
        raise translated from (None if translated is error else error)
