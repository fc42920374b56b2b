"""The connection: uvicorn's HTTP protocol with limits on heads and on readers that stall.

uvicorn with httptools limits neither the number nor the size of header lines and waits for a
half-sent head for ever (measured: 100,000 lines and 20 MB are taken). Both are refused here, so
that a gateway without a proxy in front survives. So are readers that take nothing of an answer.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.web.backlog import Backlog
from gateway.web.joined import Joined

MAX_HEADER_LINES: Final = 100  # HAProxy allows 101, Varnish 64
MAX_HEAD_BYTES: Final = 32 * 1024  # Varnish's http_req_size
MAX_TARGET_BYTES: Final = 8 * 1024  # design: URL 8 KiB; nginx's large_client_header_buffers
HEAD_TIMEOUT_S: Final = 10.0  # slow heads are cut; nginx's own default is 60 s

_REFUSALS: Final = {
    414: b"URI Too Long",
    431: b"Request Header Fields Too Large",
    408: b"Request Timeout",
}


class Done:
    """Stands where uvicorn keeps the running cycle while no cycle runs."""

    response_complete = True
    disconnected = False
    keep_alive = True
    message_event = asyncio.Event()


class GatewayProtocol(HttpToolsProtocol):
    """One connection of the content listener."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Start to wait for the first head."""
        super().connection_made(transport)
        self._backlog = Backlog(transport, self.loop.call_later)
        self._is_between = True  # requests: no head or body has begun
        self._was_asked = False
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
        self._backlog.stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for a reader that is slow, but not for one that stalls."""
        super().pause_writing()
        self._backlog.watch()

    def resume_writing(self) -> None:
        """Go on; what is left at the end of a connection is looked at until it is gone."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._backlog.unwatch()

    def _watch_last(self) -> None:
        """Look at what is left of the last answer, which holds the connection open."""
        if self.transport.is_closing():
            self._backlog.watch()

    def data_received(self, data: bytes) -> None:
        """Parse; a head that is not complete by then has a deadline."""
        if self._refused:
            return
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
            self._watch_last()

    def _is_free(self) -> bool:
        """Tell whether no answer is under way."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return cycle is None or cycle.response_complete

    def on_response_complete(self) -> None:
        """Go on with what was pipelined, or wait for the next request."""
        self._stop_waiting()
        self._watch_last()
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
        """Start to answer."""
        self._in_head = False
        if self._head_timer is not None:
            self._stop_head_timer()
        if not self._refused:
            self.start_answer()

    def start_answer(self) -> None:
        """Start the application.

        It is what uvicorn does from the first byte of a head on, now that the head is complete.
        """
        url, headers = self.url, self.headers
        super().on_message_begin()
        for name, value in headers:
            super().on_header(name, value)
        self.url = url
        super().on_headers_complete()
        self.cycle.transport = cast("Any", Joined(self.transport, self.loop))

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed; an answer that is under way is not written into."""
        if self._is_free():
            super().send_400_response(msg)
        else:
            self._close_when_free()

    def _close_when_free(self) -> None:
        """Read nothing more; let the answer that is under way be the last one."""
        self._refused = True
        self.cycle.keep_alive = False

    def _refuse(self, status: int) -> None:
        """Answer a head that is out of bounds, once, and close."""
        if self._refused:
            return
        if not self._is_free():
            self._close_when_free()
            return
        self._refused = True
        if cast("Any", self.cycle) is None:
            self.cycle = cast("Any", Done)  # the parser's later callbacks look at it
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
