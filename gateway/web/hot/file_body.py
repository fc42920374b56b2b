"""Whole bodies in anonymous files, which the kernel sends by itself.

`gateway.web.hot.body_builder` writes only verified bytes. A complete file is sealed: no process can
change, shorten or lengthen it any more (memfd_create(2), fcntl(2)). Its pages are ordinary memory
and count against `cache.memory_size`.
"""

import fcntl
import os
import sys
from contextlib import suppress
from typing import Final, NamedTuple

from gateway.content.unixfs import Piece

CAN_SEND_FILES: Final = sys.platform == "linux"
"""Only Linux has memfds, and its sendfile differs from that of other systems."""

_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


class FileBody:
    """A complete body; its file is closed with the last reference to it."""

    __slots__ = ("_size", "fd")

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        """Descriptor of the file, for reading."""
        self._size = size

    def __len__(self) -> int:
        """Return the size in bytes."""
        return self._size

    def __del__(self) -> None:
        """Close the file, which frees its memory; an answer under way keeps a reference."""
        with suppress(OSError):
            os.close(self.fd)


class FilePart(NamedTuple):
    """A part of a body, or all of it: `start` to just before `stop`."""

    file: FileBody
    start: int
    stop: int

    @property
    def size_bytes(self) -> int:
        """Size of the part."""
        return self.stop - self.start


class BodyWriter:
    """A body that is being written; its file is closed unless `finish` is called."""

    def __init__(self) -> None:
        """Make an empty file.

        Raises:
            OSError: no memory or no descriptor is left.
        """
        self._body = FileBody(os.memfd_create("body", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), 0)
        self._size = 0

    def write(self, piece: Piece) -> None:
        """Append verified bytes.

        Raises:
            OSError: no memory is left.
        """
        rest = memoryview(piece)
        while rest:
            written = os.write(self._body.fd, rest)
            self._size += written
            rest = rest[written:]

    def finish(self) -> FileBody:
        """Seal the file and return the body; call no other method afterwards."""
        fd = os.dup(self._body.fd)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        return FileBody(fd, self._size)
