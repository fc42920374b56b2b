"""The connection: one request at a time, answers in the order of requests, readers that stall cut.

While an answer is under way, what comes is kept as bytes. So everything that is written belongs to
one answer. Readers that take nothing of theirs are cut, so that a gateway without a proxy in front
survives.
"""

import asyncio
from typing import Any, Final, cast

from gateway.guard.connections import ConnectionLimit
from gateway.web.connection.head_coalescer import Joined
from gateway.web.connection.pipelined_input import HEAD_END, Ahead, Flow
from gateway.web.connection.refusals import refusal
from gateway.web.connection.request_reader import RequestReader
from gateway.web.connection.write_timeout import Backlog

HEADS_PER_TURN: Final = 64  # then other connections get a turn; 2 ms when all are hot


class Done:
    """Replaces uvicorn's request cycle while no request is answered by the application."""

    response_complete = True
    disconnected = False
    keep_alive = True
    message_event = asyncio.Event()


class GatewayProtocol(RequestReader):
    """One connection."""

    limit: ConnectionLimit | None = None
    """Says who may connect; set on a subclass made by `protocol_for`."""
    cycle: Any  # uvicorn's, or what stands for it; None before the first request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Start to wait for the first head."""
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)  # type: ignore[mutable-override]  # nobody else sets it
        self._start_reading()
        self._backlog = Backlog(transport, self.loop.call_later)
        self._ahead = Ahead()
        self._is_going_on = False
        self._will_go_on = False
        self._is_at_end = False  # the client will send nothing more
        self._joined: Joined | None = None
        self._client = "" if self.limit is None else self.limit.enter(self.peer)
        if self._client is None:
            self.refuse(429)

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

    def start_answer(self) -> None:
        """Start the application."""
        self._make_scope()
        self._joined = Joined(self.transport, self.loop)
        self.cycle.transport = cast("Any", self._joined)
        if self.parser.should_upgrade() and self._has_unread_body():
            self.close_when_free()

    def close_when_free(self) -> None:
        """Read nothing more; let the answer that is under way be the last one."""
        self._refused = True
        if self._is_free():
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def refuse(self, status: int) -> None:
        """Answer a malformed or refused request, and close the connection."""
        if self._refused:
            return
        if not self._is_free():
            self.close_when_free()
            return
        self._refused = True
        self._ahead.clear()
        self.transport.write(refusal(status, self.server_state.default_headers))
        self.transport.close()


def protocol_for(limit: ConnectionLimit) -> type[GatewayProtocol]:
    """Make the protocol class for a listener."""
    return type("BoundGatewayProtocol", (GatewayProtocol,), {"limit": limit})
