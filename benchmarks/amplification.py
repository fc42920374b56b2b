"""Bytes and requests that a client costs upstreams, and the effect of a bad upstream on a client.

A gateway runs as a process, each time with an empty cache; its upstreams are in our own loop, and
count what they send. Measured are the bytes that upstreams send for each byte of a cold file; the
longest pause of a client when the upstream that it is served from falls silent; the requests that
all upstreams get when many clients ask for what none of them can deliver; and the share of requests
that still go to an upstream which answers with heads only, or with half of each body.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks.data.content import random_bytes
from benchmarks.report.command import make_parser
from benchmarks.report.promises import Promise, promises_table
from benchmarks.report.tables import Table, publish
from benchmarks.rig.harness import running_gateway
from benchmarks.rig.trustless import Manner, Origin, running_origins
from gateway.content.block import Block
from gateway.content.build import Profile, build_file, collect
from gateway.content.cid import Cid

MIB: Final = 1024 * 1024
MODES: Final = ("car", "block")
SHARERS: Final = (1, 3)
PACE_S: Final = 0.004  # before each block of 256 KiB: an upstream of 500 Mbit/s
STALL_FILE_BYTES: Final = 5 * MIB
STALLS_AFTER: Final = (0, 3, 10)  # blocks
FAILING: Final = (Manner.ERROR, Manner.RESET, Manner.LIE, Manner.ABSENT)
FAILING_UPSTREAMS: Final = 4
BODILESS: Final = (Manner.HEAD_ONLY, Manner.HALF_BODY)
PER_S: Final = 50.0
SMALL_FILE_BYTES: Final = 60_000
WELL_S: Final = 2.0
"""How long all upstreams are well before one is not."""
GRACE_S: Final = 2.0  # from then on until its requests are counted

RATIO_LIMIT: Final = 1.02
PAUSE_LIMIT_S: Final = 2.5
REQUESTS_LIMIT: Final = 10
SHARE_LIMIT: Final = 0.03

USUAL: Final = Profile(chunk_bytes=256 * 1024, max_links=174, raw_leaves=True, cid_version=1)
SMALL: Final = Profile(chunk_bytes=4096, max_links=174, raw_leaves=True, cid_version=1)

CONFIG: Final = """
[server]
max_concurrent_requests = 4096
[cache]
directory = "{folder}/cache"
[retrieval]
mode = "{mode}"
[limits]
requests = ""
connections = 4096
[log]
access = "off"
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is asked for."""

    file_bytes: int = 64 * MIB
    clients: int = 1000
    counted_s: float = 6.0
    """How long requests to an upstream without bodies are counted."""


class File:
    """A file of bytes that nobody has seen."""

    def __init__(self, seed: str, size: int, profile: Profile = USUAL) -> None:
        built, self.blocks = collect(build_file(random_bytes(seed, size), profile))
        self.cid: Cid = built.cid
        self.size = size


@asynccontextmanager
async def _running(
    origins: Sequence[Origin], mode: str = "car", clients: int = 100
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """Run upstreams and a gateway in front of them; gives a client and the gateway's URL."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running_origins(origins))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = CONFIG.format(folder=folder, mode=mode) + "".join(
            f'[[upstreams]]\nname = "{origin.name}"\nurl = "http://127.0.0.1:{origin.port}"\n'
            for origin in origins
        )
        gateway = running_gateway(folder, config)
        server = await asyncio.to_thread(gateway.__enter__)
        try:
            connector = aiohttp.TCPConnector(limit=clients)
            async with aiohttp.ClientSession(connector=connector) as client:
                yield client, server.url
        finally:
            await asyncio.to_thread(gateway.__exit__, None, None, None)


def _make(count: int, blocks: Sequence[Block], pace_s: float = 0.0) -> list[Origin]:
    return [Origin(f"upstream-{number}", blocks, pace_s) for number in range(count)]


async def _fetch(client: aiohttp.ClientSession, url: str) -> tuple[int, int, float]:
    """Fetch to the end; return the status, the body's bytes and the longest pause."""
    size, longest_s, last = 0, 0.0, time.monotonic()
    async with client.get(url) as response:
        with suppress(aiohttp.ClientPayloadError):
            async for piece in response.content.iter_any():
                now = time.monotonic()
                longest_s, last = max(longest_s, now - last), now
                size += len(piece)
        return response.status, size, longest_s


async def measure_bytes(mode: str, count: int, file: File) -> Promise:
    """Measure what upstreams send for one cold file."""
    origins = _make(count, file.blocks, PACE_S)
    async with _running(origins, mode) as (client, url):
        _, size, _ = await _fetch(client, f"{url}/ipfs/{file.cid}")
    ratio = sum(origin.sent_bytes for origin in origins) / file.size
    text = f"bytes sent / bytes of a file, {mode} mode, upstreams: {count} <= {RATIO_LIMIT:g}"
    return Promise(text, f"{ratio:.3f}", ratio <= RATIO_LIMIT and size == file.size)


async def measure_pause(mode: str, after: int) -> Promise:
    """Measure the longest pause when the upstream that is asked first falls silent."""
    file = File(f"stall {mode} {after}", STALL_FILE_BYTES)
    origins = _make(2, file.blocks, PACE_S)

    def stall(first: Origin) -> None:
        first.manner, first.stall_after = Manner.STALL, after
        for origin in origins:
            origin.on_request = None

    for origin in origins:
        origin.on_request = stall
    async with _running(origins, mode) as (client, url):
        _, size, longest_s = await _fetch(client, f"{url}/ipfs/{file.cid}")
    text = f"longest pause, silent after {after} blocks, {mode} mode <= {PAUSE_LIMIT_S:g} s"
    is_held = longest_s <= PAUSE_LIMIT_S and size == file.size
    return Promise(text, f"{longest_s:.2f} s, {size / file.size:.0%} came", is_held)


async def measure_failing(manner: Manner, clients: int) -> Promise:
    """Count the requests to upstreams of which none delivers what all clients ask for at once."""
    file = File(f"failing {manner}", SMALL_FILE_BYTES, SMALL)
    origins = _make(FAILING_UPSTREAMS, file.blocks)
    for origin in origins:
        origin.manner = manner
    async with _running(origins, clients=clients) as (client, url):
        asked = [_fetch(client, f"{url}/ipfs/{file.cid}") for _ in range(clients)]
        answers = await asyncio.gather(*asked)
    requests = sum(origin.requests for origin in origins)
    statuses = sorted({status for status, _, _ in answers})
    text = f"requests for {clients:,} clients, all upstreams: {manner} <= {REQUESTS_LIMIT}"
    is_held = requests <= REQUESTS_LIMIT and 200 not in statuses
    return Promise(text, f"{requests} ({', '.join(map(str, statuses))})", is_held)


async def measure_share(manner: Manner, counted_s: float) -> Promise:
    """Measure the share of requests that an upstream gets which delivers no whole body."""
    count = int((WELL_S + GRACE_S + counted_s) * PER_S)
    files = [File(f"{manner} {number}", SMALL_FILE_BYTES, SMALL) for number in range(count)]
    origins = _make(3, [block for file in files for block in file.blocks])
    async with _running(origins) as (client, url), asyncio.TaskGroup() as tasks:
        before: list[int] = []
        for number, file in enumerate(files):
            at_s = number / PER_S
            if at_s == WELL_S:
                max(origins, key=lambda origin: origin.requests).manner = manner
            if at_s == WELL_S + GRACE_S:
                before = [origin.requests for origin in origins]
            tasks.create_task(_fetch(client, f"{url}/ipfs/{file.cid}"))
            await asyncio.sleep(1 / PER_S)
    each = [origin.requests - earlier for origin, earlier in zip(origins, before, strict=True)]
    bad = next(number for number, origin in enumerate(origins) if origin.manner is manner)
    share = each[bad] / sum(each)
    text = f"share of requests to one of three, {manner}, after {GRACE_S:g} s <= {SHARE_LIMIT:.0%}"
    return Promise(text, f"{share:.1%} of {sum(each):,}", share <= SHARE_LIMIT)


def measure(scale: Scale) -> Iterator[Promise]:
    """Measure all, one after the other."""
    file = File("shared", scale.file_bytes)
    for mode in MODES:
        for count in SHARERS:
            yield asyncio.run(measure_bytes(mode, count, file))
    for mode in MODES:
        for after in STALLS_AFTER:
            yield asyncio.run(measure_pause(mode, after))
    for manner in FAILING:
        yield asyncio.run(measure_failing(manner, scale.clients))
    for manner in BODILESS:
        yield asyncio.run(measure_share(manner, scale.counted_s))


def amplification_table(scale: Scale) -> Table:
    """Return all bars, each with what was measured."""
    return promises_table(measure(scale))


def main() -> None:
    """Measure, and print what came out."""
    parser = make_parser("benchmarks.amplification", __doc__)
    usual = Scale()
    parser.add_argument("--file-mib", type=int, default=usual.file_bytes // MIB, metavar="MIB")
    parser.add_argument("--clients", type=int, default=usual.clients, metavar="N")
    parser.add_argument("--seconds", type=float, default=usual.counted_s, metavar="S")
    asked = parser.parse_args()
    scale = Scale(asked.file_mib * MIB, asked.clients, asked.seconds)
    publish("amplification", [amplification_table(scale)])


if __name__ == "__main__":
    main()
