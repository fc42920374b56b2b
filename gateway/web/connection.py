"""The connection: uvicorn's HTTP protocol with limits on heads and the hot path in front.

uvicorn with httptools limits neither the number nor the size of header lines and waits for a
half-sent head for ever (measured: 100,000 lines and 20 MB are taken). Both are refused here, so
that a gateway without a proxy in front survives.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.web import heads
from gateway.web.heads import Ready
from gateway.web.hot_path import Asked, HotPath

MAX_HEADER_LINES: Final = 100  # HAProxy allows 101, Varnish 64
MAX_HEAD_BYTES: Final = 32 * 1024  # Varnish's http_req_size
MAX_TARGET_BYTES: Final = 8 * 1024  # design: URL 8 KiB; nginx's large_client_header_buffers
HEAD_TIMEOUT_S: Final = 10.0  # slow heads are cut; nginx's own default is 60 s

_HEAD_END: Final = b"\r\n\r\n"
_METHODS: Final = frozenset((b"GET", b"HEAD"))
_REFUSALS: Final = {
    414: b"URI Too Long",
    431: b"Request Header Fields Too Large",
    408: b"Request Timeout",
}


class _Done:
    """Stands where uvicorn keeps the running cycle while no cycle runs."""

    response_complete = True
    disconnected = False
    keep_alive = True
    message_event = asyncio.Event()


class GatewayProtocol(HttpToolsProtocol):
    """One connection of the content listener."""

    # Set on a subclass made by `protocol_with`.
    hot: HotPath | None = None
    known: Mapping[bytes, Ready] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Start to wait for the first head."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else None
        self._address = self.hot.address(self._peer) if self.hot is not None else ""
        self._is_between = True  # requests: no head or body has begun
        self._was_asked = False
        self._whole_head = b""
        self._head_bytes = 0
        self._refused = False
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(
            HEAD_TIMEOUT_S, self._head_timed_out
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_head_timer()
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer a head that is known to the byte; parse any other."""
        ready = self.known.get(data)
        if ready is None or not self._repeat(ready):
            self._parse(data)

    def _repeat(self, ready: Ready) -> bool:
        """Send what is ready; False when the head must be parsed."""
        if self.hot is None or not self._is_between or not self._is_free():
            return False
        if self._refused or self.flow.write_paused:
            return False
        dates = self.server_state.default_headers
        answer = self.hot.repeat(ready, self._peer, self._address, dates)
        if answer is None:
            return False
        if self._head_timer is not None:
            self._in_head = False
            self._stop_head_timer()
        self._write_hot(answer)
        return True

    def _write_hot(self, answer: bytes) -> None:
        self.transport.write(answer)
        self._was_asked = True
        if self.timeout_keep_alive_task is None:
            self._wait_for_more()

    def _parse(self, data: bytes) -> None:
        """Parse; a head that is not complete by then has a deadline."""
        if self._refused:
            return
        is_head = self._is_between and len(data) <= heads.MAX_HEAD_BYTES
        is_whole = is_head and data.find(_HEAD_END) == len(data) - len(_HEAD_END)
        self._whole_head = data if is_whole else b""
        super().data_received(data)
        if self._in_head and self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_timed_out)

    def _wait_for_more(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _unset_keepalive_if_required(self) -> None:
        """Let the timer run on: one for each request would cost as much as its answer."""
        self._was_asked = True

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing was asked since the timer was set."""
        if self._was_asked or not self._is_free():
            self._was_asked = False
            self._wait_for_more()
        else:
            super().timeout_keep_alive_handler()

    def _is_free(self) -> bool:
        """Tell whether no answer is under way."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return cycle is None or cycle.response_complete

    def on_response_complete(self) -> None:
        """Go on with what was pipelined, or wait for the next request."""
        self._stop_waiting()
        super().on_response_complete()

    def _stop_waiting(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def on_message_begin(self) -> None:
        """Start to read a head; the ASGI scope is made only when the slow path needs it."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = True
        self._is_between = False
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        """End a request."""
        self._is_between = True
        super().on_message_complete()

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
        if self.hot is None or not self._send_hot(self.hot):
            self._start_application()

    def _start_application(self) -> None:
        """Do what uvicorn does from the first byte of a head, now that the head is complete."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        for name, value in headers:
            super().on_header(name, value)
        self.url = url
        super().on_headers_complete()

    def _send_hot(self, hot: HotPath) -> bool:
        """Send a finished answer; False when the request must take the slow path."""
        if not self._is_free():
            return False  # pipelined behind a running request: answers keep their order
        parser = self.parser
        method = parser.get_method()
        if method not in _METHODS or not parser.should_keep_alive():
            return False
        if self.flow.write_paused or parser.should_upgrade() or parser.get_http_version() != "1.1":
            return False
        dates = self.server_state.default_headers
        asked = Asked(method == b"HEAD", self.url, self.headers, self._peer, dates)
        answer = hot.answer(asked, self._whole_head)
        if answer is None:
            return False
        self.cycle = cast("Any", _Done)
        self._write_hot(answer)
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


def protocol_with(hot: HotPath) -> type[GatewayProtocol]:
    """Make the protocol class for a listener whose hot answers come from `hot`."""
    return type("HotGatewayProtocol", (GatewayProtocol,), {"hot": hot, "known": hot.known})
