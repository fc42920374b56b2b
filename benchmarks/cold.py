"""Cold files over links of many latencies and bandwidths: ours, Rainbow, Kubo, and plain HTTP.

One Kubo node holds the files behind links: loopback proxies with a round-trip time and a bandwidth.
A plain HTTP download from it is the physical limit: one stream at full speed. Our gateway and
Rainbow fetch CARs, or single blocks, from the same node; a second Kubo node fetches blocks by
Bitswap through an equal link. All caches start empty at each link, and each file is requested
once.

The second table has three links of 20 ms and 100 Mbit/s to the same node, as three upstreams of
ours. The last one compares with the bars for links of 50 ms and 1 Gbit/s, and for three
upstreams. Failing upstreams, and hedging, are measured by `python -m benchmarks.faults`.
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.report.cold_bars import BAR_LINK, Cell, Results, check_links, check_upstreams
from benchmarks.report.command import make_parser
from benchmarks.report.promises import Promise, promises_table
from benchmarks.report.tables import Table, publish
from benchmarks.rig.fetched import Fetched, Size, fetch_file
from benchmarks.rig.fetchers import (
    OURS,
    PLAIN,
    Origin,
    running_fetchers,
    running_origin,
    running_ours,
    running_shape,
)
from benchmarks.rig.harness import Missing
from benchmarks.rig.link import Shape
from benchmarks.rig.rainbow import has_rainbow

ROUND_TRIPS_MS: Final = (0, 20, 50, 100)
RATES_MBIT_S: Final = (1000, 100)
SIZES: Final = (
    Size("100 KB", 100_000, 5),
    Size("10 MB", 10_000_000, 3),
    Size("100 MB", 100_000_000, 3),
)
NARROW: Final = Shape(20, 100)
UPSTREAM_NAMES: Final = ("one", "two", "three")
OURS_FROM_ALL: Final = "ours from three"
LINKS: Final = "links"
UPSTREAMS: Final = "upstreams"
TABLES: Final = (LINKS, UPSTREAMS)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    links: Sequence[Shape]
    sizes: Sequence[Size]
    tables: Sequence[str] = TABLES


SMOKE: Final = Plan((BAR_LINK,), (Size("100 KB", 100_000, 2), Size("10 MB", 10_000_000, 1)))


def measure_cold(plan: Plan) -> list[Table]:
    """Measure a plan; without Kubo there is nothing to measure, without Rainbow less."""
    try:
        with tempfile.TemporaryDirectory() as name, running_origin(Path(name), plan.sizes) as far:
            return _measure(Path(name), far, plan)
    except Missing as exc:
        print(f"no cold files: {exc}")
        return []


def _measure(folder: Path, origin: Origin, plan: Plan) -> list[Table]:
    tables: list[Table] = []
    promises: list[Promise] = []
    if LINKS in plan.tables:
        results = _measure_links(folder, origin, plan)
        tables.append(links_table(results))
        promises += check_links(results)
    if UPSTREAMS in plan.tables:
        cell = Cell(NARROW, plan.sizes[-1])
        ways = _measure_upstreams(folder, origin, cell.size)
        tables.append(upstreams_table(cell, ways))
        promises.append(check_upstreams(cell, ways[PLAIN], ways[OURS_FROM_ALL]))
    return [*tables, promises_table(promises)] if promises else tables


def _measure_links(folder: Path, origin: Origin, plan: Plan) -> Results:
    results: dict[Cell, Mapping[str, Fetched]] = {}
    with_rainbow = has_rainbow()
    for shape in plan.links:
        with (
            # What a link's gateways have kept is as large as all files, for each of them.
            tempfile.TemporaryDirectory(dir=folder) as place,
            running_fetchers(Path(place), origin, shape, with_rainbow=with_rainbow) as urls,
        ):
            for size in plan.sizes:
                results[Cell(shape, size)] = _fetch_all(urls, origin, size)
    return results


def _measure_upstreams(folder: Path, origin: Origin, size: Size) -> Mapping[str, Fetched]:
    with ExitStack() as stack:
        links = {
            name: stack.enter_context(running_shape(origin.http_port, NARROW)).url
            for name in UPSTREAM_NAMES
        }
        far = links[UPSTREAM_NAMES[0]]
        one = stack.enter_context(running_ours(folder / "one", {"far": far})).url
        three = stack.enter_context(running_ours(folder / "three", links)).url
        return _fetch_all({PLAIN: far, OURS: one, OURS_FROM_ALL: three}, origin, size)


def _fetch_all(urls: Mapping[str, str], origin: Origin, size: Size) -> dict[str, Fetched]:
    """Fetch all files of a size from everybody, who take turns; return the medians."""
    got = [
        {name: fetch_file(url, origin.root, file, size) for name, url in urls.items()}
        for file in size.names
    ]
    return {
        name: Fetched(
            statistics.median(turn[name].first_ms for turn in got),
            statistics.median(turn[name].total_ms for turn in got),
        )
        for name in urls
    }


def links_table(results: Results) -> Table:
    """Return a row for each link and size, a column for each that fetched."""
    names = list(dict.fromkeys(name for fetched in results.values() for name in fetched))
    rows = [
        (cell.link, cell.size.label, *(_compare(fetched, name) for name in names))
        for cell, fetched in results.items()
    ]
    note = (
        "Milliseconds from the request to the first byte of the body / to its last, and how many "
        "times as long that is as the plain stream. Medians."
    )
    return Table("Cold files", ("link", "file", *names), rows, (note,))


def upstreams_table(cell: Cell, fetched: Mapping[str, Fetched]) -> Table:
    """Return a row for each way to fetch."""
    rows = [(name, _compare(fetched, name)) for name in fetched]
    return Table(f"{cell.size.label} over links of {cell.link}", ("way", "first / total ms"), rows)


def _compare(fetched: Mapping[str, Fetched], name: str) -> str:
    one, plain = fetched[name], fetched[PLAIN]
    text = f"{one.first_ms:.0f} / {one.total_ms:,.0f}"
    return text if name == PLAIN else f"{text}, {one.total_ms / plain.total_ms:.2f} x"


def parse_plan(arguments: Sequence[str] | None = None) -> Plan:
    """Read the command line."""
    asked = _parser().parse_args(arguments)
    if asked.smoke:
        return SMOKE
    return Plan(
        links=tuple(
            Shape(ms, rate)
            for rate in asked.mbit_s or RATES_MBIT_S
            for ms in asked.round_trip_ms or ROUND_TRIPS_MS
        ),
        sizes=tuple(size for size in SIZES if not asked.size or size.label in asked.size),
        tables=asked.table or TABLES,
    )


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "benchmarks.cold",
        __doc__,
        "Every option except --smoke can be repeated. To measure one cell:\n"
        '  --table links --round-trip-ms 50 --mbit-s 1000 --size "100 MB"',
    )
    parser.add_argument(
        "--smoke", action="store_true", help="measure one link, files up to 10 MB (CI)"
    )
    parser.add_argument(
        "--round-trip-ms",
        type=float,
        action="append",
        metavar="MS",
        help=f"round-trip time of a link (default: {_listed(ROUND_TRIPS_MS)})",
    )
    parser.add_argument(
        "--mbit-s",
        type=float,
        action="append",
        metavar="RATE",
        help=f"bandwidth of a link (default: {_listed(RATES_MBIT_S)})",
    )
    labels = [size.label for size in SIZES]
    parser.add_argument(
        "--size", choices=labels, action="append", help="size of a file (default: all)"
    )
    parser.add_argument(
        "--table", choices=TABLES, action="append", help="table to measure (default: both)"
    )
    return parser


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


if __name__ == "__main__":
    publish("cold", measure_cold(parse_plan()))
