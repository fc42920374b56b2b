"""A TCP proxy that makes a link longer: every byte arrives half a round trip later.

    python -m benchmarks.delay TARGET_PORT ROUND_TRIP_MS

It prints its own port. Bandwidth is not limited: bytes that come together leave together.
"""

import asyncio
import sys
from collections import deque
from typing import cast

from typing_extensions import override


class End(asyncio.Protocol):
    """One end of a proxied connection; what it receives leaves at `peer` after `one_way_s`."""

    def __init__(self, one_way_s: float) -> None:
        self.peer: End | None = None
        self.transport: asyncio.Transport | None = None
        self._one_way_s = one_way_s
        self._due: deque[bytes | None] = deque()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._send_later(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._send_later(None)

    @override
    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    @override
    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    def _send_later(self, data: bytes | None) -> None:
        """Hold a piece back; None is the end of the connection."""
        self._due.append(data)
        asyncio.get_running_loop().call_later(self._one_way_s, self._send)

    def _send(self) -> None:
        """Write the oldest piece: timers that are due together may run in any order."""
        data = self._due.popleft()
        if self.peer is None or self.peer.transport is None:
            return
        if data is None:
            self.peer.transport.close()
        elif not self.peer.transport.is_closing():
            self.peer.transport.write(data)


class NearEnd(End):
    """The end at the client; it opens the far one."""

    def __init__(self, target_port: int, one_way_s: float) -> None:
        super().__init__(one_way_s)
        self._far = End(one_way_s)
        self._far.peer, self.peer = self, self._far
        self._target_port = target_port

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        near = cast("asyncio.Transport", transport)
        near.pause_reading()
        self._opening = asyncio.ensure_future(self._open(near))

    async def _open(self, near: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self._far, "127.0.0.1", self._target_port)
        except OSError:
            near.close()
        else:
            near.resume_reading()


async def _serve(target_port: int, one_way_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: NearEnd(target_port, one_way_s), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]) / 2000))
