"""Processes that keep numbered blocks in one cache directory, to be killed; also for tests."""

import asyncio
from collections.abc import Iterable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from benchmarks.data.blocks import numbered
from gateway.cache.tiered_store import TieredStore
from gateway.content.block import Block
from gateway.ops.clock import SystemClock
from gateway.ops.statistics import Statistics
from gateway.ports import BlockStore
from gateway.settings import CacheSettings

SIZES = (700, 9000, 20_000, 100_000)
"""Two of them are rows, two are files."""
FLUSH_BLOCKS = 16
"""A writer tells of every so many blocks, when they are on the disk."""


class Found(NamedTuple):
    """What a cache had of the blocks that it was asked for."""

    right: int
    wrong: int
    """Blocks with other bytes than they were kept with."""


class Job(NamedTuple):
    """What a writer does."""

    directory: Path
    numbers: range
    disk_size: int = 1 << 30
    sizes: Sequence[int] = SIZES


def block_for(number: int, sizes: Sequence[int] = SIZES) -> Block:
    """Return the block that a writer keeps under a number."""
    return numbered(number, sizes[number % len(sizes)])


async def open_cache(directory: Path, disk_size: int = 1 << 30) -> TieredStore:
    """Open the disk tier alone, so that every find reads the disk."""
    settings = CacheSettings(directory=str(directory), disk_size=disk_size, memory_size=0)
    return await TieredStore.open(settings, SystemClock(), Statistics())


async def check(store: BlockStore, numbers: Iterable[int], sizes: Sequence[int] = SIZES) -> Found:
    """Find blocks and compare their bytes with what was kept."""
    right = wrong = 0
    for number in numbers:
        block = block_for(number, sizes)
        found = await store.find(block.cid)
        if found is not None:
            is_right = found[0].data == block.data
            right, wrong = right + is_right, wrong + (not is_right)
    return Found(right, wrong)


async def _write(job: Job, told: Connection) -> None:
    store = await open_cache(job.directory, job.disk_size)
    for number in job.numbers:
        await store.keep(block_for(number, job.sizes))
        if number % FLUSH_BLOCKS == 0:
            await store.flush()
            told.send(number)
    found = await check(store, job.numbers, job.sizes)
    await store.close()
    assert not found.wrong
    told.send(None)


def _run(job: Job, told: Connection) -> None:
    asyncio.run(_write(job, told))


def start_writer(job: Job) -> tuple[BaseProcess, Connection]:
    """Start a process that keeps blocks, and tells of every `FLUSH_BLOCKS`th and of the end."""
    context = get_context("forkserver")  # a fork of this process would copy its threads' locks
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(job, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours
