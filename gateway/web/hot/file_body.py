"""Whole bodies in anonymous files, which the kernel sends by itself.

Only verified bytes are written here, by `gateway.web.hot.body_builder`. When a body is complete its
file is sealed: nobody can change, shorten or lengthen it any more (memfd_create(2), fcntl(2)). Its
pages are memory like any other and count against `cache.memory_size`.
"""

import fcntl
import os
import sys
from contextlib import suppress
from typing import Final, NamedTuple

from gateway.content.unixfs import Piece

CAN_SEND_FILES: Final = sys.platform == "linux"
"""Elsewhere there are no memfds, and sendfile is another call."""

_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


class FileBody:
    """A complete body; its file goes with the last one who knows of it."""

    __slots__ = ("_size", "fd")

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        """Of the file, to read from."""
        self._size = size

    def __len__(self) -> int:
        """Return its bytes."""
        return self._size

    def __del__(self) -> None:
        """Give its memory back, once no answer is on its way any more."""
        with suppress(OSError):
            os.close(self.fd)


class FilePart(NamedTuple):
    """A part of a body, or all of it: `start` to just before `stop`."""

    file: FileBody
    start: int
    stop: int

    @property
    def size_bytes(self) -> int:
        """How much it is."""
        return self.stop - self.start


class BodyWriter:
    """A body that is being written; dropped without a trace unless it is finished."""

    def __init__(self) -> None:
        """Make an empty file.

        Raises:
            OSError: there is no memory or no descriptor left.
        """
        self._body = FileBody(os.memfd_create("body", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), 0)
        self._size = 0

    def write(self, piece: Piece) -> None:
        """Append verified bytes.

        Raises:
            OSError: there is no memory left.
        """
        rest = memoryview(piece)
        while rest:
            written = os.write(self._body.fd, rest)
            self._size += written
            rest = rest[written:]

    def finish(self) -> FileBody:
        """Seal the file and return the body. Nothing may be written afterwards."""
        fd = os.dup(self._body.fd)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        return FileBody(fd, self._size)
