"""What a client sends before it has its answer: kept as bytes, and parsed when its turn has come.

A request that waits in the parser's queue costs 850 bytes and more, and 256 KiB of heads, which is
one read, are ten thousand of them: 8 MiB for a connection whose reader takes nothing, as measured.
As bytes they cost what they are.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.flow_control import FlowControl

HEAD_END: Final = b"\r\n\r\n"
MAX_AHEAD_BYTES: Final = 64 * 1024  # above, nothing more is read; one read adds up to 256 KiB


class Ahead:
    """Bytes in the order in which they came, taken out a head at a time."""

    __slots__ = ("_at", "_data", "_tail", "is_empty")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._tail = b""
        self.is_empty = True
        """Whether nothing is left."""

    @property
    def size_bytes(self) -> int:
        """How much is left."""
        return len(self._data) - self._at

    def add(self, data: bytes) -> None:
        """Append what came."""
        self._data = data if self.is_empty else b"".join((self._data[self._at :], data))
        self._at = 0
        self.is_empty = not self._data

    def take(self) -> bytes:
        """Take out what is next, up to the end of a head; all that is left when none ends."""
        data, start = self._data, self._at
        # The end of a head may have begun in what was taken before.
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
        """Forget what is left."""
        self._data, self._at, self.is_empty = b"", 0, True


class Flow(FlowControl):
    """uvicorn's flow control, which does not read on while much is ahead."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_held = False

    def hold(self, size_bytes: int) -> None:
        """Read on or not, by how much is ahead."""
        if size_bytes > MAX_AHEAD_BYTES:
            self._is_held = True
            self.pause_reading()
        elif self._is_held:
            self._is_held = False
            self.resume_reading()

    def resume_reading(self) -> None:
        """Read on, unless much is ahead."""
        if not self._is_held:
            super().resume_reading()
