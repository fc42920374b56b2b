"""Pipelined requests: kept as bytes, and parsed one after the other.

A parsed request in a queue costs 850 bytes or more, and one read of 256 KiB may hold ten thousand
heads: 8 MiB for one connection whose client reads nothing, as measured. As bytes they cost only
their size.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.flow_control import FlowControl

HEAD_END: Final = b"\r\n\r\n"
MAX_AHEAD_BYTES: Final = 64 * 1024  # above this the socket is not read; one read adds up to 256 KiB


class Ahead:
    """A buffer of received bytes, from which heads are taken one at a time."""

    __slots__ = ("_at", "_data", "_tail", "is_empty")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._tail = b""
        self.is_empty = True
        """Whether the buffer is empty."""

    @property
    def size_bytes(self) -> int:
        """Bytes in the buffer."""
        return len(self._data) - self._at

    def add(self, data: bytes) -> None:
        """Append received bytes."""
        self._data = data if self.is_empty else b"".join((self._data[self._at :], data))
        self._at = 0
        self.is_empty = not self._data

    def take(self) -> bytes:
        """Remove and return the bytes up to the end of the next head; all bytes when none ends."""
        data, start = self._data, self._at
        # The end of a head may begin in the bytes that were taken before.
        found = (self._tail + data[start : start + 3]).find(HEAD_END)
        if found >= 0:
            end = start + found + len(HEAD_END) - len(self._tail)
        else:
            found = data.find(HEAD_END, start)
            end = found + len(HEAD_END) if found >= 0 else len(data)
        piece = data[start:end]
        self._tail = b"" if found >= 0 else (self._tail + piece)[-3:]
        self._at = end
        if end == len(data):
            self.clear()
        return piece

    def clear(self) -> None:
        """Drop all bytes."""
        self._data, self._at, self.is_empty = b"", 0, True


class Flow(FlowControl):
    """uvicorn's flow control, which also pauses reads while much pipelined input waits."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_held = False

    def hold(self, size_bytes: int) -> None:
        """Pause or resume reads, given the size of the input that waits."""
        if size_bytes > MAX_AHEAD_BYTES:
            self._is_held = True
            self.pause_reading()
        elif self._is_held:
            self._is_held = False
            self.resume_reading()

    def resume_reading(self) -> None:
        """Resume reads, unless too much input waits."""
        if not self._is_held:
            super().resume_reading()
