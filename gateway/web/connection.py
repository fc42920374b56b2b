"""The connection: uvicorn's HTTP protocol with limits on heads and the hot path in front.

uvicorn with httptools limits neither the number nor the size of header lines and waits for a
half-sent head for ever (measured: 100,000 lines and 20 MB are taken). Both are refused here, so
that a gateway without a proxy in front survives.
"""

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEADER_LINES: Final = 100  # HAProxy allows 101, Varnish 64
MAX_HEAD_BYTES: Final = 32 * 1024  # Varnish's http_req_size
MAX_TARGET_BYTES: Final = 8 * 1024  # design: URL 8 KiB; nginx's large_client_header_buffers
HEAD_TIMEOUT_S: Final = 10.0  # slow heads are cut; nginx's own default is 60 s

HotPath = Callable[[bool, bytes, list[tuple[bytes, bytes]], str | None, bytes], bytes | None]
"""`(is_head, target, headers, peer address, date line)` to a whole HTTP/1.1 response, or None."""

_METHODS: Final = frozenset((b"GET", b"HEAD"))
_REFUSALS: Final = {
    414: b"URI Too Long",
    431: b"Request Header Fields Too Large",
    408: b"Request Timeout",
}


@lru_cache(maxsize=4)
def _header_lines(fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return uvicorn's own fields, of which there is a date that changes every second."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


class _Done:
    """Stands where uvicorn keeps the running cycle while no cycle runs."""

    response_complete = True
    disconnected = False
    keep_alive = True
    message_event = asyncio.Event()


class GatewayProtocol(HttpToolsProtocol):
    """One connection of the content listener."""

    hot_path: HotPath | None = None
    """Set on a subclass made by `protocol_with`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Start to wait for the first head."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else None
        self._head_bytes = 0
        self._refused = False
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(
            HEAD_TIMEOUT_S, self._head_timed_out
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; a head that is not complete by then has a deadline."""
        if self._refused:
            return
        super().data_received(data)
        if self._in_head and self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_timed_out)

    def on_message_begin(self) -> None:
        """Start to read a head; the ASGI scope is made only when the slow path needs it."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target, up to `MAX_TARGET_BYTES`."""
        self.url += url
        if len(self.url) > MAX_TARGET_BYTES:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, up to `MAX_HEADER_LINES` and `MAX_HEAD_BYTES`."""
        name = name.lower()
        self.headers.append((name, value))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADER_LINES:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        """Answer from the hot path, or start the application."""
        self._in_head = False
        if self._head_timer is not None:
            self._stop_head_timer()
        if self._refused:
            return
        if self.hot_path is None or not self._send_hot(self.hot_path):
            self._start_application()

    def _start_application(self) -> None:
        """Do what uvicorn does from the first byte of a head, now that the head is complete."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        for name, value in headers:
            super().on_header(name, value)
        self.url = url
        super().on_headers_complete()

    def _send_hot(self, hot_path: HotPath) -> bool:
        """Send a finished answer; False when the request must take the slow path."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        if cycle is not None and not cycle.response_complete:
            return False  # pipelined behind a running request: answers keep their order
        parser = self.parser
        method = parser.get_method()
        if method not in _METHODS or not parser.should_keep_alive():
            return False
        if self.flow.write_paused or parser.should_upgrade() or parser.get_http_version() != "1.1":
            return False
        lines = _header_lines(tuple(self.server_state.default_headers))
        answer = hot_path(method == b"HEAD", self.url, self.headers, self._peer, lines)
        if answer is None:
            return False
        self.cycle = cast("Any", _Done)
        self.transport.write(answer)
        self.on_response_complete()
        return True

    def _refuse(self, status: int) -> None:
        """Answer a head that is out of bounds, once, and close."""
        if self._refused:
            return
        self._refused = True
        if cast("Any", self.cycle) is None:
            self.cycle = cast("Any", _Done)  # the parser's later callbacks look at it
        reason = _REFUSALS[status]
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
            b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
            b"connection: close\r\n\r\n%b\n" % (status, reason, len(reason) + 1, reason)
        )
        self.transport.close()

    def _head_timed_out(self) -> None:
        self._head_timer = None
        if self._in_head and not self.transport.is_closing():
            self._refuse(408)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def protocol_with(hot_path: HotPath) -> type[GatewayProtocol]:
    """Make the protocol class for a listener whose hot answers come from `hot_path`."""
    return type("HotGatewayProtocol", (GatewayProtocol,), {"hot_path": staticmethod(hot_path)})
