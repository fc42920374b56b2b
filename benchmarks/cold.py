"""Cold files over links of every length and width: ours, Rainbow's, and the physical limit.

    python -m benchmarks.cold [--smoke]

One Kubo node holds the files and stands behind links of `benchmarks.link`. Fetched from it by plain
HTTP, a file comes as fast as one stream can. Rainbow asks the same node for CARs, or for blocks
one by one. Nobody has seen a file before. The second table has three links of 100 Mbit/s to the
same node, as three upstreams.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.content import pack
from benchmarks.harness import (
    Missing,
    Server,
    free_port,
    ipfs,
    make_kubo_repository,
    program,
    running,
    running_gateway,
    running_kubo,
    running_link,
)
from benchmarks.misses import Fetched, Size, fetch_file
from benchmarks.report import Table, publish

GBIT: Final = 1000.0
LINKS: Final = ((0, GBIT), (20, GBIT), (50, GBIT), (100, GBIT), (50, 100.0))
"""Round trip in ms, and Mbit/s."""
SMOKE_LINKS: Final = ((20, GBIT),)
SIZES: Final = (
    Size("100 KB", 100_000, 5),
    Size("10 MB", 10_000_000, 3),
    Size("100 MB", 100_000_000, 2),
)
SMOKE_SIZES: Final = (Size("100 KB", 100_000, 2), Size("10 MB", 10_000_000, 1))
NARROW: Final = (20, 100.0)
UPSTREAMS: Final = 3

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
RAINBOW_HINT = "https://github.com/ipfs/rainbow/releases"


@dataclass(frozen=True, slots=True)
class Origin:
    """The node with all files."""

    port: int
    root: str


def measure_cold(links: Sequence[tuple[float, float]], sizes: Sequence[Size]) -> list[Table]:
    """Measure everything; without Kubo there is nothing to measure, without Rainbow less."""
    try:
        with tempfile.TemporaryDirectory() as name, _origin(Path(name), sizes) as origin:
            rows = [row for link in links for row in _measure_link(Path(name), origin, link, sizes)]
            stripes = _measure_stripes(Path(name), origin, sizes[-1])
    except Missing as exc:
        print(f"no cold files: {exc}")
        return []
    columns = (
        "link",
        "file",
        "plain first ms",
        "plain total ms",
        "ours first",
        "ours total",
        "ours / plain",
        "Rainbow CAR / plain",
        "Rainbow blocks / plain",
    )
    note = (
        "Medians. First: request to first body byte. Plain: from the Kubo behind the link itself."
    )
    striped = Table(
        f"{sizes[-1].label} over links of {NARROW[0]} ms and {NARROW[1]:g} Mbit/s",
        ("way", "first ms", "total ms", "times one link"),
        stripes,
    )
    return [Table("Cold files", columns, rows, (note,)), striped]


@contextmanager
def _origin(folder: Path, sizes: Sequence[Size]) -> Iterator[Origin]:
    packed = pack(folder / "cold.car", {n: size.size for size in sizes for n in size.names})
    make_kubo_repository(folder)
    ipfs("dag", "import", "--pin-roots=false", packed.car, folder=folder)
    packed.car.unlink()
    with running_kubo(folder) as kubo:
        for size in sizes:
            for name in size.names:
                fetch_file(kubo.url, packed.root, name, size)  # it has read it once
        yield Origin(urlsplit(kubo.url).port or 0, packed.root)


def _measure_link(
    folder: Path, origin: Origin, link: tuple[float, float], sizes: Sequence[Size]
) -> Iterator[tuple[str, ...]]:
    round_trip_ms, mbit_s = link
    label = f"{round_trip_ms:g} ms, {mbit_s:g} Mbit/s"
    place = folder / label.replace(" ", "").replace("/", "")
    with ExitStack() as stack:
        far = stack.enter_context(
            running_link(origin.port, round_trip_ms=round_trip_ms, mbit_s=mbit_s)
        ).url
        ours = stack.enter_context(_gateway(place, [far])).url
        rainbows = [
            stack.enter_context(server).url if (server := _rainbow(place, far, mode)) else ""
            for mode in ("car", "block")
        ]
        for size in sizes:
            plain, own, *theirs = (_fetch_all(url, origin, size) for url in (far, ours, *rainbows))
            assert plain is not None
            assert own is not None
            yield (
                label,
                size.label,
                f"{plain.first_ms:.0f}",
                f"{plain.total_ms:,.0f}",
                f"{own.first_ms:.0f}",
                f"{own.total_ms:,.0f}",
                f"{own.total_ms / plain.total_ms:.2f}",
                *(f"{t.total_ms / plain.total_ms:.2f}" if t else "" for t in theirs),
            )


def _fetch_all(url: str, origin: Origin, size: Size) -> Fetched | None:
    """Fetch all files of a size, and return the medians; None when there is nobody to ask."""
    if not url:
        return None
    got = [fetch_file(url, origin.root, name, size) for name in size.names]
    return Fetched(
        statistics.median(each.first_ms for each in got),
        statistics.median(each.total_ms for each in got),
    )


def _measure_stripes(folder: Path, origin: Origin, size: Size) -> list[tuple[str, ...]]:
    round_trip_ms, mbit_s = NARROW
    with ExitStack() as stack:
        links = [
            stack.enter_context(
                running_link(origin.port, round_trip_ms=round_trip_ms, mbit_s=mbit_s)
            ).url
            for _ in range(UPSTREAMS)
        ]
        one = stack.enter_context(_gateway(folder / "one", links[:1])).url
        three = stack.enter_context(_gateway(folder / "three", links)).url
        ways = (("plain, one link", links[0]), ("ours, one upstream", one), ("ours, three", three))
        got = [(label, _fetch_all(url, origin, size)) for label, url in ways]
    plain = got[0][1]
    assert plain is not None
    return [
        (label, f"{f.first_ms:.0f}", f"{f.total_ms:,.0f}", f"{plain.total_ms / f.total_ms:.2f}")
        for label, f in got
        if f is not None
    ]


@contextmanager
def _gateway(folder: Path, upstreams: Sequence[str]) -> Iterator[Server]:
    tables = "".join(
        f'[[upstreams]]\nname = "upstream-{number}"\nurl = "{url}"\n'
        for number, url in enumerate(upstreams)
    )
    with running_gateway(folder, CONFIG.format(folder=folder) + tables) as server:
        yield server


def _rainbow(folder: Path, upstream: str, mode: str) -> AbstractContextManager[Server] | None:
    """Return a Rainbow that is to be started; None when it is not on this machine."""
    try:
        rainbow = program("rainbow", RAINBOW_HINT)
    except Missing:
        return None
    home = folder / f"rainbow-{mode}"
    home.mkdir(parents=True)
    port = free_port()
    command = [
        rainbow,
        *("--datadir", home, "--autoconf=false", "--bootstrap", "", "--http-routers", ""),
        *("--dnslink-resolvers", "", "--libp2p=false", "--bitswap=false", "--dht-routing", "off"),
        *("--remote-backends", upstream, "--remote-backends-mode", mode),
        *("--gateway-listen-address", f"127.0.0.1:{port}"),
        *("--ctl-listen-address", f"127.0.0.1:{free_port()}"),
    ]
    url = f"http://127.0.0.1:{port}"
    return running(command, url, home / "rainbow.log", probe="/ipfs/bafkqaaa")


if __name__ == "__main__":
    is_smoke = "--smoke" in sys.argv
    links = SMOKE_LINKS if is_smoke else LINKS
    publish("cold", measure_cold(links, SMOKE_SIZES if is_smoke else SIZES))
