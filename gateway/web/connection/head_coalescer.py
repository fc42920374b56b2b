"""A transport on which the head of an answer waits for the first bytes of its body.

uvicorn writes the two one after the other: two system calls and two packets, of which the first
has the head alone.
"""

import asyncio
from typing import Final

COPY_BYTES: Final = 64 * 1024  # up to here one copy is cheaper than a list of buffers


class Joined:
    """Stands before the transport for one answer; has what uvicorn's cycle uses."""

    __slots__ = ("_held", "_is_first", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._is_first = True

    def write(self, data: bytes) -> None:
        """Write; the first time a moment later, together with what comes until then."""
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
        """Write what waits: the answer is complete, or its body takes its time."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def is_closing(self) -> bool:
        """Tell whether the transport is."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Write what waits, and close."""
        self.flush()
        self._transport.close()
