"""Taking blocks out on an operator's order, and telling all processes that use the directory.

What was purged is logged in the index. The writer of each process reads the log at every turn, at
least once a second, so that its process drops the same blocks from memory.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.cache.disk.files import BlockFiles
from gateway.cache.disk.index import Index, IndexUnavailable
from gateway.ports import Purged

MAX_NAMED: Final = 1000
"""Of a purge with more blocks than this the log says "everything": memory is refilled from the
disk in no time, and a million rows would hold up every writer."""
MAX_LOGGED: Final = 10_000
"""Rows of the log that are kept; a process that was not there for so many drops everything."""


class Purges(NamedTuple):
    """What was purged since a place in the log."""

    last: int
    """The place in the log to go on from."""
    keys: list[bytes]
    is_all: bool
    """Whether everything must be taken for purged, because it is not known what was."""


NO_PURGES: Final = Purges(0, [], is_all=False)


def purge(index: Index, files: BlockFiles, keys: Sequence[bytes], *, is_named: bool) -> Purged:
    """Take blocks out of the disk tier, in one transaction; pinned ones stay.

    Args:
        index: of the writer.
        files: large blocks.
        keys: multihashes.
        is_named: whether the log names the blocks, or says "everything".

    Raises:
        IndexDamaged, IndexUnavailable: it cannot be done, at least not in whole.
    """
    blocks = size = pinned = 0
    with index.transaction():
        for key in keys:
            if index.execute("SELECT 1 FROM pinned WHERE key = ? LIMIT 1", key):
                pinned += 1
                continue
            found = _remove(index, files, key)
            if found is not None:
                blocks += 1
                size += found
        _log(index, keys if is_named else [None])
    return Purged(blocks, size, pinned)


def purges_after(index: Index, last: int) -> Purges:
    """Return what was purged, by any process, since `last`; negative for nothing but the place."""
    newest = index.execute("SELECT coalesce(max(id), 0) FROM purges")[0][0]
    if newest == last or last < 0:
        return Purges(newest, [], is_all=False)
    rows = index.execute("SELECT key FROM purges WHERE id > ?", last)
    keys = [key for (key,) in rows if key is not None]
    # Fewer rows than numbers: some are gone already. An older number: another index.
    return Purges(newest, keys, is_all=len(keys) != newest - last)


def _remove(index: Index, files: BlockFiles, key: bytes) -> int | None:
    """Remove one block, wherever it is; return its size if it was there."""
    size = files.size(key)
    if size is not None:
        try:
            files.remove(key)
        except OSError as exc:
            raise IndexUnavailable(f"a block cannot be purged: {exc}") from exc
    entry = index.entry(key)
    if entry is not None:
        index.remove([entry.id])
        return entry.size
    return size


def _log(index: Index, keys: Sequence[bytes | None]) -> None:
    for key in keys:
        index.execute("INSERT INTO purges (key) VALUES (?)", key)
    index.execute("DELETE FROM purges WHERE id <= (SELECT max(id) FROM purges) - ?", MAX_LOGGED)
