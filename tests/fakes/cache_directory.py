"""What is really in the directory of a disk cache, and processes that use it."""

import asyncio
import resource
import signal
import sqlite3
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from gateway.cache.schema import cost_of
from gateway.cache.tiers import TieredStore
from gateway.content.block import Block
from gateway.settings import CacheSettings
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver

SIZES = (700, 9000, 20_000, 100_000)
"""Two of them are rows, two are files."""


class Truth(NamedTuple):
    """The directory, read without the code that wrote it."""

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


def alter(index: Path, statement: str) -> None:
    """Run one statement on an index, behind everybody's back."""
    connection = sqlite3.connect(index, isolation_level=None)
    connection.execute(statement)
    connection.close()


def truth(directory: Path) -> Truth:
    """Read the directory of a cache that nobody writes to."""
    files = {p.name: p.stat().st_size for p in (directory / "blocks").rglob("*") if p.is_file()}
    connection = sqlite3.connect(index_file(directory))
    try:
        entries = dict(connection.execute("SELECT lower(hex(key)), size FROM entries"))
        rows = [size for (size,) in connection.execute("SELECT length(data) FROM blobs")]
    finally:
        connection.close()
    counted = {name for name, size in entries.items() if size >= 16 * 1024}
    return Truth(
        blocks=len(files) + len(rows),
        bytes=sum(cost_of(size) for size in (*files.values(), *rows)),
        uncounted=files.keys() - counted,
        lost=counted - files.keys(),
        temporary=[p for p in (directory / "temp").rglob("*") if p.is_file()],
    )


async def open_cache(directory: Path, disk_size: int = 1 << 30) -> TieredStore:
    """Open the disk tier alone, so that every find reads the disk."""
    settings = CacheSettings(directory=str(directory), disk_size=disk_size, memory_size=0)
    return await TieredStore.open(settings, FakeClock(), RecordingObserver())


async def check(store: TieredStore, numbers: range) -> int:
    """Find numbered blocks; what is found must be right. Returns how many were."""
    hits = 0
    for number in numbers:
        block = numbered(number, SIZES[number % len(SIZES)])
        found = await store.find(block.cid)
        if found is not None:
            assert found[0].data == block.data
            hits += 1
    return hits


async def _write(directory: Path, numbers: range, told: Connection, disk_size: int) -> None:
    store = await open_cache(directory, disk_size)
    for number in numbers:
        await store.keep(numbered(number, SIZES[number % len(SIZES)]))
        if number % 16 == 0:
            await store.flush()
            told.send(number)
    await check(store, numbers)
    await store.close()
    told.send(None)


def _run(directory: Path, numbers: range, told: Connection, disk_size: int) -> None:
    asyncio.run(_write(directory, numbers, told, disk_size))


def start_writer(
    directory: Path, numbers: range, disk_size: int = 1 << 30
) -> tuple[BaseProcess, Connection]:
    """Start a process that keeps numbered blocks, and tells of every 16th and of the end."""
    context = get_context("forkserver")  # a fork of this process would copy its threads' locks
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_run, args=(directory, numbers, theirs, disk_size), daemon=True
    )
    process.start()
    theirs.close()
    return process, ours


async def _limited(directory: Path, limit: str) -> tuple[int, int, int]:
    store = await open_cache(directory)
    kept = [numbered(n, SIZES[n % len(SIZES)]) for n in range(40)]
    await store.flush()
    kind, low = {
        "file_size": (resource.RLIMIT_FSIZE, 10_000),
        "descriptors": (resource.RLIMIT_NOFILE, 3),
    }[limit]
    usual = resource.getrlimit(kind)
    resource.setrlimit(kind, (low, usual[1]))
    await _keep_all(store, kept)
    then = await _count_found(store, kept)
    resource.setrlimit(kind, usual)
    await _keep_all(store, kept)
    later = await _count_found(store, kept)
    await store.close()
    return len(kept), then, later


async def _keep_all(store: TieredStore, blocks: list[Block]) -> None:
    for block in blocks:
        await store.keep(block)
    await store.flush()


async def _count_found(store: TieredStore, blocks: list[Block]) -> int:
    return sum([await store.find(block.cid) is not None for block in blocks])


def _run_limited(directory: Path, limit: str, told: Connection) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    told.send(asyncio.run(_limited(directory, limit)))


def limited(directory: Path, limit: str) -> tuple[int, int, int]:
    """Use a cache in a process that may not write large files, or open any.

    Returns:
        Blocks kept, blocks found while the limit held, and blocks found after it.
    """
    context = get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run_limited, args=(directory, limit, theirs), daemon=True)
    process.start()
    theirs.close()
    result: tuple[int, int, int] = ours.recv()
    process.join()
    return result
