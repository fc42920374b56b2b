"""How often the tiers hit, on a trace shaped like that of ipfs.io.

`python -m benchmarks.policies` replays some 2.9 million requests for 200,000 CIDs through every
policy, and through libcachesim's S3-FIFO and LRU as a check. Popularity is that of
`benchmarks.data.popularity`: half of the CIDs are asked for once. Sizes follow a day of ipfs.io in
January 2022 (Trautwein et al., "Design and Evaluation of IPFS", SIGCOMM 2022): median 665 kB, 79 %
above 100 kB; two log-normal halves around the median fit that. Requests are independent of each
other, which is hard on every cache: real ones come in bursts.
"""

import math
import random
import sys
from collections.abc import Iterable, Sequence

from benchmarks.data.popularity import popularity
from benchmarks.report.command import make_parser
from benchmarks.report.tables import Table, publish
from gateway.cache.policies import POLICIES, Asked, footprint, replay

CIDS = 200_000
MEDIAN_BYTES = 664_590
SPREAD_BELOW, SPREAD_ABOVE = 2.34, 0.91
LARGEST_BYTES = 1_000_000_000
SHARES = (0.01, 0.05, 0.1, 0.25)
BARS = {"memory tier (S3-FIFO)": (0.01, 0.54), "disk tier (midpoint LRU)": (0.1, 0.79)}
"""Policy to part of the footprint, and hits that it must reach there."""


def make_trace(cids: int = CIDS, seed: int = 1) -> list[Asked]:
    """Return requests in random order; the same for the same arguments."""
    chance = random.Random(seed)
    things = [Asked(number.to_bytes(4, "big"), _size(chance)) for number in range(cids)]
    trace: list[Asked] = []
    for thing, weight in zip(things, popularity(cids), strict=True):
        trace += [thing] * max(1, round(weight))
    chance.shuffle(trace)
    return trace


def _size(chance: random.Random) -> int:
    place = chance.gauss(0, 1)
    spread = SPREAD_BELOW if place < 0 else SPREAD_ABOVE
    return min(LARGEST_BYTES, 1 + int(MEDIAN_BYTES * math.exp(spread * place)))


def oracle(name: str, capacity: int, trace: Iterable[Asked]) -> float | None:
    """Return how many of the requests hit in libcachesim; None if it is not installed."""
    try:
        import libcachesim  # noqa: PLC0415 (optional)
    except ImportError:
        return None
    cache = getattr(libcachesim, name)(cache_size=capacity)
    hits = total = 0
    for time, asked in enumerate(trace):
        request = libcachesim.Request()
        request.obj_id, request.clock_time = int.from_bytes(asked.key, "big"), time
        request.obj_size = asked.size
        hits += cache.get(request)
        total += 1
    return hits / total


def measure_policies(trace: Sequence[Asked]) -> list[Table]:
    """Replay a trace; return a table of requests and bytes that hit."""
    whole = footprint(trace)
    rows = [_row(name, trace, whole) for name in POLICIES]
    for name in ("S3FIFO", "LRU"):
        rates = [oracle(name, int(whole * share), trace) for share in SHARES]
        cells = tuple("-" if rate is None else f"{rate:.1%}" for rate in rates)
        rows.append((f"libcachesim {name}", *cells))
    columns = ("requests / bytes hit", *(f"{share:.0%}" for share in SHARES))
    cids = len({asked.key for asked in trace})
    note = f"{len(trace):,} requests for {cids:,} CIDs, {whole / 1e9:.0f} GB; sizes are parts of it"
    return [Table("Policies on a trace shaped like ipfs.io's", columns, rows, (note,))]


def _row(name: str, trace: Sequence[Asked], whole: int) -> tuple[str, ...]:
    rates = [replay(POLICIES[name](int(whole * share)), trace) for share in SHARES]
    return (name, *(f"{rate.requests:.1%} / {rate.bytes:.1%}" for rate in rates))


def missed_bars(trace: Sequence[Asked]) -> list[str]:
    """Return what does not reach its bar, in words."""
    whole = footprint(trace)
    missed = []
    for name, (share, bar) in BARS.items():
        rate = replay(POLICIES[name](int(whole * share)), trace).requests
        if rate < bar:
            missed.append(f"{name} at {share:.0%}: {rate:.1%} < {bar:.0%}")
    return missed


def main() -> None:
    """Print the table; the exit code is 1 when a bar is missed."""
    make_parser("benchmarks.policies", __doc__).parse_args()
    trace = make_trace()
    publish("policies", measure_policies(trace))
    if missed := missed_bars(trace):
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
