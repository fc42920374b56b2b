"""A TCP proxy that is a link: longer, narrower, and as faulty as it is told to be.

    python -m benchmarks.rig.link TARGET_PORT

It prints its own port. A line of JSON on its input changes it, and is answered by a line:
`{"round_trip_ms": 50, "mbit_s": 100, "fault": "stall"}`. Every byte is held back for half a round
trip, and answers for their place in the queue of the link.
"""

import asyncio
import json
import sys
from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, cast

from typing_extensions import override

QUEUE_BYTES: Final = 4 * 1024 * 1024  # what a link holds before its sender has to wait
HEAD_BYTES: Final = 512  # a piece that is smaller is taken for a head, and no lie is told in it


class Fault(StrEnum):
    """What is wrong with a link."""

    NONE = "none"
    DOWN = "down"
    """Nobody listens; connections are cut."""
    STALL = "stall"
    """Everything is taken, nothing is answered."""
    RESET = "reset"
    """Connections are cut as soon as something is asked."""
    LIE = "lie"
    """One bit of each piece of an answer is another."""
    HALF_OPEN = "half-open"
    """Connections are taken, and nobody reads."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a link is now."""

    round_trip_ms: float = 0.0
    mbit_s: float = 0.0
    """Of all connections together, from the target to the client; 0 for no limit."""
    fault: Fault = Fault.NONE


class Link:
    """A link to one port of loopback; `open` it, `change` it, `close` it."""

    def __init__(self, target_port: int, shape: Shape | None = None) -> None:
        self.shape = shape or Shape()
        self.target_port = target_port
        self.port = 0
        self.is_free_at = 0.0
        """When all that was sent so far has left; time of the event loop."""
        self.ends: set[End] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Listen, on the same port as before if there was one; return it."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: NearEnd(self), "127.0.0.1", self.port, reuse_address=True
            )
            self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def change(self, shape: Shape) -> None:
        """Be another link from now on."""
        self.shape = shape
        if shape.fault is Fault.DOWN:
            self.close()
        else:
            await self.open()
        for end in self.ends:
            end.listen(is_deaf=shape.fault is Fault.HALF_OPEN)

    def close(self) -> None:
        """Stop listening and cut all connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in tuple(self.ends):
            end.cut()


class End(asyncio.Protocol):
    """One end of a proxied connection; what it receives leaves at `peer`, later."""

    def __init__(self, link: Link, *, is_near: bool) -> None:
        self.peer: End | None = None
        self.transport: asyncio.Transport | None = None
        self._link = link
        self._is_near = is_near
        self._due: deque[bytes | None] = deque()
        self._held_bytes = 0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._link.ends.add(self)
        if self._link.shape.fault is Fault.HALF_OPEN:
            self.transport.pause_reading()

    @override
    def data_received(self, data: bytes) -> None:
        fault = self._link.shape.fault
        if self._is_near and fault is Fault.RESET:
            self.cut()
        elif fault is not Fault.STALL:
            is_lie = not self._is_near and fault is Fault.LIE and len(data) >= HEAD_BYTES
            self._send_later(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:] if is_lie else data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._link.ends.discard(self)
        self._send_later(None)

    @override
    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    @override
    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    def listen(self, *, is_deaf: bool) -> None:
        """Read, or read nothing from now on."""
        if self.transport is None or self.transport.is_closing():
            return
        if is_deaf:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def cut(self) -> None:
        """Reset both sides."""
        for end in (self, self.peer):
            if end is not None and end.transport is not None:
                end.transport.abort()

    def _send_later(self, data: bytes | None) -> None:
        """Hold a piece back; None is the end of the connection."""
        link, loop = self._link, asyncio.get_running_loop()
        leaves = loop.time()
        if data is not None and link.shape.mbit_s and not self._is_near:
            leaves = max(leaves, link.is_free_at) + len(data) / (link.shape.mbit_s * 125_000)
            link.is_free_at = leaves
        self._due.append(data)
        self._held_bytes += len(data or b"")
        if self._held_bytes > QUEUE_BYTES and self.transport is not None:
            self.transport.pause_reading()
        loop.call_at(leaves + link.shape.round_trip_ms / 2000, self._send)

    def _send(self) -> None:
        """Write the oldest piece: timers that are due together may run in any order."""
        data = self._due.popleft()
        was_full = self._held_bytes > QUEUE_BYTES
        self._held_bytes -= len(data or b"")
        if was_full and self._held_bytes <= QUEUE_BYTES and self.transport is not None:
            self.transport.resume_reading()
        if self.peer is None or self.peer.transport is None:
            return
        if data is None:
            self.peer.transport.close()
        elif not self.peer.transport.is_closing():
            self.peer.transport.write(data)


class NearEnd(End):
    """The end at the client; it opens the far one."""

    def __init__(self, link: Link) -> None:
        super().__init__(link, is_near=True)
        self._far = End(link, is_near=False)
        self._far.peer, self.peer = self, self._far

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        near = cast("asyncio.Transport", transport)
        near.pause_reading()
        self._opening = asyncio.ensure_future(self._open(near))

    async def _open(self, near: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self._far, "127.0.0.1", self._link.target_port)
        except OSError:
            near.close()
        else:
            if self._link.shape.fault is not Fault.HALF_OPEN:
                near.resume_reading()


async def _serve(target_port: int) -> None:
    link = Link(target_port)
    print(await link.open(), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        change = json.loads(line)
        if "fault" in change:
            change["fault"] = Fault(change["fault"])
        await link.change(replace(link.shape, **change))
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
