"""The write timeout: aborts connections whose client does not read its answer.

Such a client would hold its request, the blocks of its answer and one of the concurrent requests
for ever. Nothing is checked while a client reads: the transport reports when its buffer is too
full, and again when it has drained.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Final

STALLED_S: Final = 60.0  # time without a byte read by the client; as nginx's send_timeout


CallLater = Callable[[float, Callable[[], None]], asyncio.TimerHandle]


class Backlog:
    """Aborts a transport whose write buffer does not drain.

    Args:
        transport: aborted when its client has read nothing for `STALLED_S` to twice as long.
        call_later: of the event loop.
    """

    __slots__ = ("_call_later", "_is_watched", "_seen_bytes", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, call_later: CallLater) -> None:
        self._transport = transport
        self._call_later = call_later
        self._is_watched = False
        self._seen_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Start to check the buffer; the caller adds nothing to it from now on."""
        self._is_watched = True
        if self._timer is None:
            self._wait(self._transport.get_write_buffer_size())
        else:  # the buffer drained since the timer was set; one timer serves all pauses of a body
            self._seen_bytes = sys.maxsize

    def unwatch(self) -> None:
        """Stop to check the buffer: it has drained, and the caller may add more."""
        self._is_watched = False

    def stop(self) -> None:
        """Cancel the timer when the connection is lost."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, seen_bytes: int) -> None:
        self._seen_bytes = seen_bytes
        self._timer = self._call_later(STALLED_S, self._look)

    def _look(self) -> None:
        self._timer = None
        held_bytes = self._transport.get_write_buffer_size()
        if not self._is_watched or not held_bytes:
            return
        if held_bytes < self._seen_bytes:
            self._wait(held_bytes)
        else:
            self._transport.abort()
