"""What hits have to reach, as ratios to other servers in the same run."""

from dataclasses import dataclass

from benchmarks.contenders import (
    GATEWAY_ALONE,
    GATEWAY_FRONT,
    GATEWAY_LOG,
    GATEWAY_TWO,
    KUBO,
    NGINX_CACHE,
    NGINX_STATIC,
    RAINBOW,
    VARNISH,
)
from benchmarks.measured import Results
from benchmarks.report import Table

MEMORY_BAR_BYTES = (512 + 150) * 2**20
"""Its memory setting and 150 MB."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One promise: a figure of ours as a multiple of the same figure of another server."""

    case: str
    figure: str
    """A field of `Measured`."""
    other: str
    limit: float
    ours: str = GATEWAY_ALONE
    is_ceiling: bool = False
    """Whether the ratio must not be above the limit; else it must not be below."""

    def row(self, results: Results) -> tuple[str, ...] | None:
        """Return the row of the table; None if one of the two was not measured."""
        measured = results.get(self.case, {})
        if self.ours not in measured or self.other not in measured:
            return None
        ours, other = (getattr(measured[name], self.figure) for name in (self.ours, self.other))
        ratio = ours / other
        is_held = ratio <= self.limit if self.is_ceiling else ratio >= self.limit
        sign = "<=" if self.is_ceiling else ">="
        promise = f"{self.ours}: {self.case}, {self.figure} {sign} {self.limit:.2f} x {self.other}"
        return promise, f"{ratio:.2f}", "held" if is_held else "MISSED"


BARS = (
    Bar("10 KiB", "rate", NGINX_CACHE, 1.10),
    Bar("10 KiB", "rate", NGINX_STATIC, 0.85),
    Bar("10 KiB", "rate", VARNISH, 1.0),
    Bar("10 KiB", "rate", KUBO, 10),
    Bar("10 KiB", "rate", RAINBOW, 10),
    Bar("10 KiB", "p99_ms", NGINX_CACHE, 2.0, is_ceiling=True),
    Bar("10 KiB", "cpu_us", NGINX_CACHE, 1.2, is_ceiling=True),
    Bar("10 KiB", "cpu_us", NGINX_CACHE, 2.5, ours=GATEWAY_LOG, is_ceiling=True),
    Bar("10 KiB", "cpu_us", GATEWAY_ALONE, 1.05, ours=GATEWAY_TWO, is_ceiling=True),
    Bar("10 KiB", "rate", NGINX_CACHE, 0.95, ours=GATEWAY_FRONT),
    Bar("256 KiB", "megabytes_s", NGINX_CACHE, 1.0),
    Bar("1 MiB", "megabytes_s", NGINX_CACHE, 0.75),
    Bar("64 MiB", "megabytes_s", NGINX_STATIC, 0.9),
)


def bars_table(results: Results) -> Table:
    """Compare what was measured with what was promised."""
    rows = [row for bar in BARS if (row := bar.row(results)) is not None]
    sizes = [found[GATEWAY_ALONE].rss_bytes for found in results.values() if GATEWAY_ALONE in found]
    if sizes:
        verdict = "held" if max(sizes) <= MEMORY_BAR_BYTES else "MISSED"
        most = f"{max(sizes) / 2**20:,.0f} MiB"
        rows.append((f"{GATEWAY_ALONE}: RSS <= memory_size + 150 MB", most, verdict))
    return Table("Bars", ("promise", "measured", "verdict"), rows)
