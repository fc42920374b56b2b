"""What a load cost a server."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Measured(NamedTuple):
    """One run, or the best of several."""

    rate: float
    """Answers a second; those of which only a part came count as that part."""
    megabytes_s: float
    cpu_us: float
    """For one answer: user and system time of all its processes."""
    p50_ms: float
    p99_ms: float
    rss_bytes: int
    found_in: str = ""
    """The tier of our cache."""


Results = Mapping[str, dict[str, Measured]]
"""By size, then by server."""


def best(runs: Sequence[Measured]) -> Measured:
    """Return the best of several runs, figure by figure, and the most memory of any."""
    return Measured(
        rate=max(run.rate for run in runs),
        megabytes_s=max(run.megabytes_s for run in runs),
        cpu_us=min(run.cpu_us for run in runs),
        p50_ms=min(run.p50_ms for run in runs),
        p99_ms=min(run.p99_ms for run in runs),
        rss_bytes=max(run.rss_bytes for run in runs),
        found_in=runs[-1].found_in,
    )
