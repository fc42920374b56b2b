"""One batch of writes, all or nothing in the index.

Files are written aside first and moved to their places inside the transaction that enters them, as
evictions delete them inside of theirs: the lock of the index keeps the two apart, in all processes.
"""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.cache.disk.commands import Store
from gateway.cache.disk.files import BlockFiles, FileDamaged
from gateway.cache.disk.index import Index
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.disk.schema import cost_of
from gateway.cache.states import MIN_FILE_BYTES
from gateway.content.block import make_tag

HEADROOM_BYTES: Final = 512 * 1024
"""What a transaction of the index may need, its journal included."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True)
class _Write:
    key: bytes
    data: bytes
    staged: str | None = None
    """The temporary file, until it is in its place."""
    tag: bytes | None = None
    is_placed: bool = False
    is_ours: bool = False
    """Whether this batch made the file, so that it may take it back."""

    @property
    def is_file(self) -> bool:
        return len(self.data) >= MIN_FILE_BYTES


@dataclass(slots=True)
class Batch:
    """Blocks on their way to the disk, and which of them did not arrive."""

    files: BlockFiles
    quarantine: Quarantine
    used_ms: int
    """When its blocks are said to have been used."""
    tag_key: bytes | None = None
    """Of the tags that blocks get; None for no tags."""
    written: list[_Write] = field(default_factory=list)
    lost: int = 0
    """Blocks that could not be written."""
    error: str = ""
    """Why, for the last of them."""
    missing_bytes: int = 0
    """What did not fit on the file system."""
    quarantined: int = 0
    """Damaged files that stood in the way and were moved aside."""

    def stage(self, stores: Sequence[Store]) -> None:
        """Write what belongs in files aside; what is there already is not written again."""
        for key, data in stores:
            write = _Write(key, data)
            if self.tag_key is not None:
                write.tag = make_tag(self.tag_key, key, data)
            try:
                if write.is_file and not self._is_there(write):
                    write.staged = self.files.stage(data)
                    write.is_ours = True
            except OSError as exc:
                self._lose(write, exc)
            else:
                self.written.append(write)
        if self.missing_bytes:
            self._leave_headroom()

    @property
    def incoming_bytes(self) -> int:
        """What the batch adds to the disk, if nothing of it is there."""
        return sum(cost_of(len(write.data)) for write in self.written)

    @property
    def row_bytes(self) -> int:
        """What of that goes into the index."""
        return sum(cost_of(len(write.data)) for write in self.written if not write.is_file)

    def enter(self, index: Index) -> None:
        """Put the files in their places and enter all blocks; inside a transaction.

        May be called again with another index when the first one turned out to be replaced.
        """
        for write in tuple(self.written):
            try:
                is_there = not write.is_file or self._place(write)
            except OSError as exc:
                self._lose(write, exc)
                is_there = False
            if not is_there:
                self.written.remove(write)
                continue
            blob = None if write.is_file else write.data
            index.add(write.key, len(write.data), self.used_ms, blob, write.tag)

    def finish(self) -> list[bytes]:
        """Return the keys of what is on the disk now; nothing can be given up any more."""
        keys = [write.key for write in self.written]
        self.written.clear()
        return keys

    def give_up(self, error: Exception) -> None:
        """Take back everything: the index could not enter it."""
        for write in self.written:
            self._lose(write, error)
            if write.is_placed and write.is_ours:
                self._remove(write)
        self.written.clear()

    def _is_there(self, write: _Write) -> bool:
        """Tell whether the right bytes are at their place; a damaged file is moved aside.

        A block that was fetched although its file is there is no accident: it heals the file.
        """
        try:
            found = self.files.read(write.key)
        except FileDamaged:
            found = b""
        except OSError:  # out of descriptors or memory: the file may be fine
            return True
        if found is not None and found != write.data:
            self.quarantined += self.quarantine.take(Path(self.files.path(write.key)))
        return found == write.data

    def _leave_headroom(self) -> None:
        """Give up files until the index, too, can be written on a file system that is full."""
        room = 0
        for write in [write for write in self.written if write.staged is not None]:
            if room >= HEADROOM_BYTES:
                return
            room += len(write.data)
            self.written.remove(write)
            self._lose(write, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def _place(self, write: _Write) -> bool:
        if write.staged is not None:
            self.files.place(write.staged, write.key)
            write.staged, write.is_placed = None, True
        # One that was there may have been evicted while the batch was on its way: then it is
        # simply not kept.
        return write.is_placed or self.files.size(write.key) is not None

    def _lose(self, write: _Write, error: Exception) -> None:
        self.lost += 1
        self.error = str(error)
        if isinstance(error, OSError) and error.errno in _FULL:
            self.missing_bytes += cost_of(len(write.data))
        if write.staged is not None:
            self.files.temporary.discard(write.staged)

    def _remove(self, write: _Write) -> None:
        try:
            self.files.remove(write.key)
        except OSError as exc:  # then the next scan enters it
            self.error = str(exc)
