"""What the mix prints, and what of it carries over to other machines."""

from collections.abc import Iterator, Mapping

from benchmarks.data.content import MIB
from benchmarks.report.measured import Measured
from benchmarks.report.tables import Table
from benchmarks.rig.contenders import NGINX_CACHE, NGINX_CACHE_TWO

Found = Mapping[str, Mapping[str, Measured]]


def mix_table(results: Found) -> Table:
    """Return all figures."""
    columns = (
        *("row", "server", "requests/s", "x nginx", "CPU us", "x nginx", "p50 ms", "p99 ms"),
        *("MB/s", "RSS MiB", "of 40 found in"),
    )
    rows = [
        (
            label if is_first else "",
            name,
            f"{one.rate:,.0f}",
            _ratio(one.rate, other and other.rate),
            f"{one.cpu_us:,.1f}",
            _ratio(one.cpu_us, other and other.cpu_us),
            f"{one.p50_ms:.2f}",
            f"{one.p99_ms:.2f}",
            f"{one.megabytes_s:,.0f}",
            f"{one.rss_bytes / MIB:,.0f}",
            one.found_in,
        )
        for label, name, one, other, is_first in _with_nginx(results)
    ]
    note = (
        "One process on one core each, wrk and Kubo on the last one. CPU is that of the server's "
        "processes for one answer. A row is kind, size and connections. Rainbow keeps nothing."
    )
    return Table("The mix", columns, rows, (note,))


def ratios_table(results: Found) -> Table:
    """Return what carries over to other machines."""
    columns = ("row", "server", "rate, x nginx", "CPU, x nginx", "p99 / p50")
    rows = [
        (
            label,
            name,
            _ratio(one.rate, other and other.rate),
            _ratio(one.cpu_us, other and other.cpu_us),
            f"{one.p99_ms / one.p50_ms:.1f}",
        )
        for label, name, one, other, _ in _with_nginx(results)
    ]
    return Table("Ratios to nginx proxy_cache", columns, rows)


def _with_nginx(
    results: Found,
) -> Iterator[tuple[str, str, Measured, Measured | None, bool]]:
    for label, found in results.items():
        other = found.get(NGINX_CACHE) or found.get(NGINX_CACHE_TWO)
        for number, (name, one) in enumerate(found.items()):
            yield label, name, one, other, number == 0


def _ratio(ours: float, theirs: float | None) -> str:
    return f"{ours / theirs:.2f}" if theirs else "-"
