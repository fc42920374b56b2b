"""What clients notice when one of three upstreams dies, stalls, resets, lies or slows down.

    python -m benchmarks.faults [--requests 10000] [--per-second 100]

Three links of 20 ms lead to one Kubo node, and a gateway has them as its upstreams. Every request
is a miss, at a steady rate whatever the answers do. A third into the run the link that is asked
most becomes faulty, and after two thirds it is well again. Each fault has a gateway of its own; the
quiet run is the first, and the others are compared with it.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from benchmarks.content import random_bytes
from benchmarks.harness import (
    LinkControl,
    Missing,
    admin_url,
    ipfs,
    make_kubo_repository,
    running_gateway,
    running_kubo,
    running_link,
)
from benchmarks.link import Fault
from benchmarks.report import Table, publish
from gateway.content.block import Block
from gateway.content.build import build_file, collect
from gateway.content.car import car_header, car_section

ROUND_TRIP_MS: Final = 20.0
SLOW_ROUND_TRIP_MS: Final = 200.0
FILE_BYTES: Final = 4000
POLL_S: Final = 0.1
NAMES: Final = ("one", "two", "three")

CONFIG = """
[server]
max_concurrent_requests = 4096
[cache]
directory = "{folder}/cache"
[limits]
requests = ""
[log]
access = "off"
"""
UPSTREAM = """
[[upstreams]]
name = "{name}"
url = "{url}"
tier = "public"
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is asked, and how fast."""

    requests: int
    per_s: float
    tail_s: float
    """How long recovery is watched after the last request."""


FULL = Scale(10_000, 100, 60)


@dataclass(slots=True)
class Run:
    """What one run showed."""

    fault: str
    latencies_ms: list[float] = field(default_factory=list[float])
    failures: Counter[str] = field(default_factory=Counter[str])
    ejected_s: float | None = None
    """From the fault until the upstream was ejected."""
    back_s: float | None = None
    """From its recovery until it was healthy."""
    asked: int = 0
    """Requests to all upstreams."""
    hedges: int = 0

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.latencies_ms)

    @property
    def p99_ms(self) -> float:
        return statistics.quantiles(self.latencies_ms, n=100)[98]


def measure_faults(scale: Scale, only: Sequence[str] = ()) -> list[Table]:
    """Run faults, all if none are named; without Kubo there is nothing to measure."""
    try:
        runs = list(_measure(scale, only))
    except Missing as exc:
        print(f"no faults: {exc}")
        return []
    columns = (
        "fault of one of three",
        "requests",
        "failed",
        "p50 ms",
        "p99 ms",
        "p99 / quiet",
        "max ms",
        "ejected after s",
        "back after s",
        "upstream requests each",
        "hedges",
    )
    rows = [_row(run, runs[0]) for run in runs]
    note = (
        f"All misses, {scale.per_s:g} a second, links of {ROUND_TRIP_MS:g} ms; slow: 10 times that."
    )
    return [Table("One bad upstream of three", columns, rows, (note,))]


def _row(run: Run, quiet: Run) -> tuple[str, ...]:
    count = len(run.latencies_ms)
    return (
        run.fault,
        f"{count:,}",
        str(run.failures.total()) + (f" {dict(run.failures)}" if run.failures else ""),
        f"{run.p50_ms:.1f}",
        f"{run.p99_ms:.1f}",
        f"{run.p99_ms / quiet.p99_ms:.2f}",
        f"{max(run.latencies_ms):.0f}",
        "" if run.ejected_s is None else f"{run.ejected_s:.1f}",
        "" if run.back_s is None else f"{run.back_s:.1f}",
        f"{run.asked / count:.3f}",
        f"{run.hedges / count:.2%}",
    )


def _measure(scale: Scale, only: Sequence[str]) -> Iterator[Run]:
    faults: list[tuple[str, dict[str, float | str]]] = [
        ("none", {}),
        ("slow", {"round_trip_ms": SLOW_ROUND_TRIP_MS}),
    ]
    faults += [(fault.value, {"fault": fault.value}) for fault in tuple(Fault)[1:]]
    with tempfile.TemporaryDirectory() as name, _kubo(Path(name), scale) as (port, cids):
        for label, shape in faults:
            if only and label not in (faults[0][0], *only):
                continue
            with ExitStack() as stack:
                yield _run(stack, Path(name) / label, (port, cids), scale, (label, shape))


@contextmanager
def _kubo(folder: Path, scale: Scale) -> Iterator[tuple[int, list[str]]]:
    """Run a Kubo that has a file for each request."""
    make_kubo_repository(folder)
    blocks: list[Block] = []
    for number in range(scale.requests):
        _, made = collect(build_file(random_bytes(str(number), FILE_BYTES)))
        blocks += made
    car = folder / "files.car"
    with car.open("wb") as file:
        file.write(car_header([blocks[0].cid]))
        for block in blocks:
            file.writelines(car_section(block))
    ipfs("dag", "import", "--pin-roots=false", car, folder=folder)
    with running_kubo(folder) as kubo:
        yield urlsplit(kubo.url).port or 0, [str(block.cid) for block in blocks]


def _run(
    stack: ExitStack,
    folder: Path,
    content: tuple[int, Sequence[str]],
    scale: Scale,
    fault: tuple[str, dict[str, float | str]],
) -> Run:
    port, cids = content
    links = {
        name: stack.enter_context(running_link(port, round_trip_ms=ROUND_TRIP_MS)) for name in NAMES
    }
    config = CONFIG.format(folder=folder) + "".join(
        UPSTREAM.format(name=name, url=link.url) for name, link in links.items()
    )
    gateway = stack.enter_context(running_gateway(folder, config))
    admin = admin_url(folder / "gateway.toml")
    return asyncio.run(_Scenario(gateway.url, admin, links, scale, fault).run(cids))


class _Scenario:
    """One run against one gateway."""

    def __init__(
        self,
        url: str,
        admin: str,
        links: dict[str, LinkControl],
        scale: Scale,
        fault: tuple[str, dict[str, float | str]],
    ) -> None:
        self._url = url
        self._admin = admin
        self._links = links
        self._scale = scale
        self._shape = fault[1]
        self._run = Run(fault[0])
        self._victim = NAMES[0]

    async def run(self, cids: Sequence[str]) -> Run:
        """Send all requests, and the fault in their middle."""
        seconds = len(cids) / self._scale.per_s
        watching = asyncio.create_task(self._watch(seconds))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            started = time.monotonic()
            tasks = []
            for number, cid in enumerate(cids):
                await asyncio.sleep(
                    max(0.0, started + number / self._scale.per_s - time.monotonic())
                )
                tasks.append(asyncio.create_task(self._ask(session, cid)))
            await asyncio.gather(*tasks)
            rows = self._rows()
            self._run.asked = sum(row["requests"] for row in rows)
            self._run.hedges = self._count_hedges()
            await self._keep_asking(session, watching)
        return self._run

    async def _ask(self, session: aiohttp.ClientSession, cid: str) -> None:
        started = time.monotonic()
        try:
            async with session.get(f"{self._url}/ipfs/{cid}") as answer:
                body = await answer.read()
                outcome = "" if len(body) == FILE_BYTES else f"{answer.status}"
        except (aiohttp.ClientError, OSError) as error:
            outcome = type(error).__name__
        self._run.latencies_ms.append((time.monotonic() - started) * 1000)
        if outcome:
            self._run.failures[outcome] += 1

    async def _keep_asking(
        self, session: aiohttp.ClientSession, watching: asyncio.Task[None]
    ) -> None:
        """Ask for what is not there until the recovery was seen: only requests try an upstream."""
        number = 0
        while not watching.done():
            number += 1
            _, blocks = collect(build_file(random_bytes(f"absent-{number}", 100)))
            async with session.get(f"{self._url}/ipfs/{blocks[0].cid}") as answer:
                await answer.read()
            await asyncio.sleep(POLL_S)
        await watching

    async def _watch(self, seconds: float) -> None:
        """Break the link, mend it, and see how long the gateway takes to notice."""
        if not self._shape:
            return
        await asyncio.sleep(seconds / 3)
        await self._in_thread(self._break)
        broken = time.monotonic()
        while time.monotonic() - broken < seconds / 3:
            if self._run.ejected_s is None and await self._state() == "ejected":
                self._run.ejected_s = time.monotonic() - broken
            await asyncio.sleep(POLL_S)
        await self._in_thread(self._mend)
        mended = time.monotonic()
        while self._run.ejected_s is not None and self._run.back_s is None:
            if await self._state() == "healthy":
                self._run.back_s = time.monotonic() - mended
            elif time.monotonic() - mended > seconds / 3 + self._scale.tail_s:
                return
            await asyncio.sleep(POLL_S)

    def _break(self) -> None:
        rows = {row["name"]: row["requests"] for row in self._rows()}
        self._victim = max(rows, key=lambda name: rows[name])
        self._links[self._victim].change(**self._shape)

    def _mend(self) -> None:
        self._links[self._victim].change(fault="none", round_trip_ms=ROUND_TRIP_MS)

    async def _state(self) -> str:
        rows = await self._in_thread(self._rows)
        return next(str(row["state"]) for row in rows if row["name"] == self._victim)

    async def _in_thread(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, work)

    def _rows(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self._admin}/api/v1/upstreams", timeout=10) as answer:  # noqa: S310 (ours)
            rows: list[dict[str, Any]] = json.load(answer)
        return rows

    def _count_hedges(self) -> int:
        with urllib.request.urlopen(f"{self._admin}/metrics", timeout=10) as answer:  # noqa: S310 (ours)
            lines = answer.read().decode().splitlines()
        chosen = [line for line in lines if 'reason="hedged"' in line and not line.startswith("#")]
        return int(sum(float(line.rpartition(" ")[2]) for line in chosen))


def main() -> None:
    """Measure with as many requests as are asked for; faster than the machine is, all are late."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=FULL.requests)
    parser.add_argument("--per-second", type=float, default=FULL.per_s)
    parser.add_argument("--only", default="", help="faults beside none, with commas")
    asked = parser.parse_args()
    scale = Scale(asked.requests, asked.per_second, FULL.tail_s)
    publish("faults", measure_faults(scale, tuple(filter(None, asked.only.split(",")))))


if __name__ == "__main__":
    main()
