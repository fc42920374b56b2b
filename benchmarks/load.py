"""A realistic load in one command: origin, gateway and locust, headless, with an HTML report.

The report and locust's tables go to `benchmarks/results/`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.data.catalogue import pack_catalogue
from benchmarks.report.command import make_parser
from benchmarks.report.tables import RESULTS, Table, publish
from benchmarks.rig.contenders import GATEWAY
from benchmarks.rig.harness import Server, running_gateway
from gateway.demo.runner import running_origin

LOCUSTFILE = Path(__file__).parent / "locustfile.py"
REPORT = RESULTS / "load.html"


_SOME_WRONG = 1
"""Locust's exit code when it counted failures."""


class LoadFailed(Exception):
    """Locust saw answers that were not right, or did not run."""


def measure_load(seconds: int, visitors: int) -> list[Table]:
    """Let `visitors` at the gateway for `seconds`, from a cold start.

    Raises:
        LoadFailed: some answers were not right.
    """
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packed, catalogue = pack_catalogue(folder / "catalogue.car")
        catalogue.save(folder / "catalogue.json")
        with running_origin(packed.car) as origin:
            config = GATEWAY.format(folder=folder, memory="256MiB", origin=origin)
            with running_gateway(folder / "gateway", config) as gateway:
                before = gateway.cpu_s()
                done = _run_locust(folder, gateway, seconds, visitors)
                cpu_s, rss = gateway.cpu_s() - before, gateway.rss_bytes()
        if done.returncode not in (0, _SOME_WRONG):
            raise LoadFailed(done.stderr)
        table = _read(folder / "load.json", cpu_s, rss)
    if done.returncode:
        raise LoadFailed(f"some answers were wrong: see {REPORT}\n{table.markdown()}")
    return [table]


def _run_locust(
    folder: Path, gateway: Server, seconds: int, visitors: int
) -> subprocess.CompletedProcess[str]:
    arguments = (
        *("-f", LOCUSTFILE, "--headless", "--host", gateway.url),
        *("--users", visitors, "--spawn-rate", visitors, "--run-time", f"{seconds}s"),
        *("--html", REPORT, "--json-file", folder / "load", "--loglevel", "WARNING"),
    )
    return subprocess.run(  # noqa: S603 (our own load, no shell)
        [sys.executable, "-m", "locust", *(str(argument) for argument in arguments)],
        env={**os.environ, "GATEWAY_CATALOGUE": str(folder / "catalogue.json")},
        cwd=LOCUSTFILE.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def _read(file: Path, cpu_s: float, rss_bytes: int) -> Table:
    """Make a table of what locust counted.

    Raises:
        LoadFailed: it counted nothing.
    """
    columns = ("request", "count", "wrong", "p50 ms", "p95 ms", "p99 ms", "mean bytes")
    entries = json.loads(file.read_text()) if file.exists() else []
    total = sum(entry["num_requests"] for entry in entries)
    if not total:
        raise LoadFailed("locust has asked for nothing")
    rows = [_row(entry) for entry in entries]
    seconds = max(e["last_request_timestamp"] for e in entries) - entries[0]["start_time"]
    rate = total / seconds
    cost = (
        f"{rate:,.0f} requests/s; {cpu_s / total * 1e6:,.0f} us CPU of the gateway a request, "
        f"misses included; it holds {rss_bytes / 2**20:,.0f} MiB. HTML report: {REPORT.name}."
    )
    return Table("Load of a public gateway, from a cold start", columns, rows, (cost,))


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    times = {float(ms): count for ms, count in entry["response_times"].items()}
    return (
        entry["name"],
        f"{entry['num_requests']:,}",
        f"{entry['num_failures']:,}",
        *(f"{percentile(times, share):,.0f}" for share in (0.5, 0.95, 0.99)),
        f"{entry['total_content_length'] / entry['num_requests']:,.0f}",
    )


def percentile(counts: Mapping[float, int], share: float) -> float:
    """Return the value that `share` of all counted values do not exceed."""
    wanted = share * sum(counts.values())
    for value, count in sorted(counts.items()):
        wanted -= count
        if wanted <= 0:
            return value
    return 0.0


def main() -> None:
    """Run from the command line."""
    parser = make_parser("benchmarks.load", __doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--visitors", type=int, default=40)
    parser.add_argument("--smoke", action="store_true", help="run ten visitors for five seconds")
    chosen = parser.parse_args()
    seconds, visitors = (5, 10) if chosen.smoke else (chosen.seconds, chosen.visitors)
    publish("load", measure_load(seconds, visitors))


if __name__ == "__main__":
    main()
