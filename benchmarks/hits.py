"""Cached answers: our gateway against other servers of the same bytes.

Every server has one core; the load generator (wrk) has the last one. Short runs of the servers
alternate, while the others are stopped. The best run of each counts, so that other load on the
machine affects all alike. Every body is compared once before it is measured. The plot is
`results/hits.png`.
"""

import hashlib
import http.client
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.data.content import KIB, MIB, Packed, digest, pack_files, random_bytes
from benchmarks.report.command import make_parser
from benchmarks.report.hit_bars import bars_table
from benchmarks.report.measured import Measured, Results, best
from benchmarks.report.plot import draw_hits
from benchmarks.report.tables import RESULTS, Table, publish
from benchmarks.rig.contenders import (
    NGINX_CACHE,
    NGINX_STATIC,
    Contender,
    alone,
    running_contenders,
)
from benchmarks.rig.generator import make_load
from benchmarks.rig.harness import cores, pinned
from gateway.content.build import PROFILE_V0_2015, PROFILE_V1_2025, Profile

_WARM_REQUESTS = 12
"""Until an answer is where it stays in each worker: fetched, kept, finished, made a file."""


@dataclass(frozen=True, slots=True)
class Case:
    """A file of one size, asked for over a number of connections."""

    label: str
    size: int
    connections: int
    profile: Profile = PROFILE_V1_2025

    @property
    def name(self) -> str:
        """The file's name, the same everywhere."""
        return f"{self.size}-{self.profile.chunk_bytes}.bin"


CASES = (
    Case("1 KiB", KIB, 64),
    Case("10 KiB", 10 * KIB, 64),
    Case("256 KiB", 256 * KIB, 64),
    Case("1 MiB", MIB, 16),
    Case("64 MiB", 64 * MIB, 4),
    Case("64 MiB in 256 KiB", 64 * MIB, 4, PROFILE_V0_2015),
)
SMOKE_CASES = (CASES[1], CASES[3])


def measure_hits(seconds: float, rounds: int, cases: Sequence[Case] = CASES) -> list[Table]:
    """Measure every case `rounds` times for `seconds` on each server."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        files = {case.name: random_bytes(case.name, case.size) for case in cases}
        profiles = {case.name: case.profile for case in cases}
        packed = pack_files(folder / "hits.car", files, profiles)
        with running_contenders(folder, packed, files) as contenders:
            results = {
                case.label: _measure_case(case, contenders, packed, seconds, rounds)
                for case in cases
            }
    RESULTS.mkdir(exist_ok=True)
    draw_hits(results, RESULTS / "hits.png")
    return [_table(cases, results), bars_table(results, sha256_megabytes_s())]


def sha256_megabytes_s(seconds: float = 1) -> float:
    """Return how fast one core hashes leaves of 1 MiB; the best of short runs."""
    data, best_s = bytes(MIB), math.inf
    until = time.monotonic() + seconds
    with pinned(cores()[0]):
        while (started := time.monotonic()) < until:
            hashlib.sha256(data).digest()
            best_s = min(best_s, time.monotonic() - started)
    return MIB / best_s / 1e6


def _measure_case(
    case: Case, contenders: Sequence[Contender], packed: Packed, seconds: float, rounds: int
) -> dict[str, Measured]:
    path = f"/ipfs/{packed.root}/{case.name}"
    found_in = {one.name: _warm(one.url + path, case) for one in contenders}
    runs: dict[str, list[Measured]] = {one.name: [] for one in contenders}
    for _ in range(rounds):
        for one in contenders:
            with alone(one, contenders):
                measured = _measure(one, one.url + path, case, seconds)
            runs[one.name].append(measured._replace(found_in=found_in[one.name]))
    return {name: best(found) for name, found in runs.items()}


def _warm(url: str, case: Case) -> str:
    return [check_body(url, case) for _ in range(_WARM_REQUESTS)][-1]


def _measure(one: Contender, url: str, case: Case, seconds: float) -> Measured:
    before = one.cpu_s()
    load = make_load(url, seconds, case.connections, core=cores()[-1])
    cpu_s = one.cpu_s() - before
    # Of answers that take long, those of which only a part came count as that part.
    answers = load.requests if case.size < MIB else load.size_bytes / case.size
    return Measured(
        rate=answers / load.seconds,
        megabytes_s=answers * case.size / load.seconds / 1e6,
        cpu_us=cpu_s / answers * 1e6,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        rss_bytes=one.rss_bytes(),
    )


def check_body(url: str, case: Case) -> str:
    """Compare a body with what it should be; return the `detail` of Cache-Status, if there is."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        connection.request("GET", address.path)
        response = connection.getresponse()
        found = hashlib.sha256(response.read()).hexdigest()
        status = response.headers.get("Cache-Status", "")
    finally:
        connection.close()
    if found != digest(case.name, case.size):
        raise AssertionError(f"{url} is not what it should be")
    return status.rpartition("detail=")[2] if "detail=" in status else ""


def _table(cases: Sequence[Case], results: Results) -> Table:
    columns = (
        "hit",
        "server",
        "answers/s",
        "of proxy_cache",
        "of static",
        "MB/s",
        "CPU us",
        "p50 ms",
        "p99 ms",
        "RSS MiB",
        "found in",
    )
    rows = [row for case in cases for row in _rows(case.label, results[case.label])]
    note = (
        "One core each, wrk on the other one; best of the rounds. CPU is user and system time of "
        "all the server's processes for one answer. nginx and Varnish stand before Kubo, and "
        "Rainbow asks it each time. RSS is without memfds, which count against memory_size."
    )
    return Table("Hits", columns, rows, (note,))


def _rows(label: str, measured: dict[str, Measured]) -> list[tuple[str, ...]]:
    return [
        (
            label,
            name,
            f"{one.rate:,.1f}" if one.rate < 100 else f"{one.rate:,.0f}",
            _ratio(one, measured.get(NGINX_CACHE)),
            _ratio(one, measured.get(NGINX_STATIC)),
            f"{one.megabytes_s:,.0f}",
            f"{one.cpu_us:,.1f}",
            f"{one.p50_ms:.2f}",
            f"{one.p99_ms:.2f}",
            f"{one.rss_bytes / MIB:,.0f}",
            one.found_in,
        )
        for name, one in measured.items()
    ]


def _ratio(one: Measured, other: Measured | None) -> str:
    return f"{one.rate / other.rate:.2f}" if other else "-"


def main() -> None:
    """Run from the command line."""
    parser = make_parser("benchmarks.hits", __doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument(
        "--smoke", action="store_true", help="measure two sizes for one second each"
    )
    labels = [case.label for case in CASES]
    parser.add_argument(
        "--only",
        action="append",
        choices=labels,
        help="size to measure; can be repeated (default: all)",
    )
    chosen = parser.parse_args()
    if chosen.smoke:
        publish("hits", measure_hits(1, 1, SMOKE_CASES))
    else:
        cases = [case for case in CASES if not chosen.only or case.label in chosen.only]
        publish("hits", measure_hits(chosen.seconds, chosen.rounds, cases))


if __name__ == "__main__":
    main()
