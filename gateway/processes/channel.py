"""A channel between a parent and its worker: JSON messages, one a line, over a socket pair."""

import asyncio
import socket
from typing import Any

import orjson

MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # a snapshot has tens of kilobytes, more with many upstreams


class Channel:
    """One end of the socket pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> "Channel":
        """Make a channel of one end of `socket.socketpair()`, which it then owns."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=MAX_MESSAGE_BYTES))

    async def send(self, message: object) -> None:
        """Send one message; does nothing if the other end has closed."""
        try:
            self._writer.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE))
            await self._writer.drain()
        except ConnectionError:
            pass  # `receive` reports the end

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message; None once the other end has closed."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        return orjson.loads(line) if line.endswith(b"\n") else None

    def close(self) -> None:
        """Close this end; `receive` at the other end then returns None."""
        self._writer.close()
