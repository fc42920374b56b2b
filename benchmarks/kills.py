"""Cost of SIGKILL: processes killed while they write to a cache, and a gateway that is restarted.

    python -m benchmarks.kills [--kills 1000] [--blocks 100000]

First table: one writer after the other stores blocks of all sizes in the same full directory and is
killed at a random moment; after each kill another process opens the directory, compares its blocks
with those stored, and stores again those that were being written. Second table: see
`benchmarks.restarts`. Exit code 1 when a bar is missed.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from benchmarks.data.content import KIB, MIB
from benchmarks.report.command import make_parser
from benchmarks.report.tables import Table, publish
from benchmarks.restarts import measure_restarts
from benchmarks.rig.cache_directory import Truth, disk_bytes, truth
from benchmarks.rig.writers import (
    FLUSH_BLOCKS,
    Found,
    Job,
    block_for,
    check,
    open_cache,
    start_writer,
)
from gateway.cache.disk.writer import MAX_BATCH_BYTES
from gateway.cache.tiered_store import TieredStore

KILLS: Final = 1000
LIMIT_BYTES: Final = 256 * MIB
"""Full after a few dozen kills, so that most writes evict something. Not less: what is kept anew
after a kill has to fit in the coldest tenth, where new blocks begin, or goes again at once."""
SIZES: Final = (
    *(100, 700, KIB, 3000, 9000, 16 * KIB - 1),
    *(16 * KIB, 20_000, 100_000, 256 * KIB, MIB, 2 * MIB),
)
"""Half of them are rows, half are files; the last is as large as a block may be."""
MAX_TOLD: Final = 4
LAST_WAIT_S: Final = 0.1
"""A writer is killed up to so long after the last of up to `MAX_TOLD - 1` flushes."""
COMPARED: Final = 4 * FLUSH_BLOCKS
"""Blocks before and behind the last that is known to be written; all are compared at the end."""


@dataclass(slots=True)
class Tally:
    """What was seen over all kills."""

    kills: int = 0
    written: int = 0
    """Blocks that writers told of."""
    compared: int = 0
    wrong: int = 0
    stuck: int = 0
    """Blocks that could not be kept or not be found after their writer died."""
    largest_bytes: int = 0
    """What the directory took on the file system, at its largest after a kill."""
    missing: int = 0
    """Blocks that the index has and nobody finds, at the end."""
    lost_bytes: int = 0
    """What the files take beyond what the index accounts for, or the other way round."""
    leftovers: int = 0
    """Files without an entry, entries without a file, temporary files."""
    damaged: int = 0
    """Things that were moved aside, and writes that failed."""
    seconds: float = 0.0


async def kill_writers(directory: Path, kills: int) -> Tally:
    """Kill one writer after the other, and look after each; the whole is compared at the end."""
    chance = random.Random(kills)
    tally = Tally(kills=kills)
    started = time.monotonic()
    first = 1
    for _ in range(kills):
        last = _kill_one(start_writer(Job(directory, _from(first), LIMIT_BYTES, SIZES)), chance)
        tally.written += max(0, last - first + 1)
        tally.largest_bytes = max(tally.largest_bytes, disk_bytes(directory))
        await _look(directory, max(last, first - 1), tally)
        first = max(last, first - 1) + 1 + FLUSH_BLOCKS // 2  # half of what the dead one wrote
    await _look_at_all(directory, range(1, first + COMPARED), tally)
    tally.seconds = time.monotonic() - started
    return tally


def _from(first: int) -> range:
    return range(first, first + 100_000)  # nobody lives to see the end


def _kill_one(writer: tuple[BaseProcess, Connection], chance: random.Random) -> int:
    """Kill a writer; return the last number that it told of, or -1."""
    process, told = writer
    last = -1
    for _ in range(chance.randrange(MAX_TOLD)):
        last = told.recv()
    told.poll(chance.random() * LAST_WAIT_S)
    process.kill()
    process.join()
    try:
        while told.poll():
            last = told.recv()
    except EOFError:  # that was the last
        pass
    told.close()
    return last


async def _look(directory: Path, last: int, tally: Tally) -> None:
    """Compare what was written lately, and keep what was being written."""
    store = await open_cache(directory, LIMIT_BYTES)
    _count(tally, await check(store, range(max(1, last - COMPARED), last + COMPARED), SIZES))
    numbers = range(last + 1, last + 1 + FLUSH_BLOCKS)
    for number in numbers:
        await store.keep(block_for(number, SIZES))
    await store.flush()
    found = await check(store, numbers, SIZES)
    tally.stuck += len(numbers) - found.right
    _count(tally, found)
    _count_damaged(tally, store)
    await store.close()


async def _look_at_all(directory: Path, numbers: range, tally: Tally) -> None:
    """Compare every block, and the directory with its index, when the scan is over."""
    store = await open_cache(directory, LIMIT_BYTES)
    await store.settle()
    found = await check(store, numbers, SIZES)
    await store.flush()
    _count(tally, found)
    _count_damaged(tally, store)
    stats = store.stats()
    there = truth(directory)
    tally.missing = abs(int(str(stats["blocks"])) - found.right)
    tally.lost_bytes = abs(there.bytes - int(str(stats["disk_bytes"])))
    tally.leftovers = _count_leftovers(there)
    await store.close()


def _count_leftovers(there: Truth) -> int:
    return len(there.uncounted) + len(there.lost) + len(there.temporary)


def _count(tally: Tally, found: Found) -> None:
    tally.compared += found.right + found.wrong
    tally.wrong += found.wrong


def _count_damaged(tally: Tally, store: TieredStore) -> None:
    stats = store.stats()
    tally.damaged += int(str(stats["quarantined"])) + int(str(stats["write_errors"]))


def kills_table(tally: Tally) -> Table:
    """Return what was counted, beside what is promised."""
    above = (tally.largest_bytes - LIMIT_BYTES) / MIB
    rows = (
        _row("wrong bytes", tally.wrong),
        _row("stuck keys", tally.stuck),
        _row("blocks in the index that nobody finds", tally.missing),
        _row("bytes that the index does not account for", tally.lost_bytes),
        _row("files without entry, entries without file, temporary files", tally.leftovers),
        _row("quarantined, or not written", tally.damaged),
        _row("MiB above limit", round(above, 1), MAX_BATCH_BYTES / MIB),
    )
    note = (
        f"{tally.kills:,} kills in {tally.seconds:,.0f} s; {tally.written:,} blocks of 100 bytes "
        f"to 2 MiB written under a limit of {LIMIT_BYTES // MIB} MiB, {tally.compared:,} compared. "
        "The size is that of all files right after a kill; a batch may be on its way."
    )
    return Table("Writers killed while they write", ("after all", "measured", "bar"), rows, (note,))


def _row(name: str, measured: float, bar: float = 0) -> tuple[str, str, str]:
    return name, f"{measured:,}", f"<= {bar:g}" if measured <= bar else f"<= {bar:g}: MISSED"


def measure_kills(kills: int) -> Table:
    """Kill writers in a directory of their own."""
    with tempfile.TemporaryDirectory() as name:
        return kills_table(asyncio.run(kill_writers(Path(name) / "cache", kills)))


def missed_bars(tables: Sequence[Table]) -> list[str]:
    """Return the rows that do not hold, in words."""
    rows = [row for table in tables for row in table.rows]
    return [": ".join(row) for row in rows if "MISSED" in row[-1]]


def main() -> None:
    """Print the tables; the exit code is 1 when a bar is missed."""
    parser = make_parser("benchmarks.kills", __doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument(
        "--blocks",
        type=int,
        default=100_000,
        help="cached blocks of the gateway that is restarted (default: %(default)s)",
    )
    asked = parser.parse_args()
    tables = [measure_kills(asked.kills), measure_restarts(asked.blocks)]
    publish("kills", tables)
    if missed := missed_bars(tables):
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
