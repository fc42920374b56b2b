"""Damage to the index of a disk cache, and processes that may not use the disk as they want."""

import asyncio
import resource
import signal
import sqlite3
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.rig.writers import block_for, open_cache
from gateway.cache.tiered_store import TieredStore
from gateway.content.block import Block


def alter(index: Path, statement: str) -> None:
    """Run one statement on an index, behind everybody's back."""
    connection = sqlite3.connect(index, isolation_level=None)
    connection.execute(statement)
    connection.close()


async def _limited(directory: Path, limit: str) -> tuple[int, int, int]:
    store = await open_cache(directory)
    kept = [block_for(n) for n in range(40)]
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
