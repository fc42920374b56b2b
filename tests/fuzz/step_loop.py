"""An event loop that runs one callback at a time, and a transport on it over a pair of sockets.

What happens next, a callback, a read of the client or bytes that arrive, is the caller's choice, so
that every order in which an event loop may do them can be tried. Timers never fire.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final

HIGH_BYTES: Final = 4096  # of what a transport holds, before it asks for a pause
LOW_BYTES: Final = 1024


class StepLoop(asyncio.AbstractEventLoop):
    """Runs what is ready when it is told to."""

    def __init__(self) -> None:
        self.ready: deque[asyncio.Handle] = deque()
        self.writer: Callable[[], object] | None = None
        """Called when the client has read something; there is one connection at a time."""
        self.failures: list[dict[str, Any]] = []

    def call_soon(  # type: ignore[override]  # *args need no types here
        self, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]  # likewise
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return asyncio.TimerHandle(delay, callback, args, self, context)

    def create_task(self, coro: Coroutine[Any, Any, Any], **_: Any) -> "asyncio.Task[Any]":  # type: ignore[override]  # no names
        return asyncio.Task(coro, loop=self)

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def add_writer(  # type: ignore[override]  # *args need no types here
        self, _: object, callback: Callable[..., object], *__: Any
    ) -> None:
        self.writer = callback

    def remove_writer(self, _: object) -> bool:
        self.writer = None
        return True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failures.append(context)

    def _timer_handle_cancelled(self, _: asyncio.TimerHandle) -> None:
        """Do nothing: none is kept."""

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def time(self) -> float:
        return 0.0

    def step(self) -> None:
        """Run the next callback."""
        handle = self.ready.popleft()
        if not handle.cancelled():
            handle._run()


class Pair(asyncio.Transport):
    """The server's end of a pair of sockets, and the client's."""

    def __init__(self, loop: StepLoop, room_bytes: int) -> None:
        ours, self.client = socket.socketpair()
        for end in (ours, self.client):
            end.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room_bytes)
        extra = {"socket": ours, "peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}
        super().__init__(extra)
        self._loop = loop
        self._socket = ours
        self._unsent = bytearray()
        self._is_paused = False
        self._is_closing = False
        self.is_read = True
        self.is_lost = False
        self.received = bytearray()
        """By the client."""

    def connect(self, protocol: asyncio.Protocol) -> None:
        """Begin."""
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.is_lost:
            return
        if not self._unsent:
            with suppress(BlockingIOError):
                data = memoryview(data)[self._socket.send(data) :]
        self._unsent += data
        if len(self._unsent) > HIGH_BYTES and not self._is_paused:
            self._is_paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            if not self._unsent:
                self._loop.call_soon(self._lose)

    def abort(self) -> None:
        self._unsent.clear()
        self.close()

    def _lose(self) -> None:
        self.is_lost = True
        self._protocol.connection_lost(None)
        self._socket.close()

    def read(self, size_bytes: int) -> bool:
        """Let the client read; False when there is nothing."""
        try:
            data = self.client.recv(size_bytes)
        except BlockingIOError:
            return False
        self.received += data
        if data and self._unsent:
            with suppress(BlockingIOError):
                del self._unsent[: self._socket.send(self._unsent)]
            self._has_sent()
        elif data and self._loop.writer is not None:
            self._loop.call_soon(self._loop.writer)
        return bool(data)

    def _has_sent(self) -> None:
        if self._is_paused and len(self._unsent) <= LOW_BYTES:
            self._is_paused = False
            self._protocol.resume_writing()
        if self._is_closing and not self._unsent:
            self._loop.call_soon(self._lose)

    def end(self) -> None:
        """End the connection, whatever is under way."""
        if not self.is_lost:
            self._lose()
        self.client.close()
