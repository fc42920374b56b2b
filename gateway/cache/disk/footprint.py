"""What a cache directory takes besides blocks, so that all of it together stays below its limit.

Three parts. The index: small blocks count by `cost_of`, but evictions leave pages half empty, so
what its pages take beyond that is counted here. The folders, which are lists of names and never
become smaller. And room that must be there before it is needed: free pages, and the journal.
"""

import math
from pathlib import Path
from typing import Final

from gateway.cache.disk.index import Index
from gateway.cache.disk.quarantine import Quarantine, allocated_bytes
from gateway.cache.disk.schema import FILE_SYSTEM_BLOCK, PAGE_BYTES
from gateway.ports import Clock

LEAST_LIMIT_BYTES: Final = 16 * 1024 * 1024
"""Smaller limits are not held: the folders alone take 1 MiB, and blocks get half of the limit,
whatever the rest takes."""
SPARE_SHARE: Final = 64
"""Free pages that stay in the index for the next small blocks: 1/64 of the limit, but at most
`MAX_SPARE_BYTES`."""
MAX_SPARE_BYTES: Final = 4 * 1024 * 1024
JOURNAL_SHARE: Final = 8
"""What is left for the journal: 1/8 of the limit, but at most `MAX_JOURNAL_BYTES`. It takes up to
2.4 MiB while 2 MiB of free pages are given back, or 512 uses written among a million rows."""
MAX_JOURNAL_BYTES: Final = 4 * 1024 * 1024
PLAUSIBLE_SHARE: Final = 8
"""An index with more than this part (1/8) of the limit beyond its rows is counted anew before that
is believed, because a flipped bit in the totals must not empty the cache."""
RECOUNT_INTERVAL_S: Final = 3600.0
"""How often at most: pages that are half empty are no error, and a million rows take 0.5 s."""
FOLDERS: Final = 256
"""Below `blocks`: each is made with its first file and stays."""
MEASURE_INTERVAL_S: Final = 1.0
"""How often the folders are measured: 0.5 ms; in a second they hardly grow."""


def least_room(limit_bytes: int) -> int:
    """Return what blocks may take at least, in a directory with this limit.

    A quarter: SQLite merges pages that are less than a third full, so the index can take three
    times its rows.
    """
    return limit_bytes // (2 if limit_bytes < LEAST_LIMIT_BYTES else 4)


class Footprint:
    """Says how much blocks may take below a limit. Belongs to the writer thread."""

    def __init__(
        self, directory: Path, limit_bytes: int, quarantine: Quarantine, clock: Clock
    ) -> None:
        """Measure nothing yet.

        Args:
            directory: of the cache.
            limit_bytes: of all that is in it.
            quarantine: a part of that.
            clock: says when to measure again.
        """
        self._directory = directory
        self.limit_bytes = limit_bytes
        """Of all that is in the directory."""
        self._quarantine = quarantine
        self._clock = clock
        self._reserve_bytes = min(MAX_JOURNAL_BYTES, limit_bytes // JOURNAL_SHARE)
        self._measured_s = -math.inf
        self._folder_bytes = 0
        self._counted_s = -math.inf
        self.spare_bytes = min(MAX_SPARE_BYTES, limit_bytes // SPARE_SHARE)
        """Of free pages that stay in the index."""

    def room(self, index: Index) -> int:
        """Return what all blocks may take by `cost_of`.

        Raises:
            IndexDamaged, IndexUnavailable: as every look into the index.
        """
        beyond = self._beyond_rows(index)
        if beyond > self.limit_bytes // PLAUSIBLE_SHARE and self._may_recount():
            with index.transaction():
                index.recount()
            beyond = self._beyond_rows(index)
        rest = beyond + self.spare_bytes + self._reserve_bytes + self._measure()
        return max(least_room(self.limit_bytes), self.limit_bytes - max(0, rest))

    def _may_recount(self) -> bool:
        now_s = self._clock.monotonic()
        if now_s - self._counted_s < RECOUNT_INTERVAL_S:
            return False
        self._counted_s = now_s
        return True

    @staticmethod
    def _beyond_rows(index: Index) -> int:
        """Return what the pages in use take beyond the rows that are counted; may be negative."""
        ((pages,),) = index.execute("PRAGMA page_count")
        ((free,),) = index.execute("PRAGMA freelist_count")
        used: int = (pages - free) * PAGE_BYTES
        return used - index.row_bytes()

    def _measure(self) -> int:
        now_s = self._clock.monotonic()
        if now_s - self._measured_s >= MEASURE_INTERVAL_S:
            self._measured_s = now_s
            self._folder_bytes = self._measure_folders() + self._measure_top()
        return self._folder_bytes + self._quarantine.size_bytes()

    def _measure_folders(self) -> int:
        folders = _entries(self._directory / "blocks")
        return max(sum(map(allocated_bytes, folders)), FOLDERS * FILE_SYSTEM_BLOCK)

    def _measure_top(self) -> int:
        """Return what the folders themselves and the files beside the index take."""
        here = [path for path in _entries(self._directory) if not path.name.startswith("index-")]
        temporary = _entries(self._directory / "temp")  # a folder for each process
        return sum(map(allocated_bytes, [self._directory, *here, *temporary]))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # it is not there yet
        return []
