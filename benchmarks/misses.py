"""Cold answers: through our gateway, against its upstream, a Kubo gateway, without ours between.

Both reach the same Kubo node over the same link: directly on this machine, and through a proxy
with a round trip of 20 ms. So the difference is the cost of fetching, verifying and storing. Kubo
has every block on its disk and has read it once before; our cache is empty.
"""

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.data.content import pack
from benchmarks.report.command import make_parser
from benchmarks.report.tables import Table, publish
from benchmarks.rig.contenders import GATEWAY
from benchmarks.rig.fetched import Fetched, Size, fetch_file
from benchmarks.rig.harness import (
    Missing,
    ipfs,
    make_kubo_repository,
    running_delay,
    running_gateway,
    running_kubo,
)

ROUND_TRIPS_MS = (0, 20)


SIZES = (Size("100 KB", 100_000, 7), Size("10 MB", 10_000_000, 3), Size("100 MB", 100_000_000, 3))
SMOKE_SIZES = (Size("100 KB", 100_000, 3), Size("10 MB", 10_000_000, 1))


@dataclass(frozen=True, slots=True)
class Site:
    """The two ways to the same files."""

    round_trip_ms: int
    kubo: str
    gateway: str


def measure_misses(sizes: Sequence[Size]) -> list[Table]:
    """Measure every size over every link; without Kubo there is nothing to measure."""
    columns = (
        "miss",
        "round trip",
        "files",
        "Kubo first ms",
        "gateway first ms",
        "added ms",
        "Kubo total ms",
        "gateway total ms",
        "total ratio",
        "gateway MB/s",
    )
    try:
        rows = _measure(sizes)
    except Missing as exc:
        print(f"no misses: {exc}")
        return []
    note = "Medians. First: request sent to first body byte, which we have verified by then."
    return [Table("Misses against the upstream itself", columns, rows, (note,))]


def _measure(sizes: Sequence[Size]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as folder, _sites(Path(folder), sizes) as (root, sites):
        for size in sizes:
            for site in sites:
                theirs = [fetch_file(site.kubo, root, name, size) for name in size.names]
                ours = [fetch_file(site.gateway, root, name, size) for name in size.names]
                rows.append(_row(size, site, theirs, ours))
    return rows


@contextmanager
def _sites(folder: Path, sizes: Sequence[Size]) -> Iterator[tuple[str, list[Site]]]:
    packed = pack(folder / "misses.car", {n: size.size for size in sizes for n in size.names})
    make_kubo_repository(folder)
    ipfs("dag", "import", "--pin-roots=false", packed.car, folder=folder)
    packed.car.unlink()
    with ExitStack() as stack:
        kubo = stack.enter_context(running_kubo(folder)).url
        for size in sizes:
            for name in size.names:
                fetch_file(kubo, packed.root, name, size)
        sites = [_site(stack, folder, kubo, delay) for delay in ROUND_TRIPS_MS]
        yield packed.root, sites


def _site(stack: ExitStack, folder: Path, kubo: str, round_trip_ms: int) -> Site:
    upstream = kubo
    if round_trip_ms:
        port = urlsplit(kubo).port or 0
        upstream = stack.enter_context(running_delay(port, round_trip_ms))
    home = folder / f"gateway-{round_trip_ms}"
    config = GATEWAY.format(folder=home, memory="256MiB", origin=upstream)
    gateway = stack.enter_context(running_gateway(home, config))
    return Site(round_trip_ms, upstream, gateway.url)


def _row(
    size: Size, site: Site, theirs: Sequence[Fetched], ours: Sequence[Fetched]
) -> tuple[str, ...]:
    kubo_first, first = (statistics.median(f.first_ms for f in way) for way in (theirs, ours))
    kubo_total, total = (statistics.median(f.total_ms for f in way) for way in (theirs, ours))
    return (
        size.label,
        f"{site.round_trip_ms} ms",
        str(size.files),
        f"{kubo_first:.1f}",
        f"{first:.1f}",
        f"{first - kubo_first:+.1f}",
        f"{kubo_total:,.0f}",
        f"{total:,.0f}",
        f"{total / kubo_total:.2f}",
        f"{size.size / total / 1000:,.0f}",
    )


def main() -> None:
    """Run from the command line."""
    parser = make_parser("benchmarks.misses", __doc__)
    parser.add_argument("--smoke", action="store_true", help="measure files up to 10 MB only (CI)")
    publish("misses", measure_misses(SMOKE_SIZES if parser.parse_args().smoke else SIZES))


if __name__ == "__main__":
    main()
