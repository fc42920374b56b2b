"""Large blocks, a file each: `blocks/<last 2 characters>/<base16 of the multihash>`.

The folder is named by the end of the name, because every multihash begins alike. Base16 and not 32,
because Python makes it in 0.2 us and base32 in 8 (25 on slow machines), at every read. A file
appears whole or not at all (temporary file, then rename); nothing is synced, because each read is
verified.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from gateway.cache.disk.folder import CacheFolder, make_folder
from gateway.cache.disk.temporary import TemporaryFolder
from gateway.cache.states import MIN_FILE_BYTES
from gateway.content.block import MAX_BLOCK_BYTES

MAX_NOW_BYTES: Final = 1025 * 1024
"""Largest block that is read and hashed where others wait: leaves of 1 MiB are, in 0.7 ms (3 ms
without SHA instructions)."""

# O_NONBLOCK: opening a pipe that somebody put in a block's place must not hang.
_READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_OUT_OF_RESOURCES: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM, errno.EINTR}
)
_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


class FileDamaged(Exception):
    """Something is at a block's place that is not a readable block."""


class Found(NamedTuple):
    """A file that a listing found."""

    key: bytes
    size: int
    used_ms: int
    """When it was written, in milliseconds since the epoch."""


def parse_file_name(name: str) -> bytes | None:
    """Return the multihash that a file is named after, None if it is not a name of ours."""
    try:
        key = bytes.fromhex(name)
    except ValueError:
        return None
    return key if key.hex() == name else None


class BlockFiles:
    """The files below one cache directory.

    Methods may be called from any thread; those that write belong to one thread a process, and
    several processes may share the directory.
    """

    def __init__(self, directory: Path) -> None:
        """Remember the directory; `directory` and what it needs is made by `prepare`."""
        self._folder = CacheFolder(directory)
        self._blocks = directory / "blocks"
        self._prefix = f"{self._blocks}/"
        self.temporary = TemporaryFolder(directory / "temp")

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            ForeignFolder: one of them is not ours.
            OSError: they cannot be made.
        """
        self._folder.claim()
        make_folder(self._blocks)
        self.temporary.open()

    def path(self, key: bytes) -> str:
        """Return where the block with this multihash is or would be."""
        name = key.hex()
        return f"{self._prefix}{name[-2:]}/{name}"

    def read(self, key: bytes) -> bytes | None:
        """Return the bytes of a file, unverified; None if there is none.

        Raises:
            FileDamaged: a link, folder, too large a file, or one that the disk cannot read.
            OSError: no memory, descriptors or permission: the file may be fine.
        """
        try:
            fd = os.open(self.path(key), _READ_FLAGS)
        except FileNotFoundError:
            return None
        except OSError as exc:
            if exc.errno in _NOT_THERE:
                return None
            raise _translated(exc) from exc
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BLOCK_BYTES:
                raise FileDamaged(f"{status.st_size} bytes of mode {status.st_mode:o}")
            return os.read(fd, status.st_size)
        except OSError as exc:
            raise _translated(exc) from exc
        finally:
            os.close(fd)

    def peek_disk(self, key: bytes) -> bytes | None:
        """Return the bytes of a file if they are in memory, unverified; None otherwise.

        Asked of its first and its last byte: files are read whole, and forgotten by the system in
        the order in which they were read.
        """
        if sys.platform != "linux":
            return None  # nobody else tells what is in memory
        try:
            fd = os.open(self.path(key), _READ_FLAGS)
        except OSError:
            return None
        try:
            status = os.fstat(fd)
            size = status.st_size
            if not stat.S_ISREG(status.st_mode) or not MIN_FILE_BYTES <= size <= MAX_NOW_BYTES:
                return None
            for position in (0, size - 1):
                os.preadv(fd, [bytearray(1)], position, os.RWF_NOWAIT)
            return os.read(fd, size)
        except OSError:  # it would have to wait (EAGAIN), or this file system cannot tell
            return None
        finally:
            os.close(fd)

    def size(self, key: bytes) -> int | None:
        """Return the bytes of the file of a block, None if there is no regular file."""
        try:
            status = os.lstat(self.path(key))
        except OSError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def stage(self, data: bytes) -> str:
        """Write a temporary file and return its path, for `place`.

        Raises:
            OSError: it could not be written whole; nothing is left of it.
        """
        try:
            return self.temporary.write(data)
        except FileNotFoundError:  # somebody deleted the directory
            self.prepare()
            return self.temporary.write(data)

    def place(self, staged: str, key: bytes) -> None:
        """Move a staged file to its place; what is there already is replaced.

        Raises:
            OSError: it could not; the staged file may still be there.
        """
        target = self.path(key)
        try:
            os.replace(staged, target)  # noqa: PTH105 (4 us less than Path; once a block)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)  # noqa: PTH103, PTH120
            os.replace(staged, target)  # noqa: PTH105

    def remove(self, key: bytes) -> None:
        """Delete the file of a block; a file that is not there is no error.

        Raises:
            OSError: it is there and cannot be deleted.
        """
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(self.path(key))  # noqa: PTH108 (once a block)

    def folders(self) -> list[Path]:
        """Return what is in the folder of folders, in order; not all of it need be ours."""
        if self._blocks.is_symlink():
            return []
        try:
            return sorted(self._blocks.iterdir())
        except OSError:
            return []

    def list_folder(self, folder: Path) -> Iterator[Found | Path]:
        """List one folder: block files, and the paths of things that cannot be one.

        Raises:
            OSError: the folder cannot be listed.
        """
        if not stat.S_ISDIR(folder.lstat().st_mode):
            yield folder
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                yield self._examine(entry)

    def _examine(self, entry: os.DirEntry[str]) -> Found | Path:
        path = Path(entry)
        key = parse_file_name(entry.name)
        if key is None or self.path(key) != str(path):
            return path
        status = entry.stat(follow_symlinks=False)
        is_plausible = MIN_FILE_BYTES <= status.st_size <= MAX_BLOCK_BYTES
        if not is_plausible or not stat.S_ISREG(status.st_mode):
            return path
        return Found(key, status.st_size, status.st_mtime_ns // 1_000_000)


def _translated(exc: OSError) -> Exception:
    if exc.errno in _OUT_OF_RESOURCES:
        return exc
    return FileDamaged(str(exc))
