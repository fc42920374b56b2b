"""Files that are being written: a folder for each process, locked while it lives.

The lock says which folders are orphans: the kernel drops it when the process dies, so that what a
killed process left is deleted at the next start, and what a living one writes is not.
"""

import itertools
import os
import secrets
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.cache.disk.file_lock import lock_descriptor
from gateway.cache.disk.folder import make_folder

_WRITE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTEMPTS: Final = 10  # another process takes a new folder for an orphan only by rare chance


class TemporaryFolder:
    """This process's folder below the one where all processes have theirs."""

    def __init__(self, parent: Path) -> None:
        """Remember `parent`; `open` makes the folder."""
        self._parent = parent
        self._folder: Path | None = None
        self._fd = -1
        self._serial = itertools.count()

    def open(self) -> None:
        """Make and lock a new folder, if the one in use is gone.

        Raises:
            OSError: it cannot be made.
        """
        if self._folder is not None and self._folder.is_dir():
            return
        self.close()
        make_folder(self._parent)
        for _ in range(_ATTEMPTS):
            folder = self._parent / secrets.token_hex(8)
            folder.mkdir(mode=0o700)
            with suppress(FileNotFoundError):
                if self._lock(folder):
                    return
        raise FileNotFoundError(f"no folder below {self._parent} stays")

    def _lock(self, folder: Path) -> bool:
        fd = os.open(folder, _FOLDER_FLAGS)
        if lock_descriptor(fd) and folder.exists():
            self._folder, self._fd = folder, fd
            return True
        os.close(fd)
        return False

    def write(self, data: bytes) -> str:
        """Write a new file and return its path.

        Raises:
            FileNotFoundError: the folder is gone, or was never opened.
            OSError: the file could not be written whole; nothing is left of it.
        """
        path = f"{self._folder}/{next(self._serial)}"
        fd = os.open(path, _WRITE_FLAGS, 0o600)
        try:
            rest = memoryview(data)
            while rest:  # a disk that fills up takes a part first
                rest = rest[os.write(fd, rest) :]
        except OSError:
            self.discard(path)
            raise
        finally:
            os.close(fd)
        return path

    def discard(self, path: str) -> None:
        """Delete a file that will not be used."""
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 (one style with the writes)

    def remove_orphans(self) -> int:
        """Delete the folders of processes that are dead, and what else is there; count them."""
        if self._parent.is_symlink():
            return 0
        try:
            candidates = [path for path in self._parent.iterdir() if path != self._folder]
        except OSError:
            return 0
        return sum(_remove_if_orphan(path) for path in candidates)

    def close(self) -> None:
        """Delete the folder and give its lock back."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            os.close(self._fd)
            self._folder, self._fd = None, -1


def _remove_if_orphan(path: Path) -> bool:
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return True
        fd = os.open(path, _FOLDER_FLAGS)
    except OSError:
        return False
    try:
        if not lock_descriptor(fd):
            return False
        shutil.rmtree(path, ignore_errors=True)
        return True
    finally:
        os.close(fd)
