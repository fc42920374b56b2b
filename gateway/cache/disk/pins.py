"""What must stay: roots that operators pinned, and which blocks belong to them.

The wish is a small file in the cache directory, so that it outlives the index. The marks on blocks
are rows of the index: a marked block is used, as it were, at the end of time, and evictions, which
go by the last use, never come to it. Whoever has `pins.lock` brings the marks in line with the wish
(`gateway.upkeep.pins`).
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.cache.disk.file_lock import FileLock
from gateway.cache.disk.index import Index
from gateway.cache.disk.schema import PINNED_MS, cost_of
from gateway.errors import PinsFull
from gateway.ports import PinRow, PinState

MAX_PINNED_SHARE: Final = 0.8
"""Part of the disk tier that pins may fill; the rest is for what clients ask for."""
MAX_PINS: Final = 10_000
MAX_BOOK_BYTES: Final = 4 * 1024 * 1024
_UNPIN_STEP: Final = 2000


class PinBook:
    """The file with the roots that must stay: CID as text to the time of its pin.

    Methods block on the disk for a moment; several processes may use them.
    """

    def __init__(self, directory: Path) -> None:
        """Remember where the book is; nothing is made before the first pin."""
        self._directory = directory
        self._path = directory / "pins.json"
        self._lead = FileLock(str(directory / "pins.lock"))

    def version(self) -> int:
        """Return a number that changes with the book; 0 when there is none."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0

    def read(self) -> dict[str, float]:
        """Return the roots, and when they were pinned in seconds since the epoch.

        Somebody may have written by hand: a root need not be a CID, and a time that is none is 0.

        Raises:
            OSError: it cannot be read.
        """
        try:
            with self._path.open("rb") as opened:
                told: Any = json.loads(opened.read(MAX_BOOK_BYTES))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as exc:
            raise OSError(f"{self._path} is damaged: {exc}") from exc
        if not isinstance(told, dict):
            raise OSError(f"{self._path} is damaged: it is no table of roots")
        return {_ascii(root): _seconds(since) for root, since in told.items()}

    def change(self, add: Mapping[str, float], remove: Sequence[str]) -> dict[str, float]:
        """Add and remove roots, in one step for all readers; return what the book says then.

        Raises:
            OSError: it cannot be read or written; the old one is still there.
        """
        with self._locked():
            roots = {**add, **self.read()}
            for root in remove:
                roots.pop(root, None)
            if len(roots) > MAX_PINS:
                raise OSError(f"more than {MAX_PINS} pins")
            unfinished = self._path.with_suffix(f".{os.getpid()}")
            unfinished.write_text(json.dumps(roots, indent=1), "ascii")
            unfinished.replace(self._path)
        return roots

    def lead(self) -> bool:
        """Tell whether this process brings the marks in line; the first that asks does."""
        try:
            return self._lead.acquire()
        except OSError:
            return False

    def close(self) -> None:
        """Let another process lead."""
        self._lead.release()

    def _locked(self) -> FileLock:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(str(self._directory / "pins-book.lock"))
        if not lock.acquire():
            raise OSError("another process is changing the pins; try again")
        return lock


def _ascii(text: str) -> str:
    return text if text.isascii() else ascii(text)[1:-1]


def _seconds(told: object) -> float:
    try:
        since = float(told) if isinstance(told, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return since if math.isfinite(since) else 0.0


def read_pins(index: Index) -> list[PinRow]:
    """Return the pins that have marks in this index."""
    rows = index.execute("SELECT root, state, reason, blocks, bytes FROM pins ORDER BY id")
    return [PinRow(row[0], PinState(row[1]), *row[2:]) for row in rows]


def total_of(index: Index) -> tuple[int, int]:
    """Return how many pins there are, and the room that they take."""
    ((pins, size),) = index.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM pins")
    return pins, size


def mark(
    index: Index, root: bytes, sizes: Mapping[bytes, int], limit_bytes: int
) -> Sequence[bytes]:
    """Mark blocks for a root, whether or not they are here yet.

    Args:
        index: of the writer.
        root: multihash of the root; a pin that has no row yet gets one.
        sizes: multihashes and sizes of blocks that belong to it.
        limit_bytes: of the disk tier.

    Returns:
        The multihashes of those that are not here; they stay as soon as they are.

    Raises:
        PinsFull: nothing was marked.
        IndexDamaged, IndexUnavailable: likewise.
    """
    with index.transaction():
        pin = _pin_of(index, root)
        absent = [key for key, size in sizes.items() if not _mark_one(index, pin, key, size)]
        if total_of(index)[1] > limit_bytes * MAX_PINNED_SHARE:
            raise PinsFull(MAX_PINNED_SHARE)
    return absent


def set_state(index: Index, root: bytes, state: PinState, reason: str) -> None:
    """Say how far a pin is; one that has no row yet gets one."""
    with index.transaction():
        pin = _pin_of(index, root)
        index.execute("UPDATE pins SET state = ?, reason = ? WHERE id = ?", state, reason, pin)


def unmark(index: Index, root: bytes, used_ms: int) -> None:
    """Forget a pin; its blocks are as if they were used at `used_ms`."""
    with index.transaction():
        pin = _pin_of(index, root)
        statement = "SELECT key FROM pinned WHERE pin = ? AND key > ? ORDER BY key LIMIT ?"
        last = b""
        while rows := index.execute(statement, pin, last, _UNPIN_STEP):
            last = rows[-1][0]
            for (key,) in rows:
                _unmark_one(index, pin, key, used_ms)
        index.execute("DELETE FROM pins WHERE id = ?", pin)


def _pin_of(index: Index, root: bytes) -> int:
    index.execute(
        "INSERT OR IGNORE INTO pins (root, state, reason, blocks, bytes) VALUES (?, ?, '', 0, 0)",
        *(root, PinState.FETCHING),
    )
    pin: int = index.execute("SELECT id FROM pins WHERE root = ?", root)[0][0]
    return pin


def _mark_one(index: Index, pin: int, key: bytes, size: int) -> bool:
    """Mark one block; tell whether it is here."""
    pins = [other for (other,) in index.execute("SELECT pin FROM pinned WHERE key = ?", key)]
    if pin not in pins:
        index.execute("INSERT INTO pinned (key, pin) VALUES (?, ?)", key, pin)
        cost = 0 if pins else cost_of(size)  # what an earlier pin holds takes no more room
        index.execute(
            "UPDATE pins SET blocks = blocks + 1, bytes = bytes + ? WHERE id = ?", cost, pin
        )
    statement = "UPDATE entries SET used = ? WHERE key = ? RETURNING 1"
    return bool(index.execute(statement, PINNED_MS, key))


def _unmark_one(index: Index, pin: int, key: bytes, used_ms: int) -> None:
    index.execute("DELETE FROM pinned WHERE key = ? AND pin = ?", key, pin)
    if not index.execute("SELECT 1 FROM pinned WHERE key = ? LIMIT 1", key):
        index.execute("UPDATE entries SET used = ? WHERE key = ?", used_ms, key)
