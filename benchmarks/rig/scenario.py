"""One gateway before three links: it is asked for one file after the other, and a link breaks."""

import asyncio
import json
import statistics
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from benchmarks.data.content import random_bytes
from benchmarks.rig.harness import LinkControl
from benchmarks.rig.link import Fault
from gateway.content.build import build_file, collect

ROUND_TRIP_MS: Final = 20.0
_SLOW_ROUND_TRIP_MS: Final = 200.0
FILE_BYTES: Final = 4000
POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to a link."""

    name: str
    change: Mapping[str, float | str]
    """See `link.Shape`; empty for nothing."""


QUIET: Final = Trouble("none", {})
SLOW: Final = Trouble("slow", {"round_trip_ms": _SLOW_ROUND_TRIP_MS})
TROUBLES: Final = (
    QUIET,
    SLOW,
    *(Trouble(fault, {"fault": fault}) for fault in Fault if fault is not Fault.NONE),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is asked, and how fast."""

    requests: int
    per_s: float
    tail_s: float
    """How long recovery is watched after the last request."""


@dataclass(slots=True)
class Run:
    """What one run showed."""

    trouble: Trouble
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


class Scenario:
    """One run against one gateway."""

    def __init__(
        self,
        url: str,
        admin: str,
        links: Mapping[str, LinkControl],
        scale: Scale,
        trouble: Trouble,
    ) -> None:
        self._url = url
        self._admin = admin
        self._links = links
        self._scale = scale
        self._run = Run(trouble)
        self._victim = ""

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
        if not self._run.trouble.change:
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
        self._links[self._victim].change(**self._run.trouble.change)

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
