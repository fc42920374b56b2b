"""The connection: uvicorn's HTTP protocol with limits on heads and on readers that stall.

uvicorn with httptools limits neither the number nor the size of header lines and waits for a
half-sent head for ever (measured: 100,000 lines and 20 MB are taken). Both are refused here, so
that a gateway without a proxy in front survives. So are readers that take nothing of an answer.

One request at a time is parsed: while its answer is under way, what comes is kept as bytes. So
everything that is written belongs to one answer, and answers keep the order of their requests.
"""

import asyncio
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.guard.connections import ConnectionLimit
from gateway.web.connection.head_coalescer import Joined
from gateway.web.connection.pipelined_input import HEAD_END, Ahead, Flow
from gateway.web.connection.refusals import Refused, refusal
from gateway.web.connection.request_line import MAX_BLANK_BYTES, VERSIONS, is_complete, version_of
from gateway.web.connection.write_timeout import Backlog

MAX_HEADER_LINES: Final = 100  # HAProxy allows 101, Varnish 64
MAX_HEAD_BYTES: Final = 32 * 1024  # Varnish's http_req_size
MAX_TARGET_BYTES: Final = 8 * 1024  # that of nginx: one of its large_client_header_buffers
MAX_LINE_BYTES: Final = MAX_TARGET_BYTES + MAX_BLANK_BYTES
HEAD_TIMEOUT_S: Final = 10.0  # slow heads are cut; nginx's own default is 60 s
BODY_TIMEOUT_S: Final = 30.0  # so are slow bodies, of which orders of operators have the largest
HEADS_PER_TURN: Final = 64  # then it is the turn of other connections; 2 ms when all are hot


class Done:
    """Stands where uvicorn keeps the running cycle while no cycle runs."""

    response_complete = True
    disconnected = False
    keep_alive = True
    message_event = asyncio.Event()


class GatewayProtocol(HttpToolsProtocol):
    """One connection."""

    limit: ConnectionLimit | None = None
    """Says who may connect; set on a subclass made by `protocol_for`."""
    cycle: Any  # uvicorn's, or what stands for it; None before the first request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Start to wait for the first head."""
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)  # type: ignore[mutable-override]  # nobody else sets it
        self._backlog = Backlog(transport, self.loop.call_later)
        self._ahead = Ahead()
        self._is_going_on = False
        self._will_go_on = False
        self._is_at_end = False  # the client will send nothing more
        self._is_between = True  # requests: no head or body has begun
        self._may_begin = True  # a request, in what is being parsed
        self._start = b""  # of the head, its request line at least
        self._method = self._version = b""
        self._joined: Joined | None = None
        self._was_asked = False
        self._head_bytes = 0
        self._refused = False
        self._in_head = True
        self._request_timer: asyncio.TimerHandle | None = self.loop.call_later(
            HEAD_TIMEOUT_S, self._timed_out
        )
        self._client = "" if self.limit is None else self.limit.enter(self.peer)
        if self._client is None:
            self._refuse(429)

    @property
    def peer(self) -> str | None:
        """Address of the other end; None for a Unix socket."""
        return self.client[0] if self.client else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers, and what was not parsed; make room for another connection."""
        if self.limit is not None and self._client is not None:
            self.limit.leave(self._client)
            self._client = None
        self._refused = True
        self._ahead.clear()
        self._stop_request_timer()
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
        """Parse a request, unless another one is being answered."""
        if self._refused:
            return
        is_head = data.find(HEAD_END) == len(data) - len(HEAD_END) >= 0
        if is_head and self._is_between and self._ahead.is_empty and self._is_free():
            self.parse(data)
            return
        self._ahead.add(data)
        if not self._will_go_on:
            self._go_on()

    def _go_on(self) -> None:
        """Take what is ahead, a head at a time, until an answer takes its time."""
        if self._is_going_on:
            return
        self._is_going_on = True
        self._will_go_on = False
        for _ in range(HEADS_PER_TURN):
            if not self._can_take():
                break
            self.take(self._ahead.take())
        else:
            self._will_go_on = True
            self.loop.call_soon(self._go_on)
        self._is_going_on = False
        self.flow.hold(self._ahead.size_bytes)
        if self._is_at_end and self._ahead.is_empty and self._is_free():
            self.transport.close()

    def _can_take(self) -> bool:
        if self._ahead.is_empty or self._refused or self.transport.is_closing():
            return False
        return not self._is_between or self._is_free()

    def take(self, piece: bytes) -> None:
        """Take a piece of what was ahead; at most one head ends in it, at its end."""
        self.parse(piece)

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
            self._refuse(400)
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
            self._refuse(414)

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
        """Tell whether no answer is under way, nor a part of one held back."""
        return self.cycle is None or self.cycle.response_complete

    def on_response_complete(self) -> None:
        """Go on with what was sent ahead, or wait for the next request."""
        if self._joined is not None:
            self._joined.flush()
        self._stop_waiting()
        self._watch_last()
        super().on_response_complete()
        self._go_on()

    def _stop_waiting(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def on_message_begin(self) -> None:
        """Start to read a head; the ASGI scope is made only when the slow path needs it."""
        if not self._may_begin:  # right behind a body, so that its own beginning is not known
            self._close_when_free()
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
            self._refuse(414)
            raise Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, up to `MAX_HEADER_LINES` and `MAX_HEAD_BYTES`."""
        name = name.lower()
        self.headers.append((name, value))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADER_LINES:
            self._refuse(431)
            raise Refused

    def on_headers_complete(self) -> None:
        """Start to answer."""
        self._in_head = False
        if self._request_timer is not None:
            self._stop_request_timer()
        self._method = self.parser.get_method()
        self._version = version_of(self._start, self._method, self.url)
        if self._refused or self._version not in VERSIONS:
            self._refuse(400)
            raise Refused
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
        self._joined = Joined(self.transport, self.loop)
        self.cycle.transport = cast("Any", self._joined)
        if self.parser.should_upgrade() and self._has_unread_body():
            self._close_when_free()

    def _should_upgrade(self) -> bool:
        """Take no offer of another protocol."""
        return False

    def _has_unread_body(self) -> bool:
        """Tell whether what follows an offer is not the next request: the parser skips no body."""
        framing = (b"content-length", b"transfer-encoding")
        return self._method == b"CONNECT" or any(name in framing for name, _ in self.headers)

    def _close_when_free(self) -> None:
        """Read nothing more; let the answer that is under way be the last one."""
        self._refused = True
        if self._is_free():
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _refuse(self, status: int) -> None:
        """Answer what is no request, or none that is taken, once, and close."""
        if self._refused:
            return
        if not self._is_free():
            self._close_when_free()
            return
        self._refused = True
        self._ahead.clear()
        self.transport.write(refusal(status, self.server_state.default_headers))
        self.transport.close()

    def _timed_out(self) -> None:
        self._request_timer = None
        if self.transport.is_closing() or self._refused:
            return
        if self._in_head:
            self._refuse(408)
        elif not self._is_between:
            self.transport.abort()

    def _stop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None


def protocol_for(limit: ConnectionLimit) -> type[GatewayProtocol]:
    """Make the protocol class for a listener."""
    return type("BoundGatewayProtocol", (GatewayProtocol,), {"limit": limit})
