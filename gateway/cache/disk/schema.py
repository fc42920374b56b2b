"""The shape of the index, and what a block takes on the disk."""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from gateway.cache.states import MIN_FILE_BYTES

FORMAT: Final = 3
"""`PRAGMA user_version`; an index of another format is moved aside and rebuilt."""
APPLICATION_ID: Final = 0x69706673
PINNED_MS: Final = 1 << 62
"""The `used` of a pinned entry: evictions go by it and never get so far."""
PAGE_BYTES: Final = 8192
"""Blocks of 1 KiB waste 14 % of such pages, and 33 % of SQLite's usual 4096 bytes."""

_ROW_BYTES: Final = 256
"""A row with its two indexes, half-full pages included; see test_index.py."""
FILE_SYSTEM_BLOCK: Final = 4096
"""Files and folders take whole ones, in all file systems that servers have."""
_MAX_LOCAL: Final = PAGE_BYTES - 35  # sqlite.org/fileformat2.html, 1.5 "payload overflow"
_MIN_LOCAL: Final = (PAGE_BYTES - 12) * 32 // 255 - 23
_CELL_BYTES: Final = 10  # header of a cell and its pointer

FILE_COST: Final = (
    f"CASE WHEN {{row}}size >= {MIN_FILE_BYTES} THEN {{row}}cost - {_ROW_BYTES} ELSE 0 END"
)
"""What of the cost of a row is not in the index."""

_SCHEMA: Final = (
    """CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        size INTEGER NOT NULL,
        cost INTEGER NOT NULL,
        used INTEGER NOT NULL,
        tag BLOB)""",
    "CREATE INDEX entries_by_use ON entries (used)",
    "CREATE TABLE blobs (id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    """CREATE TABLE totals (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        blocks INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        files INTEGER NOT NULL)""",
    f"""CREATE TRIGGER entry_added AFTER INSERT ON entries BEGIN
        UPDATE totals SET blocks = blocks + 1, bytes = bytes + new.cost,
            files = files + ({FILE_COST.format(row="new.")});
    END""",  # noqa: S608 (all constants)
    f"""CREATE TRIGGER entry_removed AFTER DELETE ON entries BEGIN
        UPDATE totals SET blocks = blocks - 1, bytes = bytes - old.cost,
            files = files - ({FILE_COST.format(row="old.")});
        DELETE FROM blobs WHERE id = old.id;
    END""",  # noqa: S608 (all constants)
    # By multihash and not by entry: a block that is lost and fetched again is still pinned.
    """CREATE TABLE pinned (
        key BLOB NOT NULL,
        pin INTEGER NOT NULL,
        PRIMARY KEY (key, pin)) WITHOUT ROWID""",
    """CREATE TABLE pins (
        id INTEGER PRIMARY KEY,
        root BLOB NOT NULL UNIQUE,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        blocks INTEGER NOT NULL,
        bytes INTEGER NOT NULL)""",
    "CREATE TABLE purges (id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB)",
)


def cost_of(size: int) -> int:
    """Return what a block of `size` bytes takes on the disk, its row included.

    Files are rounded up to file system blocks. Rows are rounded up to their part of a page: as many
    as fit share one, and what does not fit goes to pages of its own.
    """
    if size >= MIN_FILE_BYTES:
        return -(-size // FILE_SYSTEM_BLOCK) * FILE_SYSTEM_BLOCK + _ROW_BYTES
    local, overflow = size, 0
    if size > _MAX_LOCAL:
        page = PAGE_BYTES - 4
        local = _MIN_LOCAL + (size - _MIN_LOCAL) % page
        local = local if local <= _MAX_LOCAL else _MIN_LOCAL
        overflow = -(-(size - local) // page) * PAGE_BYTES
    per_page = max(1, (PAGE_BYTES - 8) // (local + _CELL_BYTES))
    return PAGE_BYTES // per_page + overflow + _ROW_BYTES


def write_schema(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty database that nobody else knows yet."""
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO totals (id, blocks, bytes, files) VALUES (1, 0, 0, 0)")
    connection.execute("COMMIT")


def schema_of(connection: sqlite3.Connection) -> Sequence[tuple[str, ...]]:
    """Return the schema that a database has."""
    return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()


@lru_cache(maxsize=1)
def expected_schema() -> Sequence[tuple[str, ...]]:
    """Return the schema that an index has, as SQLite words it."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        write_schema(connection)
        return schema_of(connection)
    finally:
        connection.close()
