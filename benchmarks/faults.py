"""What clients notice when one of three upstreams dies, stalls, resets, lies or slows down.

Three links of 20 ms lead to one Kubo node, and a gateway has them as its upstreams. Every request
is a miss; the request rate is fixed (open loop). The busiest link becomes faulty after a third of
the run and recovers after two thirds. Each fault has its own gateway; the quiet run has no
fault and is the baseline of the others. The last table compares with the bars.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.data.content import random_bytes
from benchmarks.report.command import make_parser
from benchmarks.report.fault_bars import check_faults
from benchmarks.report.promises import promises_table
from benchmarks.report.tables import Table, publish
from benchmarks.rig.fetchers import running_ours
from benchmarks.rig.harness import (
    Missing,
    admin_url,
    ipfs,
    make_kubo_repository,
    running_kubo,
    running_link,
)
from benchmarks.rig.scenario import (
    FILE_BYTES,
    QUIET,
    ROUND_TRIP_MS,
    TROUBLES,
    Run,
    Scale,
    Scenario,
    Trouble,
)
from gateway.content.block import Block
from gateway.content.build import build_file, collect
from gateway.content.car import car_header, car_section

NAMES: Final = ("one", "two", "three")
FULL: Final = Scale(10_000, 100, 60)


def measure_faults(scale: Scale, troubles: Sequence[Trouble] = TROUBLES) -> list[Table]:
    """Run a quiet time and then the troubles; without Kubo there is nothing to measure."""
    try:
        runs = list(_measure(scale, troubles))
    except Missing as exc:
        print(f"no faults: {exc}")
        return []
    return [faults_table(runs, scale), promises_table(check_faults(runs))]


def faults_table(runs: Sequence[Run], scale: Scale) -> Table:
    """Return a row for each run; the first is the quiet one."""
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
    return Table("One bad upstream of three", columns, rows, (note,))


def _row(run: Run, quiet: Run) -> tuple[str, ...]:
    count = len(run.latencies_ms)
    return (
        run.trouble.name,
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


def _measure(scale: Scale, troubles: Sequence[Trouble]) -> Iterator[Run]:
    with tempfile.TemporaryDirectory() as name, _kubo(Path(name), scale) as (port, cids):
        for trouble in (QUIET, *(one for one in troubles if one is not QUIET)):
            yield _run(Path(name) / trouble.name, (port, cids), scale, trouble)


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


def _run(folder: Path, content: tuple[int, Sequence[str]], scale: Scale, trouble: Trouble) -> Run:
    port, cids = content
    with ExitStack() as stack:
        links = {
            name: stack.enter_context(running_link(port, round_trip_ms=ROUND_TRIP_MS))
            for name in NAMES
        }
        urls = {name: link.url for name, link in links.items()}
        gateway = stack.enter_context(running_ours(folder, urls))
        admin = admin_url(folder / "gateway.toml")
        return asyncio.run(Scenario(gateway.url, admin, links, scale, trouble).run(cids))


def main() -> None:
    """Measure the faults; a rate above the capacity of the machine makes every answer late."""
    by_name = {trouble.name: trouble for trouble in TROUBLES}
    parser = make_parser("benchmarks.faults", __doc__)
    parser.add_argument(
        "--requests",
        type=int,
        default=FULL.requests,
        metavar="N",
        help="requests for each fault (default: %(default)s)",
    )
    parser.add_argument(
        "--per-second",
        type=float,
        default=FULL.per_s,
        metavar="RATE",
        help="requests per second (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        choices=by_name,
        action="append",
        help="fault to measure beside the quiet run; can be repeated (default: all)",
    )
    asked = parser.parse_args()
    scale = Scale(asked.requests, asked.per_second, FULL.tail_s)
    publish("faults", measure_faults(scale, [by_name[name] for name in asked.only or by_name]))


if __name__ == "__main__":
    main()
