"""The disk tier with a million small blocks: latency of look-ups, alone and during evictions.

    python -m benchmarks.scale [--blocks 1000000] [--large 64] [--seconds 20]

With `--blocks 600000 --large 400000` it is a million blocks and 105 GB; blocks repeat 32 bytes, so
a file system that compresses holds them in little. First finds of 1 KiB, from a page cache that is
warm. Then the tier is opened with what it has as its limit, and blocks are kept as fast as it takes
them, so that each pushes others out, while a probe finds blocks at a steady rate. Exit code 1 when
a bar is missed.
"""

import asyncio
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.data.blocks import numbered
from benchmarks.data.content import KIB, MIB
from benchmarks.micro.bench_cache import (
    BAR_US,
    DISK_BYTES,
    FINDS,
    LARGE_BLOCKS,
    SMALL_BYTES,
    Figure,
    fill,
    time_finds,
)
from benchmarks.report.command import make_parser
from benchmarks.report.tables import Table, publish
from benchmarks.rig.cache_directory import disk_bytes
from benchmarks.rig.writers import open_cache
from gateway.cache.disk.writer import MAX_BATCH_BYTES
from gateway.cache.tiered_store import TieredStore
from gateway.content.cid import Cid

BLOCKS: Final = 1_000_000
SECONDS: Final = 20.0
LARGE_BYTES: Final = 256 * KIB
LARGE_EVERY: Final = 16
"""One in so many of the blocks that are kept meanwhile is large: it pushes out 200 small ones."""
PROBE_S: Final = 0.005
"""From the end of one find of the probe to the next."""
PROBED: Final = 2000
"""The probe asks for the blocks kept last."""
TICK_S: Final = 0.001
LOOK_S: Final = 0.25
BAR_GAP_MS: Final = 100.0
"""A loop that stands still for longer has stalled, if one that does nothing does not."""


@dataclass(slots=True)
class Pressure:
    """What was seen while blocks were kept and evicted."""

    limit_bytes: int
    finds_ms: list[float] = field(default_factory=list[float])
    missed: int = 0
    """Finds of the probe without a block."""
    longest_gap_ms: float = 0.0
    """How much later than planned the event loop woke a task, at most."""
    idle_gap_ms: float = 0.0
    """The same in a process beside it that does nothing else: what the machine makes of it."""
    largest_bytes: int = 0
    """What the directory took on the file system, at most."""
    kept: int = 0
    kept_bytes: int = 0
    seconds: float = 0.0


async def longest_gap_ms(seconds: float) -> float:
    """Return how much later than planned this event loop wakes a task, at most."""
    longest_s = 0.0
    end_s = time.monotonic() + seconds
    while (started_s := time.monotonic()) < end_s:
        await asyncio.sleep(TICK_S)
        longest_s = max(longest_s, time.monotonic() - started_s - TICK_S)
    return longest_s * 1e3


def idle_gap_ms(seconds: float) -> float:
    """Return the longest gap of a loop that does nothing; for a process of its own."""
    return uvloop.run(longest_gap_ms(seconds))


class _Run:
    """Tasks of one event loop that keep, find and watch until the time is over."""

    def __init__(self, store: TieredStore, directory: Path, seen: Pressure, first: int) -> None:
        self._store = store
        self._directory = directory
        self._seen = seen
        self._first = first
        self._cids: list[Cid] = []

    async def run(self, seconds: float, others: Executor) -> None:
        loop = asyncio.get_running_loop()
        idle = loop.run_in_executor(others, idle_gap_ms, seconds)
        works = (self._keep(), self._probe(), self._look(others))
        tasks = [asyncio.create_task(work) for work in works]
        started = time.monotonic()
        self._seen.longest_gap_ms = await longest_gap_ms(seconds)
        self._seen.seconds = time.monotonic() - started
        self._seen.idle_gap_ms = await idle
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):  # what failed before is raised
                await task

    async def _keep(self) -> None:
        seen = self._seen
        while True:
            is_large = seen.kept % LARGE_EVERY == 0
            block = numbered(self._first + seen.kept, LARGE_BYTES if is_large else SMALL_BYTES)
            await self._store.keep(block)
            self._cids.append(block.cid)
            del self._cids[:-PROBED]
            seen.kept += 1
            seen.kept_bytes += len(block.data)
            await asyncio.sleep(0)  # `keep` only waits when too much is pending

    async def _probe(self) -> None:
        chance = random.Random(1)
        while True:
            await asyncio.sleep(PROBE_S)
            cid = chance.choice(self._cids)
            started = time.perf_counter()
            found = await self._store.find(cid)
            self._seen.finds_ms.append((time.perf_counter() - started) * 1e3)
            self._seen.missed += found is None

    async def _look(self, others: Executor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            found = await loop.run_in_executor(others, disk_bytes, self._directory)
            self._seen.largest_bytes = max(self._seen.largest_bytes, found)
            await asyncio.sleep(LOOK_S)


async def press(directory: Path, first: int, seconds: float) -> Pressure:
    """Keep blocks, numbered from `first`, in a tier whose limit is what it has."""
    store = await open_cache(directory, DISK_BYTES)
    await store.settle()
    limit_bytes = int(str(store.stats()["disk_bytes"]))
    await store.close()
    seen = Pressure(limit_bytes)
    # Looking takes Python's lock for milliseconds, which the loop that is measured needs.
    with ProcessPoolExecutor(2, multiprocessing.get_context("forkserver")) as others:
        store = await open_cache(directory, limit_bytes)
        await store.settle()
        await _Run(store, directory, seen, first).run(seconds, others)
        await store.close()
    return seen


def finds_table(figures: Sequence[Figure], blocks: int) -> Table:
    """Return the finds, those of small blocks beside their bar."""
    rows = [
        (figure.name, f"{figure.median_us:.1f}", f"{figure.p99_us:.1f}", _bar_of(figure))
        for figure in figures
    ]
    columns = ("find", "median us", "p99 us", "bar")
    return Table(f"Finds among {blocks:,} blocks", columns, rows)


def _bar_of(figure: Figure) -> str:
    if not figure.name.startswith("1 KiB, ") or "thread" in figure.name:
        return ""
    return f"<= {BAR_US:g}" if figure.median_us <= BAR_US else f"<= {BAR_US:g}: MISSED"


def pressure_table(seen: Pressure) -> Table:
    """Return what the probe and the watchers saw."""
    finds = sorted(seen.finds_ms)
    above = (seen.largest_bytes - seen.limit_bytes) / MIB
    rows = (
        ("p50 of a find, ms", f"{finds[len(finds) // 2]:.2f}", ""),
        ("p99 of a find, ms", f"{finds[len(finds) * 99 // 100]:.2f}", ""),
        ("longest find, ms", f"{finds[-1]:.1f}", ""),
        _gap_row(seen),
        ("the same of one that does nothing, ms", f"{seen.idle_gap_ms:.1f}", ""),
        _row("MiB above limit, at most", above, MAX_BATCH_BYTES / MIB),
    )
    note = (
        f"{seen.kept / seen.seconds:,.0f} blocks/s kept, {seen.kept_bytes / seen.seconds / 1e6:.0f}"
        f" MB/s, for {seen.seconds:.0f} s; {len(finds):,} finds, {seen.missed} without a block. "
        "One process, with the load in the same event loop; a batch may be on its way."
    )
    return Table("Evictions at full speed", ("meanwhile", "measured", "bar"), rows, (note,))


def _gap_row(seen: Pressure) -> tuple[str, str, str]:
    row = _row("longest gap of the event loop, ms", seen.longest_gap_ms, BAR_GAP_MS)
    if seen.idle_gap_ms <= BAR_GAP_MS:
        return row
    return (*row[:2], f"<= {BAR_GAP_MS:g}, but this machine stalls by itself")


def _row(name: str, measured: float, bar: float) -> tuple[str, str, str]:
    return name, f"{measured:.1f}", f"<= {bar:g}" if measured <= bar else f"<= {bar:g}: MISSED"


async def measure_scale(
    blocks: int, seconds: float, finds: int = FINDS, large: int = LARGE_BLOCKS
) -> list[Table]:
    """Fill a cache once; time finds in it, then evict from it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await fill(folder, blocks, large)
        figures = await time_finds(folder, blocks, finds, large)
        seen = await press(folder / "cache", blocks + large, seconds)
    return [finds_table(figures, blocks + large), pressure_table(seen)]


def main() -> None:
    """Print the tables; the exit code is 1 when a bar is missed."""
    parser = make_parser("benchmarks.scale", __doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument(
        "--large",
        type=int,
        default=LARGE_BLOCKS,
        help="additional blocks of 256 KiB (default: %(default)s)",
    )
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args()
    tables = uvloop.run(measure_scale(asked.blocks, asked.seconds, large=asked.large))
    publish("scale", tables)
    if any("MISSED" in row[-1] for table in tables for row in table.rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
