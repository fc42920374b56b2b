"""Hits, the mix, misses and a load, one after the other: `python -m benchmarks [--smoke]`."""

import time

import benchmarks
from benchmarks.hits import CASES, SMOKE_CASES, measure_hits
from benchmarks.load import measure_load
from benchmarks.misses import SIZES, SMOKE_SIZES, measure_misses
from benchmarks.mix import BRIEF, SMOKE, measure_mix
from benchmarks.report.command import make_parser
from benchmarks.report.tables import RESULTS, publish


def main() -> None:
    """Run hits, the mix, misses and a short load, and print the results."""
    parser = make_parser("benchmarks", benchmarks.__doc__)
    parser.add_argument(
        "--smoke", action="store_true", help="measure each figure for one second only (CI)"
    )
    is_smoke = parser.parse_args().smoke
    started = time.monotonic()
    publish("hits", measure_hits(1, 1, SMOKE_CASES if is_smoke else CASES))
    publish("mix", measure_mix(SMOKE if is_smoke else BRIEF))
    publish("misses", measure_misses(SMOKE_SIZES if is_smoke else SIZES))
    publish("load", measure_load(*((5, 10) if is_smoke else (30, 40))))
    print(f"{time.monotonic() - started:.0f} s; results in {RESULTS}")


if __name__ == "__main__":
    main()
