"""A realistic load in one command: origin, gateway and locust, headless, with an HTML report.

    python -m benchmarks.load [--smoke] [--seconds 60] [--visitors 40]

The report and locust's tables go to `benchmarks/results/`.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.catalogue import pack_catalogue
from benchmarks.harness import Server, running_gateway
from benchmarks.hits import GATEWAY
from benchmarks.report import RESULTS, Table, publish
from gateway.demo.runner import running_origin

LOCUSTFILE = Path(__file__).parent / "locustfile.py"
REPORT = RESULTS / "load.html"


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
        table = _read(folder / "load_stats.csv", cpu_s, rss)
    if done.returncode:
        raise LoadFailed(f"{done.stdout}\n{done.stderr}")
    return [table]


def _run_locust(
    folder: Path, gateway: Server, seconds: int, visitors: int
) -> subprocess.CompletedProcess[str]:
    arguments = (
        *("-f", LOCUSTFILE, "--headless", "--host", gateway.url),
        *("--users", visitors, "--spawn-rate", visitors, "--run-time", f"{seconds}s"),
        *("--html", REPORT, "--csv", folder / "load", "--only-summary", "--loglevel", "WARNING"),
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
    """Make a table of locust's CSV file."""
    columns = ("request", "count", "wrong", "/s", "p50 ms", "p95 ms", "p99 ms", "mean bytes")
    rows: list[tuple[str, ...]] = []
    total = 0
    with file.open(newline="") as opened:
        for line in csv.DictReader(opened):
            total = int(line["Request Count"])  # the last line is that of all together
            rows.append(
                (
                    line["Name"],
                    f"{total:,}",
                    line["Failure Count"],
                    f"{float(line['Requests/s']):,.1f}",
                    *(line[column] for column in ("50%", "95%", "99%")),
                    f"{float(line['Average Content Size']):,.0f}",
                )
            )
    cost = (
        f"The gateway used {cpu_s / max(1, total) * 1e6:,.0f} us CPU a request, misses included, "
        f"and holds {rss_bytes / 2**20:,.0f} MiB. The HTML report: {REPORT.name}."
    )
    return Table("Load of a public gateway, from a cold start", columns, rows, (cost,))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="A realistic load, with an HTML report.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--visitors", type=int, default=40)
    parser.add_argument("--smoke", action="store_true", help="ten visitors for five seconds")
    chosen = parser.parse_args()
    seconds, visitors = (5, 10) if chosen.smoke else (chosen.seconds, chosen.visitors)
    publish("load", measure_load(seconds, visitors))


if __name__ == "__main__":
    main()
