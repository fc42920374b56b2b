"""Files and index brought together, in steps of a few milliseconds.

After a kill there may be files that the index does not count, and after the loss of the index none
is counted; files may have been deleted by hand. The scan enters the ones, drops the others, and
counts anew. It does not read the blocks: that happens when somebody asks for them.
"""

from collections.abc import Generator, Iterable
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from gateway.cache.disk.file_lock import FileLock
from gateway.cache.disk.files import BlockFiles, Found
from gateway.cache.disk.index import Entry, Index, IndexDamaged, IndexUnavailable
from gateway.cache.disk.quarantine import Quarantine
from gateway.cache.states import IndexState
from gateway.ports import Clock

STEP_ENTRIES: Final = 500
"""Files or rows looked at in one step: some 5 ms."""
SCAN_INTERVAL_S: Final = 24 * 3600.0
"""How often a process that runs on scans again: what was lost by then is little."""


class Step(NamedTuple):
    """What one step of a scan found."""

    known: list[bytes]
    """Multihashes of blocks that are there."""
    quarantined: int
    """Things that were no blocks."""


def scan(index: Index, files: BlockFiles, quarantine: Quarantine) -> Generator[Step, None, None]:
    """Bring the index in line with the files; each `next` is one step.

    Raises:
        IndexDamaged, IndexUnavailable: from any step; a scan that ended so starts again.
    """
    files.temporary.remove_orphans()
    for folder in files.folders():
        yield from _enter_files(index, files, quarantine, folder)
    last_id = 0
    while entries := index.entries_after(last_id, STEP_ENTRIES):
        last_id = entries[-1].id
        yield Step(_drop_lost(index, files, entries), 0)
    with index.transaction():
        index.recount()


def _enter_files(
    index: Index, files: BlockFiles, quarantine: Quarantine, folder: Path
) -> Generator[Step, None, None]:
    listing = files.list_folder(folder)
    while batch := _next_batch(listing):
        found = [item for item in batch if isinstance(item, Found)]
        strange = [item for item in batch if isinstance(item, Path)]
        _enter(index, files, found)
        yield Step([], sum(quarantine.take(path) for path in strange))


def _next_batch(listing: Iterable[Found | Path]) -> list[Found | Path]:
    try:
        return list(islice(listing, STEP_ENTRIES))
    except OSError:  # deleted or unreadable: what is not listed is not counted
        return []


def _enter(index: Index, files: BlockFiles, found: list[Found]) -> None:
    sizes = index.sizes([item.key for item in found])
    unknown = [item for item in found if sizes.get(item.key) != item.size]
    if not unknown:
        return
    with index.transaction():
        for key, size, used_ms in unknown:
            if files.size(key) != size:  # evicted or written again since it was listed
                continue
            entry = index.entry(key)
            if entry is not None:
                index.remove([entry.id])
            index.add(key, size, used_ms, None)


def _drop_lost(index: Index, files: BlockFiles, entries: list[Entry]) -> list[bytes]:
    lost = {e.id for e in entries if e.is_file and files.size(e.key) is None}
    if lost:
        with index.transaction():
            index.remove(e.id for e in entries if e.id in lost and files.size(e.key) is None)
    return [e.key for e in entries if e.id not in lost]


class Sweep:
    """When to scan, and which process does it. Belongs to the writer thread."""

    def __init__(
        self, directory: Path, files: BlockFiles, quarantine: Quarantine, clock: Clock
    ) -> None:
        """Make a sweep that does nothing before `begin`."""
        self._files = files
        self._quarantine = quarantine
        self._clock = clock
        self._lock = FileLock(str(directory / "scan.lock"))
        self._steps: Generator[Step, None, None] | None = None
        self._ended_s = 0.0
        self.state = IndexState.OPENING
        """`REBUILDING` or `CHECKING` until the scan is over, then `READY`."""

    def begin(self, *, is_new: bool) -> None:
        """Start over, with an index that was just opened; `is_new` when it was just made."""
        self.stop()
        self.state = IndexState.REBUILDING if is_new else IndexState.CHECKING

    def step(self, index: Index) -> Step | None:
        """Do a step if there is one to do, None if not (another process may be scanning).

        Raises:
            IndexDamaged, IndexUnavailable: the scan starts again with the next step.
        """
        if self.state is IndexState.READY:
            if self._clock.monotonic() - self._ended_s < SCAN_INTERVAL_S:
                return None
            self.begin(is_new=False)
        if self._steps is None:
            if not self._acquire():
                return None
            self._steps = scan(index, self._files, self._quarantine)
        try:
            return next(self._steps)
        except StopIteration:
            self.state = IndexState.READY
            self._ended_s = self._clock.monotonic()
            self.stop()
            return None
        except (IndexDamaged, IndexUnavailable):
            self.stop()
            raise

    def stop(self) -> None:
        """End the scan, if one is under way, and let other processes scan."""
        self._steps = None
        self._lock.release()

    def _acquire(self) -> bool:
        try:
            return self._lock.acquire()
        except OSError:
            return False
