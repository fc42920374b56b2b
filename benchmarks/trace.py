"""A trace shaped like that of ipfs.io, from end to end: ours, nginx's proxy_cache, and Rainbow.

Who is asked for how often and how large files are is that of `python -m benchmarks.policies`, with
sizes scaled to 73 kB for a request, the mean of ipfs.io in 2025 (its mix of 2022 had 925). Memory
of ours is 1 % of all bytes, the disk 10 %; as much disk has nginx, whose memory is the system's
page cache. What is missed comes from a Kubo on loopback. The first half of the trace fills the
caches and is checked, answer by answer; then rates and hits are taken. Hits stand beside those that
S3-FIFO and midpoint LRU have with as many bytes and the same requests.

nginx looks at `max_size` every ten seconds only, so its zone of keys holds no more than a tenth of
the files either; and it keeps no files open, else it serves from those that it has removed. Exit
code 1 when a bar is missed.
"""

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.data.content import KIB, MIB
from benchmarks.data.mix_rows import MANY
from benchmarks.data.token_files import shelve
from benchmarks.policies import make_trace
from benchmarks.report.command import make_parser
from benchmarks.report.promises import Promise, promises_table
from benchmarks.report.tables import Table, publish
from benchmarks.rig.cache_directory import disk_bytes
from benchmarks.rig.contenders import (
    GATEWAY_ALONE,
    NGINX_CACHE,
    RAINBOW,
    Contender,
    NginxOptions,
    Stage,
    alone,
    start_all,
)
from benchmarks.rig.harness import Missing, admin_url, cores, program
from benchmarks.rig.mix_stage import running_origin
from benchmarks.rig.sequence import Asks, Run, ask_all, compare
from gateway.cache.policies import POLICIES, Asked, footprint

CIDS: Final = 20_000
SECONDS: Final = 10.0
MEAN_BYTES: Final = 73_000
"""Of a request; Shipyard, "A Post Gateway World", May 2025: 45 TB in 614 million requests."""
MEMORY_SHARE, DISK_SHARE = 0.01, 0.1
COMPARED: Final = 40
FLUSH_S: Final = 1.1
"""After which nginx has written its log."""
OF_NGINX, OF_RAINBOW, OF_POLICY = 0.7, 20.0, 0.01
"""Bars: rates as multiples, and how far memory may be below its policy."""
KEY_BYTES, KEYS_BYTES, LEAST_KEYS_BYTES = 128, 14 * KIB, 32 * KIB
"""What a key takes in nginx's zone of keys, the zone's own part, and the least that it may be.

Counted with zones of 32 to 288 KiB, which held 156 to 2,197 answers."""
_LOG: Final = "log_format cache $upstream_cache_status;"
_LOGGED: Final = "access_log logs/cache.log cache buffer=32k flush=1s;"
EXAMPLES: Final = """
examples:
  python -m benchmarks.trace                          three minutes, 1.5 GB of files
  python -m benchmarks.trace --cids 5000 --seconds 5
  python -m benchmarks.trace --smoke
"""


class Hits(NamedTuple):
    """Requests so far."""

    memory: int
    every: int
    """With those that the disk had."""
    requests: int

    def since(self, before: "Hits") -> "Hits":
        """Return what came after."""
        return Hits(*(now - then for now, then in zip(self, before, strict=True)))


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one server did in the second half."""

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    megabytes_s: float
    rss_bytes: int
    disk_bytes: int
    """What its cache takes in the end."""
    hits: Hits


@dataclass(frozen=True, slots=True)
class Trace:
    """What is asked for, and how much there is of it."""

    requests: Sequence[Asked]
    whole: int
    """Bytes of all files."""

    @property
    def half(self) -> int:
        """Requests that fill the caches."""
        return len(self.requests) // 2

    @property
    def sizes(self) -> list[int]:
        """Bytes of each file, by its number."""
        by_number = {_number(asked): asked.size for asked in self.requests}
        return [by_number[number] for number in range(len(by_number))]


def scaled_trace(cids: int, mean_bytes: float = MEAN_BYTES) -> Trace:
    """Return the trace of `benchmarks.policies` with another mean size of a request."""
    trace = make_trace(cids)
    scale = mean_bytes * len(trace) / sum(asked.size for asked in trace)
    requests = [Asked(asked.key, max(1, int(asked.size * scale))) for asked in trace]
    return Trace(requests, footprint(requests))


def _number(asked: Asked) -> int:
    return int.from_bytes(asked.key, "big")


def policy_hits(name: str, capacity: int, requests: Iterable[Asked], warm: int) -> float:
    """Return the part of the requests after the first `warm` ones that a policy has."""
    policy = POLICIES[name](capacity)
    found = [policy.ask(asked) for asked in requests][warm:]
    return sum(found) / len(found)


def measure_trace(cids: int, seconds: float) -> list[Table]:
    """Replay the trace; without Kubo or wrk there is nothing to measure, without others less."""
    trace = scaled_trace(cids)
    try:
        program("wrk", "apt-get install wrk")
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            folder = Path(name)
            files = shelve(folder / "trace.car", "trace", trace.sizes)
            order = [_number(asked) for asked in trace.requests]
            asks = Asks([file.ask() for file in files], order)
            kubo = stack.enter_context(running_origin(folder / "origin", [folder / "trace.car"]))
            contenders = _start(Stage(stack, folder, kubo.url), trace)
            found: dict[str, Replayed] = {}
            for one in contenders:
                print(one.name, flush=True)
                with alone(one, contenders):
                    found[one.name] = _replay(one, asks, trace, seconds)
    except Missing as exc:
        print(f"no trace: {exc}")
        return []
    memory, disk = _policies(trace)
    return [trace_table(found, trace, memory, disk), trace_bars(found, memory)]


def _start(stage: Stage, trace: Trace) -> list[Contender]:
    memory = f"{max(1, int(trace.whole * MEMORY_SHARE) // KIB)}KiB"
    disk = max(1, int(trace.whole * DISK_SHARE) // KIB)
    keys = max(LEAST_KEYS_BYTES, KEYS_BYTES + int(KEY_BYTES * len(trace.sizes) * DISK_SHARE))
    nginx = NginxOptions(f"{disk}k", f"{keys // KIB}k", "off", _LOG, _LOGGED)
    return start_all(
        [
            (NGINX_CACHE, lambda: stage.proxy_cache(options=nginx)),
            (RAINBOW, stage.rainbow),
            (GATEWAY_ALONE, lambda: stage.gateway("trace", memory, disk=f"{disk}KiB")),
        ]
    )


def _policies(trace: Trace) -> tuple[float, float]:
    memory, disk = (int(trace.whole * share) for share in (MEMORY_SHARE, DISK_SHARE))
    names = ("memory tier (S3-FIFO)", "disk tier (midpoint LRU)")
    first, second = (
        policy_hits(name, capacity, trace.requests, trace.half)
        for name, capacity in zip(names, (memory, disk), strict=True)
    )
    return first, second


def _replay(one: Contender, asks: Asks, trace: Trace, seconds: float) -> Replayed:
    core = cores()[-1]
    if one.name != RAINBOW:  # it keeps nothing
        ask_all(one.url, asks, Run(MANY, count=trace.half, is_checked=True), core=core)
    compare(one.url, asks, COMPARED)
    read = READERS.get(one.name, _no_hits)
    before, cpu_s = read(one), one.cpu_s()
    load = ask_all(one.url, asks, Run(MANY, seconds, start=trace.half), core=core)
    cpu_s = one.cpu_s() - cpu_s
    hits = read(one).since(before)
    compare(one.url, asks, COMPARED)
    return Replayed(
        rate=load.rate,
        cpu_us=cpu_s / load.requests * 1e6,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        megabytes_s=load.size_bytes / load.seconds / 1e6,
        rss_bytes=one.rss_bytes(),
        disk_bytes=disk_bytes(one.servers[0].log.parent / "cache"),
        hits=hits,
    )


def _read_nginx(one: Contender) -> Hits:
    time.sleep(FLUSH_S)
    lines = (one.servers[0].log.parent / "logs" / "cache.log").read_text().split()
    return Hits(0, lines.count("HIT"), len(lines))


def _read_ours(one: Contender) -> Hits:
    url = admin_url(one.servers[0].log.parent / "gateway.toml") + "/api/v1/cache"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (http:// of ours)
        return count_hits(json.load(answer))


def count_hits(figures: dict[str, dict[str, int]]) -> Hits:
    """Return what `/api/v1/cache` says of requests."""
    tiers = figures["requests_by_tier"]
    memory = tiers.get("hot", 0) + tiers.get("memory", 0)
    return Hits(memory, sum(tiers.values()), sum(figures["requests"].values()))


def _no_hits(_: Contender) -> Hits:
    return Hits(0, 0, 0)


READERS: Final[dict[str, Callable[[Contender], Hits]]] = {
    NGINX_CACHE: _read_nginx,
    GATEWAY_ALONE: _read_ours,
}


def trace_table(found: dict[str, Replayed], trace: Trace, memory: float, disk: float) -> Table:
    """Return all figures, beside what the policies would have had."""
    columns = (
        *("server", "requests/s", "x nginx", "CPU us", "x nginx", "p50 ms", "p99 ms", "MB/s"),
        *("RSS MiB", "disk MB", "hits in memory", "all hits"),
    )
    nginx = found.get(NGINX_CACHE)
    rows = [
        (
            name,
            f"{one.rate:,.0f}",
            f"{one.rate / nginx.rate:.2f}" if nginx else "-",
            f"{one.cpu_us:,.0f}",
            f"{one.cpu_us / nginx.cpu_us:.2f}" if nginx else "-",
            f"{one.p50_ms:.2f}",
            f"{one.p99_ms:.1f}",
            f"{one.megabytes_s:,.0f}",
            f"{one.rss_bytes / MIB:,.0f}",
            f"{one.disk_bytes / 1e6:,.0f}",
            _share(one.hits.memory, one.hits.requests),
            _share(one.hits.every, one.hits.requests),
        )
        for name, one in found.items()
    ]
    rows.append(("policies", *("",) * 9, f"{memory:.1%}", f"{disk:.1%}"))
    note = (
        f"{len(trace.requests):,} requests for {len(trace.sizes):,} CIDs, {trace.whole / 1e6:,.0f} "
        f"MB; memory {MEMORY_SHARE:.0%} of it, disk {DISK_SHARE:.0%}; {MANY} connections. The "
        "second half, from its start again when it is over. Rainbow keeps nothing."
    )
    return Table("A trace shaped like ipfs.io's", columns, rows, (note,))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if part and whole else "-"


def trace_bars(found: dict[str, Replayed], memory: float) -> Table:
    """Compare with what was promised."""
    ours = found[GATEWAY_ALONE]
    promises = [
        Promise(
            f"requests/s >= {times:g} x {name}",
            f"{ours.rate / found[name].rate:.2f}",
            ours.rate >= times * found[name].rate,
        )
        for name, times in ((NGINX_CACHE, OF_NGINX), (RAINBOW, OF_RAINBOW))
        if name in found
    ]
    if ours.hits.requests:
        share = ours.hits.memory / ours.hits.requests
        text = f"hits in memory >= {memory:.1%} of S3-FIFO - {OF_POLICY:.0%}"
        promises.append(Promise(text, f"{share:.1%}", share >= memory - OF_POLICY))
    return promises_table(promises)


def main() -> None:
    """Run from the command line; the exit code is 1 when a bar is missed."""
    parser = make_parser("benchmarks.trace", __doc__, EXAMPLES)
    parser.add_argument("--cids", type=int, default=CIDS)
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        help="measured seconds of the second half (default: 10)",
    )
    parser.add_argument("--smoke", action="store_true", help="measure 1,000 CIDs for two seconds")
    asked = parser.parse_args()
    tables = measure_trace(*((1000, 2) if asked.smoke else (asked.cids, asked.seconds)))
    publish("trace", tables)
    if not asked.smoke and any(row[-1] == "MISSED" for row in tables[-1].rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
