"""Uses that lie in the future: the clock was ahead when they were noted, and has been set right.

Such blocks would be the last to go for as long as the clock was ahead, while everything new, used
or not, would be evicted first.
"""

from typing import Final

from gateway.cache.disk.index import Index
from gateway.cache.disk.schema import PINNED_MS

SLACK_MS: Final = 60_000
"""Clocks are stepped by so little every day; it changes next to nothing in the order."""
STEP_ENTRIES: Final = 500
"""Entries dated anew in one transaction: some 5 ms."""


def bring_back(index: Index, now_ms: int) -> bool:
    """Date blocks as used now that were used later than that; tell whether there are more.

    The coldest come first, so that calls that follow each other keep their order.

    Raises:
        IndexDamaged, IndexUnavailable: it cannot be done.
    """
    rows = index.execute(
        "SELECT id FROM entries WHERE used > ? AND used < ? ORDER BY used LIMIT ?",
        *(now_ms + SLACK_MS, PINNED_MS, STEP_ENTRIES),
    )
    if rows:
        with index.transaction():
            for (row_id,) in rows:
                index.execute("UPDATE entries SET used = ? WHERE id = ?", now_ms, row_id)
    return len(rows) == STEP_ENTRIES
