"""Sends a body from its file with sendfile(2), beside the transport of the connection.

The transport does not take part: its buffer must be empty when a transfer starts, and nothing may
be written to it before the transfer has ended. The socket's descriptor is duplicated, because event
loops allow no second watch on the descriptor of a transport.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final

from gateway.web.connection.write_timeout import STALLED_S
from gateway.web.hot.file_body import CAN_SEND_FILES, FileBody

STEP_BYTES: Final = 2 * 1024 * 1024  # then other connections get a turn; nginx's sendfile_max_chunk


class Outlet:
    """The duplicated socket of a connection, for sends beside its transport."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Duplicate the descriptor.

        Raises:
            OSError: no descriptor is left.
        """
        theirs: socket.socket = transport.get_extra_info("socket")
        self._socket = socket.socket(
            theirs.family, theirs.type, theirs.proto, fileno=os.dup(theirs.fileno())
        )
        self._socket.setblocking(False)
        self._loop = loop
        self._is_watched = False

    @staticmethod
    def is_possible(transport: asyncio.Transport) -> bool:
        """Return whether a transport is a plain socket with an empty write buffer."""
        return (
            CAN_SEND_FILES
            and transport.get_extra_info("socket") is not None
            and transport.get_extra_info("sslcontext") is None
            and not transport.get_write_buffer_size()
        )

    def send_head(self, head: bytes) -> int:
        """Send the head of an answer whose body follows at once; return the bytes taken."""
        return self._socket.send(head, socket.MSG_MORE)

    def send_file(self, body: FileBody, start: int, size: int) -> int:
        """Send `size` bytes of a body from `start`; return the bytes taken."""
        return os.sendfile(self._socket.fileno(), body.fd, start, size)

    def watch(self, ready: Callable[[], None]) -> None:
        """Call `ready` whenever the socket can take more."""
        if not self._is_watched:
            self._loop.add_writer(self._socket, ready)
            self._is_watched = True

    def unwatch(self) -> None:
        """Stop the calls that `watch` started."""
        if self._is_watched:
            self._loop.remove_writer(self._socket)
            self._is_watched = False

    def close(self) -> None:
        """Close the duplicate; the peer sees the end of the stream only when both are closed."""
        self.unwatch()
        self._socket.close()


class Sending:
    """One transfer of an answer from a file.

    It replaces uvicorn's request cycle, and has the attributes that uvicorn reads of one.

    Args:
        outlet: the socket to send on.
        loop: event loop of the connection.
        head: the whole head of the answer.
        body: the file.
        part: `(start, stop)` of the body, as in a slice.
        on_end: called once, when all is sent or the transfer failed.
    """

    message_event = asyncio.Event()  # never set; uvicorn expects the attribute

    def __init__(
        self,
        outlet: Outlet,
        loop: asyncio.AbstractEventLoop,
        head: bytes,
        body: FileBody,
        part: tuple[int, int],
        on_end: Callable[[], None],
    ) -> None:
        self._outlet = outlet
        self._loop = loop
        self._head = head
        self._body = body
        self._start, self._stop = part
        self._at = self._start
        self._on_end = on_end
        self._timer: asyncio.TimerHandle | None = None
        self._seen_at = 0
        self.is_complete = False
        """Whether all was sent."""
        self.response_complete = False
        self.disconnected = False
        self.keep_alive = True
        self.more_body = False

    @property
    def sent_bytes(self) -> int:
        """Bytes of the body that the kernel has taken."""
        return self._at - self._start

    def step(self) -> None:
        """Send as much as the socket takes, up to `STEP_BYTES`."""
        try:
            has_room = self._send_some()
        except BlockingIOError:
            has_room = True
        except OSError:
            has_room = False
        if self._at == self._stop and not self._head:
            self.is_complete = True
            self.end()
        elif has_room:
            self._outlet.watch(self.step)
            if self._timer is None:
                self._wait()
        else:
            self.end()

    def _send_some(self) -> bool:
        """Send once; return False when the file ends before the part does."""
        if self._head:
            self._head = self._head[self._outlet.send_head(self._head) :]
        if self._head:
            return True
        sent = self._outlet.send_file(self._body, self._at, min(self._stop - self._at, STEP_BYTES))
        self._at += sent
        return sent > 0

    def _wait(self) -> None:
        self._seen_at = self._at
        self._timer = self._loop.call_later(STALLED_S, self._look)

    def _look(self) -> None:
        """End the transfer when the client has taken nothing for `STALLED_S`."""
        if self._at == self._seen_at:
            self.end()
        else:
            self._wait()

    def end(self) -> None:
        """Stop the transfer; has no effect the second time."""
        if self.response_complete:
            return
        self.response_complete = True
        self._outlet.unwatch()
        if self._timer is not None:
            self._timer.cancel()
        self._on_end()
