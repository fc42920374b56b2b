"""What cold files have to reach, against one plain stream over the same link in the same run."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from benchmarks.report.promises import Promise
from benchmarks.rig.fetched import Fetched, Size
from benchmarks.rig.fetchers import OURS, PLAIN
from benchmarks.rig.link import Shape

BAR_LINK: Final = Shape(50, 1000)
"""Of the first bytes, too: a leaf of 1 MiB is verified before it is sent, and its way over a link
of 100 Mbit/s takes 84 ms more than that of the first byte of a plain stream."""
TOTAL_SIZE: Final = "100 MB"
TOTAL_LIMIT: Final = 1.05
FIRST_LIMIT: Final = 1.1
FIRST_MORE_MS: Final = 5.0
UPSTREAMS_LIMIT: Final = 2.5
"""Times the rate of one upstream, with three that are as fast."""


class Cell(NamedTuple):
    """Files of one size over one link."""

    shape: Shape
    size: Size

    @property
    def link(self) -> str:
        return f"{self.shape.round_trip_ms:g} ms, {self.shape.mbit_s:g} Mbit/s"

    @property
    def label(self) -> str:
        return f"{self.size.label}, {self.link}"


Results = Mapping[Cell, Mapping[str, Fetched]]
"""Medians by cell, then by who fetched."""


def check_links(results: Results) -> Iterator[Promise]:
    """Compare our first and last bytes with those of the plain stream, over `BAR_LINK`."""
    for cell in (cell for cell in results if cell.shape == BAR_LINK):
        ours, plain = results[cell][OURS], results[cell][PLAIN]
        limit_ms = FIRST_LIMIT * plain.first_ms + FIRST_MORE_MS
        yield Promise(
            f"{cell.label}: first byte <= {FIRST_LIMIT} x plain + {FIRST_MORE_MS:g} ms",
            f"{ours.first_ms:.1f} of {limit_ms:.1f} ms",
            ours.first_ms <= limit_ms,
        )
        if cell.size.label == TOTAL_SIZE:
            ratio = ours.total_ms / plain.total_ms
            text = f"{cell.label}: total <= {TOTAL_LIMIT} x plain"
            yield Promise(text, f"{ratio:.3f}", ratio <= TOTAL_LIMIT)


def check_upstreams(cell: Cell, one: Fetched, all_: Fetched) -> Promise:
    """Compare what came from all upstreams at once with what came from one."""
    ratio = one.total_ms / all_.total_ms
    return Promise(
        f"{cell.size.label} from three upstreams of {cell.link}: >= {UPSTREAMS_LIMIT} x one's rate",
        f"{ratio:.2f}",
        ratio >= UPSTREAMS_LIMIT,
    )
