"""What clients may notice of one bad upstream of three, against the quiet run before it."""

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.report.promises import Promise
from benchmarks.rig.scenario import QUIET, SLOW, Run

P99_LIMIT: Final = 2.0
SLOW_P99_LIMIT: Final = 1.1
EJECTED_S: Final = 2.0
BACK_S: Final = 60.0
HEDGES_LIMIT: Final = 0.02


def check_faults(runs: Sequence[Run]) -> Iterator[Promise]:
    """Compare all runs with the first, which is the quiet one."""
    for run in runs:
        name, count = run.trouble.name, len(run.latencies_ms)
        failed = run.failures.total()
        yield Promise(f"{name}: 0 failed of {count:,}", f"{failed:,}", failed == 0)
        hedges = run.hedges / count
        text = f"{name}: hedges <= {HEDGES_LIMIT:.0%} of requests"
        yield Promise(text, f"{hedges:.2%}", hedges <= HEDGES_LIMIT)
        if run.trouble is not QUIET:
            limit = SLOW_P99_LIMIT if run.trouble is SLOW else P99_LIMIT
            ratio = run.p99_ms / runs[0].p99_ms
            yield Promise(f"{name}: p99 <= {limit:g} x quiet", f"{ratio:.2f}", ratio <= limit)
        if run.trouble not in (QUIET, SLOW):
            yield _check_time(f"{name}: ejected", run.ejected_s, EJECTED_S)
            yield _check_time(f"{name}: back", run.back_s, BACK_S)


def _check_time(what: str, seen_s: float | None, limit_s: float) -> Promise:
    measured = "never" if seen_s is None else f"{seen_s:.1f} s"
    is_held = seen_s is not None and seen_s <= limit_s
    return Promise(f"{what} within {limit_s:g} s", measured, is_held)
