"""Every kind of request, hot, from disk and cold: ours beside nginx's proxy_cache and Rainbow.

Rows: `hot` repeats one file; `disk` cycles through 6,000 files, of which memory holds a quarter;
`zipf 0.9` requests the same files with Zipf popularity; `cold` requests each of 4,000 files from a
Kubo on loopback once; `304` revalidates the files of `disk`; the others are a directory with
index.html, the same under its own host, and ranges of a large file.
Files are of 1, 10 and 100 KiB, connections 64 and one; two rows have two workers.

Every server has one core; the load generator and Kubo share the last one. The others are stopped
while one is measured. Before that, bodies are compared to the byte, and a run checks the status
and length of every answer; in cold rows the measured run does. The best round counts.
"""

import math
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from benchmarks.data.content import KIB
from benchmarks.data.mix_rows import (
    APART,
    FILES,
    MANY,
    ROWS,
    SIZES,
    SMOKE_ROWS,
    Content,
    Kind,
    Row,
    cold_files,
    make_content,
    memory_of,
)
from benchmarks.report.command import make_parser
from benchmarks.report.measured import Measured, best
from benchmarks.report.mix_bars import mix_bars_table
from benchmarks.report.mix_tables import mix_table, ratios_table
from benchmarks.report.tables import Table, publish
from benchmarks.rig.contenders import (
    GATEWAY_ALONE,
    GATEWAY_TAG,
    RAINBOW,
    Contender,
    alone,
)
from benchmarks.rig.harness import Missing, cores, program
from benchmarks.rig.mix_stage import running_origin, running_pairs, running_three
from benchmarks.rig.profiles import profile_tables, recording
from benchmarks.rig.sequence import Ask, Asks, Run, ask_all, compare, in_turn

COMPARED: Final = 40
"""Answers of each server and row that are compared to the byte."""
SETTLE: Final = 2
"""Times as long as a measurement: how long a server is asked before the first one."""
EXAMPLES: Final = """
examples:
  python -m benchmarks.mix                                    everything, some 15 minutes
  python -m benchmarks.mix --only disk --only cold --size 10 --connections 64
  python -m benchmarks.mix --only disk --size 10 --seconds 5 --profile
  python -m benchmarks.mix --smoke                            all kinds with a tenth of the files
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how."""

    rows: Sequence[Row]
    seconds: float
    rounds: int
    files: int = FILES
    with_profile: bool = False


BRIEF: Final = Plan(SMOKE_ROWS, seconds=2, rounds=1)
"""For `make bench`: one size."""
SMOKE: Final = Plan(SMOKE_ROWS, seconds=1, rounds=1, files=600)


class Mix:
    """Measures rows; what was found is by row, then by server."""

    def __init__(self, plan: Plan, folder: Path, content: Content, origin: str) -> None:
        self._plan = plan
        self._folder = folder
        self._content = content
        self._origin = origin
        self.results: dict[str, dict[str, Measured]] = {}
        self.profiles: list[Table] = []

    def measure(self) -> None:
        """Measure all rows; those that are not cold share their servers, by size and workers."""
        warm = [row for row in self._plan.rows if row.kind is not Kind.COLD]
        for (size, workers), rows in groupby(sorted(warm, key=_stage_of), _stage_of):
            self._measure_warm(size, workers, list(rows))
        for row in self._plan.rows:
            if row.kind is Kind.COLD:
                self._measure_cold(row)

    def _measure_warm(self, size: int, workers: int, rows: Sequence[Row]) -> None:
        home, memory = self._folder / f"{size}-{workers}", memory_of(size, self._plan.files)
        with_tag = any(row.kind in (Kind.DISK, Kind.ZIPF) for row in rows)
        running = (
            running_pairs(home, self._origin, memory)
            if workers > 1
            else running_three(home, self._origin, memory, with_tag=with_tag)
        )
        with running as contenders:
            for one in contenders:
                with alone(one, contenders):
                    self._fill(one, size)
            for row in rows:
                print(row.label, flush=True)
                asked = [one for one in contenders if row.kind in _kinds_of(one)]
                self._measure_row(row, asked, contenders)

    def _fill(self, one: Contender, size: int) -> None:
        """Have a server see every file once."""
        files = [file.ask() for file in self._content.warm.get(size, [])]
        if files and one.name != RAINBOW:  # it keeps nothing
            _ask(one, in_turn(files), Run(MANY, count=len(files), is_checked=True))

    def _measure_row(
        self, row: Row, asked: Sequence[Contender], contenders: Sequence[Contender]
    ) -> None:
        asks, plan = self._content.asks(row), self._plan
        whole = in_turn([self._content.large.ask()])
        runs: dict[str, list[Measured]] = {one.name: [] for one in asked}
        for one in asked:
            with alone(one, contenders):
                if row.kind is Kind.RANGE:
                    compare(one.url, whole, 1)
                compare(one.url, asks, COMPARED)
                _ask(one, asks, Run(row.connections, SETTLE * plan.seconds, is_checked=True))
        for number in range(plan.rounds):
            for one in asked:
                start = number * len(asks.order) // plan.rounds
                with alone(one, contenders):
                    run = Run(row.connections, plan.seconds, start=start)
                    runs[one.name].append(_measure(one, asks, run, row.size))
        self.results[row.label] = {name: best(found) for name, found in runs.items()}
        self._profile(row, asked, contenders, asks)

    def _profile(
        self,
        row: Row,
        asked: Sequence[Contender],
        contenders: Sequence[Contender],
        asks: Asks,
        count: int = 0,
    ) -> None:
        ours = next(one for one in asked if one.name.startswith(GATEWAY_ALONE))
        if not self._plan.with_profile:
            return
        name = row.label.replace(", ", "-").replace(" ", "_")
        run = Run(row.connections, count=count, is_checked=True)
        run = run if count else Run(row.connections, max(5, self._plan.seconds))
        with alone(ours, contenders), recording(ours.servers[0], name):
            _ask(ours, asks, run)
        self.profiles += profile_tables(row.label, name)

    def _measure_cold(self, row: Row) -> None:
        print(row.label, flush=True)
        count = cold_files(row.size, self._plan.files, row.connections)
        asks = self._content.asks(row)
        apart, others = Asks(asks.asks, asks.order[:APART]), Asks(asks.asks, asks.order[APART:])
        run = Run(row.connections, count=count, is_checked=True)
        found: dict[str, list[Measured]] = {}
        for number in range(self._plan.rounds + self._plan.with_profile):
            home = self._folder / f"cold-{row.size}-{row.connections}-{number}"
            memory = memory_of(row.size, self._plan.files)
            with running_three(home, self._origin, memory) as contenders:
                for one in contenders:
                    with alone(one, contenders):
                        compare(one.url, apart, APART)
                if number == self._plan.rounds:
                    self._profile(row, contenders, contenders, others, count)
                    break
                for one in contenders:
                    with alone(one, contenders):
                        measured = _measure(one, others, run, row.size)
                        compare(one.url, others, COMPARED)
                    found.setdefault(one.name, []).append(measured._replace(found_in="upstream"))
        self.results[row.label] = {name: best(runs) for name, runs in found.items()}


def _stage_of(row: Row) -> tuple[int, int]:
    # Ranges are of the size that most rows have.
    return (10 * KIB if row.kind is Kind.RANGE else row.size, row.workers)


def _kinds_of(one: Contender) -> frozenset[Kind]:
    if one.name == GATEWAY_TAG:
        return frozenset((Kind.DISK, Kind.ZIPF))
    return frozenset(Kind)


def _ask(one: Contender, asks: Asks, run: Run) -> None:
    ask_all(one.url, asks, run, core=cores()[-1])


def _measure(one: Contender, asks: Asks, run: Run, size: int) -> Measured:
    before = one.cpu_s()
    load = ask_all(one.url, asks, run, core=cores()[-1])
    cpu_s = one.cpu_s() - before
    found = compare(one.url, asks, COMPARED) if not run.count else {}
    return Measured(
        rate=load.rate,
        megabytes_s=load.requests * size / load.seconds / 1e6,
        cpu_us=cpu_s / load.requests * 1e6,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        rss_bytes=one.rss_bytes(),
        found_in=", ".join(f"{tier} {count}" for tier, count in sorted(found.items())),
    )


def measure_mix(plan: Plan) -> list[Table]:
    """Measure a plan; without Kubo or wrk there is nothing to measure, without others less."""
    try:
        program("wrk", "apt-get install wrk")
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            folder = Path(name)
            content = make_content(folder / "cars", plan.rows, plan.files)
            cars = sorted((folder / "cars").iterdir())
            kubo = stack.enter_context(running_origin(folder / "origin", cars))
            for files in content.cold.values():
                _read_once(kubo.url, [file.ask() for file in files])
            mix = Mix(plan, folder, content, kubo.url)
            mix.measure()
    except Missing as exc:
        print(f"no mix: {exc}")
        return []
    results = {row.label: mix.results[row.label] for row in plan.rows}
    return [mix_table(results), ratios_table(results), mix_bars_table(results), *mix.profiles]


def _read_once(kubo: str, asks: Sequence[Ask]) -> None:
    """Have Kubo read files, so that the first server that asks for them is not the one to wait."""
    run = Run(MANY, count=len(asks), is_checked=True)
    ask_all(kubo, in_turn(asks), run, core=cores()[-1])


def choose_rows(kinds: Sequence[str], sizes: Sequence[int], connections: int) -> list[Row]:
    """Return the rows of some kinds and sizes (KiB) with a number of connections; 0 for all."""
    return [
        row
        for row in ROWS
        if (not kinds or row.kind in kinds)
        and (not sizes or row.size // KIB in sizes)
        and connections in (0, row.connections)
    ]


def _parse() -> Plan:
    parser = make_parser("benchmarks.mix", __doc__, EXAMPLES)
    kinds = [str(kind) for kind in Kind]
    sizes = [size // KIB for size in SIZES]
    parser.add_argument(
        "--only",
        action="append",
        choices=kinds,
        help="row to measure; can be repeated (default: all)",
    )
    parser.add_argument(
        "--size",
        action="append",
        type=int,
        choices=sizes,
        help="file size in KiB; can be repeated (default: all)",
    )
    parser.add_argument("--connections", type=int, choices=(1, MANY), default=0)
    parser.add_argument("--seconds", type=float, default=2, help="seconds per figure (default: 2)")
    parser.add_argument(
        "--rounds", type=int, default=2, help="rounds, of which the best counts (default: 2)"
    )
    parser.add_argument(
        "--files", type=int, default=FILES, help="number of files of 10 KiB (default: 6000)"
    )
    parser.add_argument(
        "--profile", action="store_true", help="write CPU profiles of our gateway to build/profiles"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="measure each figure for one second only (CI)"
    )
    asked = parser.parse_args()
    if asked.smoke:
        return SMOKE
    rows = choose_rows(asked.only or (), asked.size or (), asked.connections)
    files = max(math.ceil(APART * 4), asked.files)
    return Plan(rows, asked.seconds, asked.rounds, files, asked.profile)


def main() -> None:
    """Run from the command line."""
    publish("mix", measure_mix(_parse()))


if __name__ == "__main__":
    main()
