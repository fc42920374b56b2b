"""Requests, read within bounds of size and time: uvicorn's HTTP protocol with limits on heads.

uvicorn with httptools limits neither the number nor the size of header lines and waits for a
half-sent head for ever (measured: 100,000 lines and 20 MB are taken). Both are refused here, so
that a gateway without a proxy in front survives.
"""

import asyncio
from abc import abstractmethod
from typing import Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.web.connection.refusals import Refused
from gateway.web.connection.request_line import MAX_BLANK_BYTES, VERSIONS, is_complete, version_of

MAX_HEADER_LINES: Final = 100  # HAProxy allows 101, Varnish 64
MAX_HEAD_BYTES: Final = 32 * 1024  # Varnish's http_req_size
MAX_TARGET_BYTES: Final = 8 * 1024  # that of nginx: one of its large_client_header_buffers
MAX_LINE_BYTES: Final = MAX_TARGET_BYTES + MAX_BLANK_BYTES
HEAD_TIMEOUT_S: Final = 10.0  # slow heads are cut; nginx's own default is 60 s
BODY_TIMEOUT_S: Final = 30.0  # so are slow bodies, of which orders of operators have the largest


class RequestReader(HttpToolsProtocol):
    """The parser's side of a connection; `GatewayProtocol` is the other."""

    def _start_reading(self) -> None:
        """Start to wait for the first head."""
        self._is_between = True  # requests: no head or body has begun
        self._may_begin = True  # a request, in what is being parsed
        self._start = b""  # of the head, its request line at least
        self._method = self._version = b""
        self._was_asked = False
        self._head_bytes = 0
        self._refused = False
        self._in_head = True
        self._request_timer: asyncio.TimerHandle | None = self.loop.call_later(
            HEAD_TIMEOUT_S, self._timed_out
        )

    def parse(self, piece: bytes) -> None:
        """Parse; a request that is not complete then has a deadline."""
        self._was_asked = True
        self._note_start(piece)
        if self._refused:
            return
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # an offer that is not taken (RFC 9110, 7.8): the parser goes on as before
        except httptools.HttpParserError:
            self.refuse(400)
        if self._is_between or self._request_timer is not None or self._refused:
            return
        timeout_s = HEAD_TIMEOUT_S if self._in_head else BODY_TIMEOUT_S
        self._request_timer = self.loop.call_later(timeout_s, self._timed_out)

    def _note_start(self, piece: bytes) -> None:
        """Keep the beginning of a head until it has its request line."""
        self._may_begin = self._is_between
        if self._is_between:
            self._start = piece[:MAX_LINE_BYTES]
        elif self._in_head and not is_complete(self._start):
            self._start = (self._start + piece)[:MAX_LINE_BYTES]
        if len(self._start) == MAX_LINE_BYTES and not is_complete(self._start):
            self.refuse(414)

    def on_message_begin(self) -> None:
        """Start to read a head; the ASGI scope is made only when the slow path needs it."""
        if not self._may_begin:  # right behind a body, so that its own beginning is not known
            self.close_when_free()
            raise Refused
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = True
        self._is_between = False
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        """End a request."""
        self._is_between = True
        if self._request_timer is not None:
            self._stop_request_timer()
        super().on_message_complete()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target, up to `MAX_TARGET_BYTES`."""
        self.url += url
        if len(self.url) > MAX_TARGET_BYTES:
            self.refuse(414)
            raise Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, up to `MAX_HEADER_LINES` and `MAX_HEAD_BYTES`."""
        name = name.lower()
        self.headers.append((name, value))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADER_LINES:
            self.refuse(431)
            raise Refused

    def on_headers_complete(self) -> None:
        """Start to answer."""
        self._in_head = False
        if self._request_timer is not None:
            self._stop_request_timer()
        self._method = self.parser.get_method()
        self._version = version_of(self._start, self._method, self.url)
        if self._refused or self._version not in VERSIONS:
            self.refuse(400)
            raise Refused
        self.start_answer()

    def _make_scope(self) -> None:
        """Make the scope, and start the application.

        It is what uvicorn does from the first byte of a head on, now that the head is complete.
        """
        url, headers = self.url, self.headers
        super().on_message_begin()
        for name, value in headers:
            super().on_header(name, value)
        self.url = url
        super().on_headers_complete()

    def _should_upgrade(self) -> bool:
        """Take no offer of another protocol."""
        return False

    def _has_unread_body(self) -> bool:
        """Tell whether what follows an offer is not the next request: the parser skips no body."""
        framing = (b"content-length", b"transfer-encoding")
        return self._method == b"CONNECT" or any(name in framing for name, _ in self.headers)

    def _timed_out(self) -> None:
        self._request_timer = None
        if self.transport.is_closing() or self._refused:
            return
        if self._in_head:
            self.refuse(408)
        elif not self._is_between:
            self.transport.abort()

    def _stop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    @abstractmethod
    def start_answer(self) -> None:
        """Answer the request whose head is complete."""

    @abstractmethod
    def refuse(self, status: int) -> None:
        """Answer what is no request, or none that is taken, once, and close."""

    @abstractmethod
    def close_when_free(self) -> None:
        """Read nothing more; let the answer that is under way be the last one."""
