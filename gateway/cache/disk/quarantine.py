"""Where damaged files go: out of the way, but still there for who wants to know why."""

import itertools
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.ports import Clock

MAX_FILES: Final = 100
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_SHARE: Final = 16
"""The quarantine never takes more than this part (1/16) of the disk tier's limit."""


class Quarantine:
    """A folder of damaged files, bounded in number and bytes; the oldest are deleted.

    Safe to use from several threads and processes: names do not collide, and a file that another
    one deleted first is no error.
    """

    def __init__(self, folder: Path, limit_bytes: int, clock: Clock) -> None:
        """Remember where the quarantine is; nothing is made before it is needed.

        Args:
            folder: absolute path.
            limit_bytes: limit of the disk tier that it is a part of.
            clock: dates the names, so that they sort by age.
        """
        self._folder = folder
        self._max_bytes = min(MAX_BYTES, limit_bytes // MAX_SHARE)
        self._clock = clock
        self._serial = itertools.count()

    def take(self, path: Path) -> bool:
        """Move a file, link or folder here; tell whether this call did so.

        What cannot be moved (read-only file system, another process was faster) stays.
        """
        if self._folder.is_symlink():
            return False
        stamp = f"{int(self._clock.now() * 1000):013d}-{os.getpid()}-{next(self._serial)}"
        target = self._folder / f"{stamp}-{path.name}"
        try:
            try:
                path.rename(target)
            except FileNotFoundError:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                path.rename(target)
        except OSError:
            return False
        self._trim()
        return True

    def size_bytes(self) -> int:
        """Return what all that is in the quarantine takes on the file system now."""
        return sum(size for _, size in self._files())

    def _files(self) -> list[tuple[Path, int]]:
        try:
            with os.scandir(self._folder) as entries:
                return [(Path(entry), _allocated_below(Path(entry))) for entry in entries]
        except OSError:
            return []

    def _trim(self) -> None:
        files = sorted(self._files())
        total = sum(size for _, size in files)
        excess = len(files) - MAX_FILES
        for index, (path, size) in enumerate(files):
            if index >= excess and total <= self._max_bytes:
                return
            _delete(path)
            total -= size


def allocated_bytes(path: Path) -> int:
    """Return what a file, or a folder without what is in it, takes; nothing if it is not there."""
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


def _allocated_below(path: Path) -> int:
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
    return allocated_bytes(path) + sum(map(allocated_bytes, inside))


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()
