"""Which file is the index: opening it, replacing it, noticing that another process replaced it.

Each index has a name of its own (`index-<random>.sqlite`). SQLite names a journal after its
database, so a process that still has the old file open can never mix its journal into the new one.
"""

import logging
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.cache.disk.file_lock import FileLock
from gateway.cache.disk.index import Index, IndexUnavailable
from gateway.cache.disk.quarantine import Quarantine

_PATTERN: Final = "index-*.sqlite"
_JOURNAL_SUFFIX: Final = "-journal"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Epoch:
    """Shared by the threads of a process; the writer changes it when the index is another one."""

    number: int = 0


class IndexHandle:
    """One thread's way to the index; opens it when it is first needed."""

    def __init__(self, directory: Path, busy_timeout_s: float, epoch: Epoch) -> None:
        """Remember where the index is and how long to wait for its locks."""
        self._directory = directory
        self._busy_timeout_s = busy_timeout_s
        self._epoch = epoch
        self._seen = epoch.number
        self._index: Index | None = None
        self.path: Path | None = None
        """The file that was opened last, or that could not be opened."""

    def get(self) -> Index:
        """Return the open index.

        Raises:
            IndexDamaged, IndexUnavailable: it cannot be opened.
        """
        if self._seen != self._epoch.number:
            self.close()
        if self._index is None:
            self._seen = self._epoch.number
            paths = self._candidates()
            if not paths:
                raise IndexUnavailable("there is no index")
            self.path = paths[0]
            self._index = Index(paths[0], self._busy_timeout_s)
        return self._index

    def is_current(self) -> bool:
        """Tell whether an index is open and still the one in the directory."""
        return self._index is not None and self._index.is_current()

    def close(self) -> None:
        """Close the index, if it is open."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def _candidates(self) -> list[Path]:
        try:
            return sorted(self._directory.glob(_PATTERN))
        except OSError as exc:
            raise IndexUnavailable(str(exc)) from exc


class IndexOwner(IndexHandle):
    """The writer's way to the index: makes one if there is none, replaces a damaged one."""

    def __init__(
        self, directory: Path, busy_timeout_s: float, epoch: Epoch, quarantine: Quarantine
    ) -> None:
        """Remember where the index is, and where damaged ones go."""
        super().__init__(directory, busy_timeout_s, epoch)
        self._quarantine = quarantine

    def ensure(self) -> bool:
        """Open the index, after making one if there is none; tell whether it was made.

        Raises:
            IndexDamaged, IndexUnavailable: it cannot be made or opened.
        """
        if self.is_current():
            return False
        self.close()
        self._epoch.number += 1
        made = self._make_if_none()
        self.get()
        return made

    def replace(self, damaged: Path) -> bool:
        """Move a damaged index to the quarantine; tell whether this process did it.

        `ensure` makes the next one.

        Raises:
            IndexUnavailable: it cannot be moved.
        """
        if not (damaged.exists() or damaged.is_symlink()):
            return False
        self.close()
        with self._lock():
            taken = self._quarantine.take(damaged)
            self._quarantine.take(damaged.with_name(damaged.name + _JOURNAL_SUFFIX))
        if damaged.exists() or damaged.is_symlink():
            raise IndexUnavailable("the damaged index cannot be moved away")
        if taken:
            _log.warning(
                "the index of the disk cache was damaged, or of an older version: it is rebuilt"
            )
        return taken

    def _make_if_none(self) -> bool:
        if len(self._candidates()) == 1:
            return False
        with self._lock():
            paths = self._candidates()
            for surplus in paths[1:]:
                self._quarantine.take(surplus)
            if paths:
                return False
            self._make()
            return True

    def _make(self) -> None:
        name = f"index-{secrets.token_hex(4)}.sqlite"
        unfinished = self._directory / "temp" / name
        Index.create(unfinished)
        try:
            unfinished.rename(self._directory / name)
        except OSError as exc:
            raise IndexUnavailable(str(exc)) from exc

    def _lock(self) -> FileLock:
        lock = FileLock(str(self._directory / "index.lock"))
        try:
            if not lock.acquire():
                raise IndexUnavailable("another process is replacing the index")
        except OSError as exc:
            raise IndexUnavailable(str(exc)) from exc
        return lock
