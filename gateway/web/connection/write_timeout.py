"""What a connection holds because its reader does not take it: looked at, and cut when it stays.

A reader that takes nothing would keep its request, the blocks of its answer and a place among the
concurrent requests for ever. Nothing is looked at while a client reads: the transport says when it
holds too much, and once when it holds less.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Final

STALLED_S: Final = 60.0  # a reader that takes nothing for so long is gone; nginx's send_timeout


CallLater = Callable[[float, Callable[[], None]], asyncio.TimerHandle]


class Backlog:
    """The buffer of a transport, while nothing is added to it.

    Args:
        transport: aborted when its reader has taken nothing for `STALLED_S`, or up to
            twice as long.
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
        """Begin to look: nothing is added from now on."""
        self._is_watched = True
        if self._timer is None:
            self._wait(self._transport.get_write_buffer_size())
        else:  # it was taken since the timer was set: one for all of a body's stops
            self._seen_bytes = sys.maxsize

    def unwatch(self) -> None:
        """Look no more: the reader took something, and more may be added."""
        self._is_watched = False

    def stop(self) -> None:
        """Forget the timer: the connection is gone."""
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
