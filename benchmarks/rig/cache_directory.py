"""What is really in the directory of a disk cache, read without the code that wrote it."""

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from gateway.cache.disk.schema import cost_of
from gateway.cache.states import MIN_FILE_BYTES


class Truth(NamedTuple):
    """A directory that nobody writes to."""

    blocks: int
    bytes: int
    """By `cost_of`, of files and rows that are there."""
    uncounted: set[str]
    """Files without an entry."""
    lost: set[str]
    """Entries without a file."""
    temporary: list[Path]


def index_file(directory: Path) -> Path:
    """Return the one index."""
    (path,) = directory.glob("index-*.sqlite")
    return path


def truth(directory: Path) -> Truth:
    """Read the directory of a cache that nobody writes to."""
    files = {p.name: p.stat().st_size for p in (directory / "blocks").rglob("*") if p.is_file()}
    connection = sqlite3.connect(index_file(directory))
    try:
        entries = dict(connection.execute("SELECT lower(hex(key)), size FROM entries"))
        rows = [size for (size,) in connection.execute("SELECT length(data) FROM blobs")]
    finally:
        connection.close()
    counted = {name for name, size in entries.items() if size >= MIN_FILE_BYTES}
    return Truth(
        blocks=len(files) + len(rows),
        bytes=sum(cost_of(size) for size in (*files.values(), *rows)),
        uncounted=files.keys() - counted,
        lost=counted - files.keys(),
        temporary=[p for p in (directory / "temp").rglob("*") if p.is_file()],
    )


def disk_bytes(directory: Path) -> int:
    """Return what a directory takes on the file system, as `du` has it, whoever writes now."""
    return sum(
        _allocated(os.path.join(folder, name))  # noqa: PTH118 (once a file, of thousands)
        for folder, _, names in os.walk(directory)
        for name in (*names, "")
    )


def _allocated(path: str) -> int:
    try:
        return os.lstat(path).st_blocks * 512
    except FileNotFoundError:  # evicted, moved or committed while we looked
        return 0
