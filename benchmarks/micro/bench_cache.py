"""What it costs to find a block on the disk.

`python -m benchmarks.micro.bench_cache` fills a cache and prints the median and the 99th percentile
of the wall time of a find, from a page cache that is warm; `--blocks 1000000` for the scale of a
large gateway (two minutes to fill).
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import uvloop
from typing_extensions import override

from benchmarks.data.blocks import numbered
from gateway.cache.disk.inline_reader import TRUST_READS, InlineReader
from gateway.cache.disk.tier import DiskTier
from gateway.cache.tiered_store import TieredStore
from gateway.content.cid import Cid
from gateway.ops.clock import SystemClock
from gateway.ops.statistics import Statistics
from gateway.settings import CacheSettings

SMALL_BYTES = 1024
LARGE_BYTES = 256 * 1024
BLOCKS = 20_000
LARGE_BLOCKS = 64
FINDS = 2000
BAR_US = 60.0
"""Median of a find of `SMALL_BYTES`."""
DISK_BYTES = 1 << 40


class Figure(NamedTuple):
    """One row of the table, in microseconds."""

    name: str
    median_us: float
    p99_us: float


async def _open(folder: Path, verification: str) -> TieredStore:
    settings = CacheSettings(
        directory=str(folder / "cache"),
        disk_size=DISK_BYTES,
        memory_size=0,
        read_verification="tag" if verification == "tag" else "cid",
        tag_key=str(folder / "tag.key"),
    )
    return await TieredStore.open(settings, SystemClock(), Statistics())


async def fill(folder: Path, blocks: int, large: int = LARGE_BLOCKS) -> None:
    """Make a cache of so many small blocks, and some large ones."""
    store = await _open(folder, "tag")
    for number in range(blocks):
        await store.keep(numbered(number, SMALL_BYTES))
    for number in range(large):
        await store.keep(numbered(number, LARGE_BYTES))
    await store.flush()
    await store.close()


async def _time(store: TieredStore, name: str, cids: Sequence[Cid]) -> Figure:
    taken: list[float] = []
    for cid in cids:
        started = time.perf_counter()
        found = await store.find(cid)
        taken.append((time.perf_counter() - started) * 1e6)
        assert found is not None
    taken.sort()
    return Figure(name, statistics.median(taken), taken[len(taken) * 99 // 100])


class _NeverOpen(InlineReader):
    """No short way, however quick the disk is."""

    @override
    def is_open(self) -> bool:
        return False


@contextmanager
def _without_short_way(disk: DiskTier) -> Iterator[None]:
    inline, disk._inline = disk._inline, _NeverOpen(disk._inline._reader, disk._clock)
    yield
    disk._inline = inline


async def measure(blocks: int = BLOCKS, finds: int = FINDS) -> list[Figure]:
    """Fill a cache and time finds with both kinds of verification."""
    with tempfile.TemporaryDirectory() as name:
        await fill(Path(name), blocks)
        return await time_finds(Path(name), blocks, finds)


async def time_finds(
    folder: Path, blocks: int, finds: int = FINDS, large_blocks: int = LARGE_BLOCKS
) -> list[Figure]:
    """Time finds in a cache that `fill` made; of the large blocks, of those kept last."""
    figures: list[Figure] = []
    chance = random.Random(1)
    small = [numbered(chance.randrange(blocks), SMALL_BYTES).cid for _ in range(finds)]
    newest = large_blocks - LARGE_BLOCKS
    large = [numbered(newest + n % LARGE_BLOCKS, LARGE_BYTES).cid for n in range(finds // 4)]
    for word in ("cid", "tag"):
        store = await _open(folder, word)
        assert store.disk is not None
        await store.settle()
        with _without_short_way(store.disk):
            figures.append(await _time(store, f"1 KiB, by a thread, {word}", small))
        for _ in range(TRUST_READS):
            store.disk._inline.note(0.0)
        figures.append(await _time(store, f"1 KiB, {word}", small))
        figures.append(await _time(store, f"256 KiB, {word}", large))
        await store.close()
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    print(f"{'find':28} {'median us':>10} {'p99 us':>10}")
    for figure in uvloop.run(measure(parser.parse_args().blocks)):
        print(f"{figure.name:28} {figure.median_us:10.1f} {figure.p99_us:10.1f}")
    print(f"bar: {BAR_US:.0f} us for 1 KiB")


if __name__ == "__main__":
    main()
