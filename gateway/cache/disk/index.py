"""The index: small blocks, and size and last use of every block, in one SQLite file.

`journal_mode=TRUNCATE`, because several processes write and the write-ahead log of SQLite before
3.51.3 can corrupt a database with two writers (sqlite.org/wal.html, "WAL-reset bug").
`synchronous=OFF`, because a sync would hold up readers of other processes for tens of milliseconds
at each write: a killed process loses nothing by it, and what a power cut breaks is found, by SQLite
or by the hash, and rebuilt. Totals are kept by triggers, so that no statement can forget them.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn
from urllib.parse import quote

from gateway.cache.disk.schema import (
    FILE_COST,
    FORMAT,
    PINNED_MS,
    cost_of,
    expected_schema,
    schema_of,
    write_schema,
)
from gateway.cache.states import MIN_FILE_BYTES
from gateway.content.block import MAX_BLOCK_BYTES

_SQLITE_MAX_VALUE_BYTES: Final = 1024 * 1024  # no value of ours is larger
TOUCH_SHARE: Final = 16
"""How finely the order of use is kept: in sixteenths of the age of the coldest block."""
MAX_CHECKED_BYTES: Final = 512 * 1024 * 1024
"""One or two seconds in which the writer does nothing else."""
_CACHE_KIB: Final = 2048  # for one connection; the file system's cache is behind it

_SETTINGS: Final = (
    "PRAGMA synchronous = OFF",
    f"PRAGMA cache_size = -{_CACHE_KIB}",
    "PRAGMA secure_delete = OFF",  # public data; some builds overwrite what is deleted
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cell_size_check = ON",  # finds damage earlier
    "PRAGMA trusted_schema = OFF",
)

_INSERT: Final = """INSERT INTO entries (key, size, cost, used, tag) VALUES (?, ?, ?,
    CASE WHEN EXISTS (SELECT 1 FROM pinned WHERE key = ?) THEN ? ELSE ? END, ?)"""
_SELECT_TAG: Final = "SELECT NULL, tag FROM entries WHERE key = ?"
_SELECT_BLOB_AND_TAG: Final = "SELECT data, tag FROM entries JOIN blobs USING (id) WHERE key = ?"
_SELECT_ENTRIES: Final = "SELECT id, key, size, cost FROM entries"
_RECOUNT: Final = f"""UPDATE totals SET blocks = ?, bytes = ?,
    files = (SELECT coalesce(sum({FILE_COST.format(row="")}), 0) FROM entries)"""  # noqa: S608 (all constants)
_DAMAGED_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_ERROR,  # no such table
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_CONSTRAINT,  # no statement of ours can break one in a sound index
    }
)


class IndexDamaged(Exception):
    """The file is not a sound index of this format: it must be replaced."""


class IndexUnavailable(Exception):
    """Locked, read-only, gone or out of space: the file itself may be fine."""


class Entry(NamedTuple):
    """What the index knows of a block."""

    id: int
    key: bytes
    """The multihash."""
    size: int
    """Bytes of the block."""

    @property
    def is_file(self) -> bool:
        """Whether the bytes are in a file of their own."""
        return self.size >= MIN_FILE_BYTES


class Index:
    """One connection to the index; belongs to the thread that opened it.

    All methods raise `IndexDamaged` or `IndexUnavailable`, and nothing else.
    """

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        """Open an index that exists.

        Args:
            path: the database file.
            busy_timeout_s: how long to wait for other connections' locks.
        """
        self.path = path
        self._connection: sqlite3.Connection | None = None
        with self._translated():
            _refuse_what_is_no_file(path)
            self._connection = _connect(path, busy_timeout_s)
            self._inode = path.stat().st_ino
            try:
                self._check()
            except BaseException:
                self.close()
                raise

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty index at a path where nothing is; close it again.

        Raises:
            IndexUnavailable: it cannot be made.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            connection = _connect(path, 0)
            try:
                write_schema(connection)
            finally:
                connection.close()
        except (OSError, sqlite3.Error) as exc:
            raise IndexUnavailable(str(exc)) from exc

    def is_current(self) -> bool:
        """Tell whether the file that is open is still the one at the path."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the write lock; commit at the end, roll back on any error.

        What the body raises comes through as it is.
        """
        with self._translated():
            self._run("BEGIN IMMEDIATE")
        try:
            yield
            with self._translated():
                self._run("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def blob(self, key: bytes) -> bytes | None:
        """Return the bytes of a small block, unverified; None if it is not here."""
        try:
            row = self._run(
                "SELECT data FROM entries JOIN blobs USING (id) WHERE key = ?", key
            ).fetchone()
        except (sqlite3.Error, MemoryError) as exc:  # here and not below: this is the hot one
            self._raise(exc)
        if row is None:
            return None
        if not isinstance(row[0], bytes):
            raise IndexDamaged("a block is not bytes")
        return row[0]

    def blob_and_tag(self, key: bytes, *, is_file: bool) -> tuple[bytes | None, bytes | None]:
        """Return the bytes of a small block, unverified, and the tag of a block of any size."""
        statement = _SELECT_TAG if is_file else _SELECT_BLOB_AND_TAG
        try:
            row = self._run(statement, key).fetchone()
        except (sqlite3.Error, MemoryError) as exc:
            self._raise(exc)
        match row:
            case None:
                return None, None
            case (bytes() | None as data, bytes() | None as tag):
                return data, tag
            case _:
                raise IndexDamaged("a block or its tag is not bytes")

    def set_tag(self, key: bytes, tag: bytes) -> None:
        """Write the tag of a block, if it is here; inside a transaction."""
        self.execute("UPDATE entries SET tag = ? WHERE key = ?", tag, key)

    def entry(self, key: bytes) -> Entry | None:
        """Return what is known of a block."""
        rows = self._entries(f"{_SELECT_ENTRIES} WHERE key = ?", key)
        return rows[0] if rows else None

    def sizes(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return the sizes of the blocks that are known, of at most 999 multihashes."""
        marks = ", ".join("?" * len(keys))
        entries = self._entries(f"{_SELECT_ENTRIES} WHERE key IN ({marks})", *keys)
        return {entry.key: entry.size for entry in entries}

    def entries_after(self, last_id: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries in the order of their ids."""
        return self._entries(f"{_SELECT_ENTRIES} WHERE id > ? ORDER BY id LIMIT ?", last_id, limit)

    def oldest(self, limit: int) -> list[Entry]:
        """Return up to `limit` entries that are not pinned, the longest unused first."""
        return self._entries(
            f"{_SELECT_ENTRIES} WHERE used < {PINNED_MS} ORDER BY used, id LIMIT ?", limit
        )

    def add(
        self, key: bytes, size: int, used_ms: int, blob: bytes | None, tag: bytes | None = None
    ) -> None:
        """Enter a block; inside a transaction. One that a pin wants is pinned at once.

        A small one that is known but has other bytes is entered anew, if the index is sound.
        """
        known = self.entry(key)
        if known is not None:
            if blob is None or self._has_blob(key, blob):
                return
            self.check()
            self.remove([known.id])
        with self._translated():
            row_id = self._run(
                _INSERT, key, size, cost_of(size), key, PINNED_MS, used_ms, tag
            ).lastrowid
            if blob is not None:
                self._run("INSERT OR REPLACE INTO blobs (id, data) VALUES (?, ?)", row_id, blob)

    def check(self) -> None:
        """Look for damage in the structure of the whole file, because a part was found damaged.

        Changing a damaged file spreads the damage. O(file): one that is larger than
        `MAX_CHECKED_BYTES` is taken for sound until SQLite itself stumbles over it.
        """
        with self._translated():
            if self.path.stat().st_size > MAX_CHECKED_BYTES:
                return
            if self._run("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
                raise IndexDamaged("its structure is damaged")

    def remove(self, ids: Iterable[int]) -> None:
        """Remove entries and their small blocks; inside a transaction."""
        with self._translated():
            for row_id in ids:
                self._run("DELETE FROM entries WHERE id = ?", row_id)

    def touch(self, uses: Iterable[tuple[bytes, int]]) -> None:
        """Set when blocks, by multihash, were last used; inside a transaction.

        A use that moves a block by less than 1/`TOUCH_SHARE` of the age of the coldest one is not
        written: it would cost some pages and change next to nothing.
        """
        coldest_ms = self.coldest_ms() or 0
        with self._translated():
            for key, used_ms in uses:
                before_ms = used_ms - (used_ms - coldest_ms) // TOUCH_SHARE
                self._run(
                    "UPDATE entries SET used = ? WHERE key = ? AND used < ?",
                    *(used_ms, key, before_ms),
                )

    def totals(self) -> tuple[int, int]:
        """Return blocks and the bytes that they take on the disk (`cost_of`)."""
        return self._pair("SELECT blocks, bytes FROM totals")

    def row_bytes(self) -> int:
        """Return what of the total is in this file: small blocks, and the rows of all."""
        total, files = self._pair("SELECT bytes, files FROM totals")
        return total - files

    def coldest_ms(self) -> int | None:
        """Return when the longest unused block that is not pinned was used last."""
        with self._translated():
            value = self._run("SELECT min(used) FROM entries").fetchone()[0]
        return value if isinstance(value, int) and value < PINNED_MS else None

    def execute(self, statement: str, *values: object) -> list[Any]:
        """Run a statement of another module of this package and return its rows."""
        with self._translated():
            return self._run(statement, *values).fetchall()

    def recount(self) -> None:
        """Set the totals to what the entries say; inside a transaction. O(entries)."""
        blocks, total = self._pair("SELECT count(*), coalesce(sum(cost), 0) FROM entries")
        highest, lowest = self._pair(
            "SELECT coalesce(max(cost), 0), coalesce(min(cost), 0) FROM entries"
        )
        if lowest < 0 or highest > cost_of(MAX_BLOCK_BYTES):
            raise IndexDamaged("a block cannot take so much room")
        with self._translated():
            self._run(_RECOUNT, blocks, total)

    def shrink(self, spare_pages: int, limit: int) -> bool:
        """Give up to `limit` free pages beyond `spare_pages` back to the file system.

        Returns:
            Whether there are more.
        """
        with self._translated():
            free: int = self._run("PRAGMA freelist_count").fetchone()[0] - spare_pages
            if free > 0 and self._connection is not None:
                # `execute` would do a single step of it: one page.
                self._connection.executescript(f"PRAGMA incremental_vacuum({min(free, limit)})")
            return free > limit

    def _has_blob(self, key: bytes, expected: bytes) -> bool:
        blob = self.blob(key)
        if blob is None:
            raise IndexDamaged("an entry lost its bytes")
        return blob == expected

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        if self._connection is None:
            raise IndexUnavailable("the index is closed")
        return self._connection.execute(statement, values)

    def _entries(self, statement: str, *values: object) -> list[Entry]:
        with self._translated():
            rows = self._run(statement, *values).fetchall()
        return [_checked_entry(row) for row in rows]

    def _pair(self, statement: str) -> tuple[int, int]:
        with self._translated():
            row = self._run(statement).fetchone()
        match row:
            case (int(first), int(second)):
                return first, second
            case _:
                raise IndexDamaged("a total is missing or no number")

    def _check(self) -> None:
        if self._run("PRAGMA user_version").fetchone() != (FORMAT,):
            raise IndexDamaged("another format")
        if self._run("PRAGMA journal_mode = TRUNCATE").fetchone() != ("truncate",):
            raise IndexDamaged("another journal mode")
        assert self._connection is not None  # noqa: S101 (`_run` says so)
        if schema_of(self._connection) != expected_schema():
            raise IndexDamaged("another schema")

    def _roll_back(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.rollback()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, MemoryError) as exc:
            self._raise(exc)

    def _raise(self, exc: Exception) -> NoReturn:
        kind = IndexDamaged if self._is_damage(exc) else IndexUnavailable
        raise kind(str(exc) or type(exc).__name__) from exc

    def _is_damage(self, exc: Exception) -> bool:
        if not isinstance(exc, sqlite3.Error):
            return False
        code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # bad UTF-8 has none
        if code == sqlite3.SQLITE_IOERR_SHORT_READ:
            return True
        if code == sqlite3.SQLITE_READONLY:  # or a header that says so
            return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
        return code & 0xFF in _DAMAGED_CODES


def _checked_entry(row: tuple[object, ...]) -> Entry:
    match row:
        case (int(row_id), bytes(key), int(size), int(cost)):
            if 0 <= size <= MAX_BLOCK_BYTES and cost == cost_of(size):
                return Entry(row_id, key, size)
            raise IndexDamaged("an entry contradicts itself")
        case _:
            raise IndexDamaged("an entry has a value of another type")


def _connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, timeout=busy_timeout_s, isolation_level=None
    )
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _SQLITE_MAX_VALUE_BYTES)
    for setting in _SETTINGS:
        connection.execute(setting)
    return connection


def _refuse_what_is_no_file(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise IndexDamaged("it is not a regular file")
