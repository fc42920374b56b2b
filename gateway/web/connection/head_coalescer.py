"""A transport that sends the head of an answer together with the first bytes of its body.

uvicorn writes them one after the other: two system calls and two packets, the first with the head
alone.
"""

import asyncio
from typing import Final

COPY_BYTES: Final = 64 * 1024  # up to this size one copy is cheaper than a list of buffers


class Joined:
    """Wraps the transport for one answer; has the methods that uvicorn's cycle calls."""

    __slots__ = ("_held", "_is_first", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._is_first = True

    def write(self, data: bytes) -> None:
        """Write bytes; the first call waits for the second, or for the next turn of the loop."""
        if self._is_first:
            self._is_first = False
            self._held = data
            self._loop.call_soon(self.flush)
        elif self._held:
            held, self._held = self._held, b""
            if len(data) <= COPY_BYTES:
                self._transport.write(b"".join((held, data)))
            else:
                self._transport.writelines((held, data))
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write the waiting head: the answer is complete, or its body is not at hand."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def is_closing(self) -> bool:
        """Return whether the transport is closing."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Write the waiting head, and close the transport."""
        self.flush()
        self._transport.close()
