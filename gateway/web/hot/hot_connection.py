"""The connection with the hot path in front: it sends finished answers before an ASGI scope exists.

It writes small answers to the transport. Larger bodies are files, which the kernel sends
(`gateway.web.hot.sendfile`); meanwhile the connection counts as busy, and pipelined input waits as
bytes.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, cast

from gateway.guard.connections import ConnectionLimit
from gateway.web.connection.http_connection import Done, GatewayProtocol
from gateway.web.connection.pipelined_input import HEAD_END
from gateway.web.connection.request_line import HTTP_11
from gateway.web.hot import known_heads as heads
from gateway.web.hot.known_heads import Ready
from gateway.web.hot.responder import Asked, HotPath, Opened
from gateway.web.hot.sendfile import Outlet, Sending
from gateway.web.send import GENERATION

_METHODS: Final = frozenset((b"GET", b"HEAD"))


class HotProtocol(GatewayProtocol):
    """One connection of the content listener."""

    # `protocol_with` sets these on a subclass.
    hot: HotPath
    known: Mapping[bytes, Ready]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Note the client's address."""
        super().connection_made(transport)
        self._peer = self.peer
        self._address = self.hot.address(self._peer)
        self._outlet: Outlet | None = None
        self._sending: Sending | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the transfer of a file."""
        if self._sending is not None:
            self._sending.end()
        if self._outlet is not None:
            self._outlet.close()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio's own type
        """Finish a running transfer to a client that has closed its sending side."""
        if self._sending is None:
            return super().eof_received()
        self._is_at_end = True
        return True

    def data_received(self, data: bytes) -> None:
        """Answer a known head; parse any other."""
        ready = self.known.get(data)
        if ready is not None and self._ahead.is_empty and self._repeat(ready):
            return
        super().data_received(data)

    def take(self, piece: bytes) -> None:
        """Answer a known head of the pipelined input; parse any other."""
        ready = self.known.get(piece)
        if ready is None or not self._repeat(ready):
            super().take(piece)

    def _repeat(self, ready: Ready) -> bool:
        """Send a finished answer; return False when the head must be parsed."""
        if not self._is_between or not self._is_free() or self._refused or self.flow.write_paused:
            return False
        if isinstance(ready.body, bytes):
            dates = self.server_state.default_headers
            answer = self.hot.repeat(ready, self._peer, self._address, dates)
            if answer is None:
                return False
            self._write(answer)
        elif not self._send_file(ready):
            return False
        if self._request_timer is not None:
            self._in_head = False
            self._stop_request_timer()
        return True

    def _write(self, answer: bytes) -> None:
        self.transport.write(answer)
        self._was_asked = True
        if self.timeout_keep_alive_task is None:
            self._wait_for_more()

    def start_answer(self) -> None:
        """Answer from the hot path, or start the application."""
        if not self._answer_hot():
            super().start_answer()
            cast("Any", self.scope)["state"][GENERATION] = self.hot.generation

    def _answer_hot(self) -> bool:
        """Send a finished answer; return False when the request must take the slow path."""
        if not self._is_plain() or self.flow.write_paused:
            return False
        is_head = self._method == b"HEAD"
        ready = self.hot.find(Asked(is_head, self.url, self.headers, self._peer))
        if ready is None or not self._send_first(ready):
            return False
        if self._start.endswith(HEAD_END) and len(self._start) <= heads.MAX_HEAD_BYTES:
            self.hot.learn(self._start, ready)
        return True

    def _is_plain(self) -> bool:
        """Return whether the request is of a form that finished answers serve."""
        parser = self.parser
        return (
            self._method in _METHODS
            and self._version == HTTP_11
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        )

    def _send_first(self, ready: Ready) -> bool:
        """Send the first answer to a head; return False when the slow path must answer."""
        if not isinstance(ready.body, bytes):
            return self._send_file(ready)
        answer = self.hot.answer(ready, self.server_state.default_headers)
        if answer is None:
            return False
        self.cycle = Done
        self._write(answer)
        return True

    def _send_file(self, ready: Ready) -> bool:
        """Start the transfer of a file; return False when the request must take the slow path."""
        if not Outlet.is_possible(self.transport):
            return False
        try:
            outlet = self._outlet = self._outlet or Outlet(self.transport, self.loop)
        except OSError:
            return False  # no descriptor is left
        opened = self.hot.open(ready, self._peer, self.server_state.default_headers)
        if opened is None:
            return False
        part = opened.part

        def ended() -> None:
            self._file_sent(opened)

        sending = Sending(outlet, self.loop, opened.head, part.file, part[1:], ended)
        self._sending = sending
        self.cycle = sending
        sending.step()
        return True

    def _file_sent(self, opened: Opened) -> None:
        """Read the next request after a transfer; abort the connection if it is incomplete."""
        sending, self._sending = self._sending, None
        assert sending is not None  # noqa: S101 (set before it starts)
        self.hot.close(opened, sending.sent_bytes, is_complete=sending.is_complete)
        if self.cycle is sending:
            self.cycle = Done  # drops the reference to the file
        if not sending.is_complete:
            self.transport.abort()
        elif sending.keep_alive and not self._refused:
            self.on_response_complete()
        else:
            self.transport.close()


def protocol_with(hot: HotPath, limit: ConnectionLimit | None = None) -> type[HotProtocol]:
    """Make the protocol class for a listener whose hot answers come from `hot`."""
    parts = {"hot": hot, "known": hot.known, "limit": limit}
    return type("BoundHotProtocol", (HotProtocol,), parts)
