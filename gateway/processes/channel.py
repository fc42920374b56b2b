"""JSON messages, one a line, between a parent and its worker over a socket pair."""

import asyncio
import socket
from typing import Any

import orjson

MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # a snapshot is tens of kilobytes; upstreams make it grow


class Channel:
    """One end of the socket pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> "Channel":
        """Take over one end of `socket.socketpair()`."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=MAX_MESSAGE_BYTES))

    async def send(self, message: object) -> None:
        """Send one message; nothing happens if the other end is gone."""
        try:
            self._writer.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE))
            await self._writer.drain()
        except ConnectionError:
            pass  # the reading side sees the end and knows what to do

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message; None when the other end is gone."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        return orjson.loads(line) if line.endswith(b"\n") else None

    def close(self) -> None:
        """Close this end; the other one sees it."""
        self._writer.close()
