"""The connection with the hot path in front: finished answers are sent before an ASGI scope exists.

Small ones are written to the transport. Larger ones are files, which the kernel sends
(`gateway.web.sending`); while it does, the connection is as busy as with any running request, and
what a client sends ahead waits in uvicorn's own queue.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, cast

from gateway.web import heads
from gateway.web.connection import Done, GatewayProtocol
from gateway.web.heads import Ready
from gateway.web.hot_path import Asked, HotPath, Opened
from gateway.web.keeper import GENERATION
from gateway.web.sending import Outlet, Sending

_HEAD_END: Final = b"\r\n\r\n"
_METHODS: Final = frozenset((b"GET", b"HEAD"))


class HotProtocol(GatewayProtocol):
    """One connection of the content listener."""

    # Set on a subclass made by `protocol_with`.
    hot: HotPath
    known: Mapping[bytes, Ready]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Note who is there."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else None
        self._address = self.hot.address(self._peer)
        self._whole_head = b""
        self._outlet: Outlet | None = None
        self._sending: Sending | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what is being sent."""
        if self._sending is not None:
            self._sending.end()
        if self._outlet is not None:
            self._outlet.close()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio's own type
        """Send the rest to a client that only said that it will ask nothing more."""
        if self._sending is None:
            return super().eof_received()
        self._close_when_free()
        return True

    def data_received(self, data: bytes) -> None:
        """Answer a head that is known to the byte; parse any other."""
        ready = self.known.get(data)
        if ready is not None and self._repeat(ready):
            return
        # Looked at only where a head may begin; a longer one is not worth its place.
        is_head = self._is_between and len(data) <= heads.MAX_HEAD_BYTES
        is_whole = is_head and data.find(_HEAD_END) == len(data) - len(_HEAD_END)
        self._whole_head = data if is_whole else b""
        super().data_received(data)

    def _repeat(self, ready: Ready) -> bool:
        """Send what is ready; False when the head must be parsed."""
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
        if self._head_timer is not None:
            self._in_head = False
            self._stop_head_timer()
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
        """Send a finished answer; False when the request must take the slow path."""
        if not self._is_plain() or not self._is_free() or self.flow.write_paused:
            return False  # pipelined behind a running request: answers keep their order
        is_head = self.parser.get_method() == b"HEAD"
        ready = self.hot.find(Asked(is_head, self.url, self.headers, self._peer))
        if ready is None or not self._send_first(ready):
            return False
        if self._whole_head:
            self.hot.learn(self._whole_head, ready)
        return True

    def _is_plain(self) -> bool:
        """Tell whether it is a request that a finished answer can be for."""
        parser = self.parser
        return (
            parser.get_method() in _METHODS
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and parser.get_http_version() == "1.1"
        )

    def _send_first(self, ready: Ready) -> bool:
        """Send what was found; False when it cannot be sent, or is over a limit."""
        if not isinstance(ready.body, bytes):
            return self._send_file(ready)
        answer = self.hot.answer(ready, self.server_state.default_headers)
        if answer is None:
            return False
        self.cycle = cast("Any", Done)
        self._write(answer)
        return True

    def _send_file(self, ready: Ready) -> bool:
        """Start to send a file; False when the request must take the slow path."""
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
        self.cycle = cast("Any", sending)
        sending.step()
        return True

    def _file_sent(self, opened: Opened) -> None:
        """Go on after a file, or end a connection on which it could not be sent whole."""
        sending, self._sending = self._sending, None
        assert sending is not None  # noqa: S101 (set before it starts)
        self.hot.close(opened, sending.sent_bytes, is_complete=sending.is_complete)
        if self.cycle is cast("Any", sending):
            self.cycle = cast("Any", Done)  # lets the file go
        if not sending.is_complete:
            self.transport.abort()
        elif self.pipeline or (sending.keep_alive and not self._refused):
            self.on_response_complete()
        else:
            self.transport.close()


def protocol_with(hot: HotPath) -> type[HotProtocol]:
    """Make the protocol class for a listener whose hot answers come from `hot`."""
    return type("BoundHotProtocol", (HotProtocol,), {"hot": hot, "known": hot.known})
