"""A gateway that is killed with a full cache: time until it answers again, and blocks lost.

Part of `python -m benchmarks.kills`.
"""

import asyncio
import http.client
import random
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.data.blocks import numbered
from benchmarks.data.content import KIB, MIB
from benchmarks.report.tables import Table
from benchmarks.rig.harness import Server, admin_url, free_port, running_gateway
from benchmarks.rig.writers import open_cache

ROUNDS: Final = 5
SAMPLE: Final = 2000
LARGE_BYTES: Final = 256 * KIB
LARGE_SHARE: Final = 0.1
"""Of the blocks; the others have 1 to 16 KiB, the logarithm evenly spread."""
ASKED_S: Final = 1.0
"""How long the gateway is asked before it is killed: hits are written down, too."""
DISK_BYTES: Final = 64 * 1024 * MIB
BAR_S: Final = 2.0
BAR_HITS: Final = 0.99
POLL_S: Final = 0.01

# The one upstream refuses connections: whatever is a hit came from the cache.
CONFIG: Final = """
[server]
workers = {workers}
[cache]
directory = "{folder}/cache"
disk_size = "64GiB"
[limits]
requests = ""
[log]
access = "off"
[[upstreams]]
name = "nobody"
url = "http://127.0.0.1:{port}"
tier = "public"
"""


@dataclass(frozen=True, slots=True)
class Item:
    """One block of the cache, by what it is made of."""

    number: int
    size: int


@dataclass(frozen=True, slots=True)
class Restart:
    """What one start after a kill showed; seconds since the process was started."""

    answers_s: float
    """Until a request got its answer."""
    ready_s: float
    """Until the readiness endpoint said so, too."""
    hit_s: float
    """Until the first block came from the cache."""
    hits: float
    """Share of the sample, 0 to 1."""
    wrong: int
    """Bodies with other bytes than were kept."""


def make_items(blocks: int) -> list[Item]:
    """Choose the sizes of the blocks; the same in every run."""
    chance = random.Random(1)
    return [
        Item(number, LARGE_BYTES if chance.random() < LARGE_SHARE else _small(chance))
        for number in range(blocks)
    ]


def _small(chance: random.Random) -> int:
    return int(KIB * 16 ** chance.random())


async def _fill(directory: Path, items: Iterable[Item]) -> None:
    store = await open_cache(directory, DISK_BYTES)
    for item in items:
        await store.keep(numbered(item.number, item.size))
    await store.close()


def restart(folder: Path, items: Sequence[Item], workers: int, rounds: int) -> Iterator[Restart]:
    """Kill a gateway that is being asked, start it again, and see what it has; every round anew."""
    config = CONFIG.format(workers=workers, folder=folder, port=free_port())
    chance = random.Random(workers)
    for number in range(rounds + 1):
        started_s = time.monotonic()
        with running_gateway(folder / "gateway", config) as server:
            if number:  # the first start is not one after a kill
                sample = chance.sample(items, min(SAMPLE, len(items)))
                yield _look(server, admin_url(folder / "gateway/gateway.toml"), started_s, sample)
            _kill_in_use(server, items)


def _look(server: Server, admin: str, started_s: float, sample: Sequence[Item]) -> Restart:
    answers_s = time.monotonic() - started_s
    while not _is_ready(admin):
        time.sleep(POLL_S)
    ready_s = time.monotonic() - started_s
    with closing(_Client(server.url)) as client:
        found = [client.ask(sample[0])]
        hit_s = time.monotonic() - started_s
        found += [client.ask(item) for item in sample[1:]]
    hits = sum(is_hit for is_hit, _ in found) / len(found)
    return Restart(answers_s, ready_s, hit_s, hits, sum(is_wrong for _, is_wrong in found))


def _is_ready(admin: str) -> bool:
    try:
        urllib.request.urlopen(f"{admin}/readyz", timeout=5).close()  # noqa: S310 (ours)
    except OSError:  # refused, or 503: an HTTPError is an OSError
        return False
    return True


def _kill_in_use(server: Server, items: Sequence[Item]) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(_ask_until_gone, server.url, items)
        time.sleep(ASKED_S)
        server.kill()
        asking.result()


def _ask_until_gone(url: str, items: Sequence[Item]) -> None:
    with suppress(OSError, http.client.HTTPException), closing(_Client(url)) as client:
        for item in cycle(items):
            client.ask(item)


class _Client:
    """One connection."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=10
        )

    def ask(self, item: Item) -> tuple[bool, bool]:
        """Ask for a block; tell whether it was a hit, and whether it had other bytes."""
        block = numbered(item.number, item.size)
        self._connection.request("GET", f"/ipfs/{block.cid}")
        response = self._connection.getresponse()
        body = response.read()
        is_hit = response.status == 200 and "; hit" in response.headers.get("Cache-Status", "")
        return is_hit, response.status == 200 and body != block.data

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def restarts_table(found: Sequence[tuple[int, Restart]], note: str) -> Table:
    """Return a row for each start, by the number of workers."""
    columns = (*("workers", "answers s", "ready s", "first hit s"), *("hits", "wrong", "bar"))
    return Table("A gateway that was killed", columns, [_row(*one) for one in found], (note,))


def _row(workers: int, one: Restart) -> tuple[str, ...]:
    is_held = max(one.ready_s, one.hit_s) <= BAR_S and one.hits >= BAR_HITS and not one.wrong
    bar = f"<= {BAR_S:g} s, >= {BAR_HITS:.0%}, 0"
    return (
        str(workers),
        *(f"{seconds:.2f}" for seconds in (one.answers_s, one.ready_s, one.hit_s)),
        *(f"{one.hits:.2%}", str(one.wrong)),
        bar if is_held else f"{bar}: MISSED",
    )


def measure_restarts(blocks: int, rounds: int = ROUNDS) -> Table:
    """Fill a cache, and kill and start a gateway with it, alone and with two workers."""
    items = make_items(blocks)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(_fill(folder / "cache", items))
        found = [
            (workers, one) for workers in (1, 2) for one in restart(folder, items, workers, rounds)
        ]
    size = sum(item.size for item in items)
    note = (
        f"{blocks:,} blocks, {size / 1e9:.1f} GB. Every process was killed while it was asked. "
        f"{SAMPLE:,} blocks are asked for right after it is ready; no upstream answers."
    )
    return restarts_table(found, note)
