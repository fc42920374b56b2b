"""The cache directory is ours alone: a marker in it says so, and without it nothing is deleted.

Files that do not belong into a cache are moved aside, orphans are deleted: right in a folder of our
own, a disaster in a repository of Kubo, which has a `blocks` and a `temp`, too.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

MARKER: Final = "ipfs-gateway-cache"
_TEXT: Final = b"This folder belongs to ipfs-gateway: whatever else is put here may be deleted.\n"

_FOLDERS: Final = ("blocks", "temp", "quarantine")
_INDEX: Final = re.compile(r"index-[0-9a-f]+\.sqlite")
"""What versions before the marker have in every cache."""
_HARMLESS: Final = frozenset(
    {
        "lost+found",  # of file systems: a volume with nothing else is empty
        "index.lock",
        "pins.json",
        "pins.lock",
        "pins-book.lock",
        "scan.lock",
        "scrub.lock",
    }
)
"""Names that say nothing: ours that may be there before the marker, or outlive it."""

_WRITE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class ForeignFolder(OSError):
    """A folder that is not ours: nothing may be made, moved or deleted there."""


def why_foreign(directory: Path) -> str:
    """Say why a folder cannot be a cache; nothing when it is one, or is empty or not there.

    Raises:
        OSError: it cannot be looked at.
    """
    if not directory.exists():
        return ""
    for name in _FOLDERS:
        if (directory / name).is_symlink():
            return f"{name} in it is a link, and may lead to files of somebody else"
    stranger = next(_strangers(directory), None)
    if stranger is None or _is_marked(directory):
        return ""
    return (
        f"is not a cache of this gateway: {stranger} is in it, and a cache deletes what is not its "
        f"own. Name an empty folder; if nothing in it is of value, make a file {MARKER} there"
    )


def _strangers(directory: Path) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name not in _HARMLESS:
                yield entry.name


def _is_marked(directory: Path) -> bool:
    """Tell whether the marker is there, or the index of a version that made no marker."""
    if _is_regular(directory / MARKER):
        return True
    names = [name for name in _strangers(directory) if _INDEX.fullmatch(name)]
    return any(_is_regular(directory / name) for name in names)


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def make_folder(folder: Path) -> None:
    """Make a private folder unless it is there; a link in its place is not followed.

    Raises:
        ForeignFolder: it is something else.
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise ForeignFolder(f"{folder} is not a folder of its own")


class CacheFolder:
    """One process's claim to a cache directory."""

    def __init__(self, directory: Path) -> None:
        """Remember the directory; `claim` makes it ours."""
        self._directory = directory
        self._claimed: tuple[int, int] | None = None

    def claim(self) -> None:
        """Make the directory and mark it, unless it is ours already.

        A folder that this process has claimed stays ours, whatever was deleted in it meanwhile.

        Raises:
            ForeignFolder: it is somebody else's.
            OSError: it cannot be made or marked.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = self._directory.stat()
        identity = (status.st_dev, status.st_ino)
        if identity != self._claimed and (reason := why_foreign(self._directory)):
            raise ForeignFolder(f"{self._directory} {reason}")
        if not _is_regular(self._directory / MARKER):
            self._mark()
        self._claimed = identity

    def _mark(self) -> None:
        fd = os.open(self._directory / MARKER, _WRITE_FLAGS, 0o600)
        try:
            os.write(fd, _TEXT)
        finally:
            os.close(fd)
