"""What hits have to reach, as ratios to other servers in the same run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.report.measured import Measured, Results
from benchmarks.report.promises import Promise, promises_table
from benchmarks.report.tables import Table
from benchmarks.rig.contenders import (
    GATEWAY_ALONE,
    GATEWAY_DISK,
    GATEWAY_FRONT,
    GATEWAY_LOG,
    GATEWAY_TAG,
    GATEWAY_TWO,
    KUBO,
    NGINX_CACHE,
    NGINX_STATIC,
    NGINX_TWO,
    RAINBOW,
    VARNISH,
)

OWN_BYTES = 150e6
"""What a process may take beside `memory_size`."""
MEMORY_BYTES = {
    GATEWAY_ALONE: 512 * 2**20,
    GATEWAY_LOG: 512 * 2**20,
    GATEWAY_DISK: 0,
    GATEWAY_TAG: 0,
}
"""The `memory_size` of those with one process."""


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

    def check(self, results: Results) -> Promise | None:
        """Compare the two figures; None if one of them was not measured."""
        measured = results.get(self.case, {})
        if self.ours not in measured or self.other not in measured:
            return None
        ours, other = (getattr(measured[name], self.figure) for name in (self.ours, self.other))
        ratio = ours / other
        is_held = ratio <= self.limit if self.is_ceiling else ratio >= self.limit
        sign = "<=" if self.is_ceiling else ">="
        text = f"{self.ours}: {self.case}, {self.figure} {sign} {self.limit:.2f} x {self.other}"
        return Promise(text, f"{ratio:.2f}", is_held)


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
    Bar("64 MiB", "megabytes_s", NGINX_STATIC, 0.75, ours=GATEWAY_TAG),
    Bar("64 MiB in 256 KiB", "megabytes_s", NGINX_STATIC, 0.75, ours=GATEWAY_TAG),
)
LIMIT_SHARE = 0.85
"""Of what one core can do that hashes all bytes and sends them as nginx does."""
CID_MEGABYTES_S = 1100.0
"""As good as `LIMIT_SHARE` of the limit."""


def bars_table(results: Results, sha256_megabytes_s: float) -> Table:
    """Compare what was measured with what was promised."""
    checked = [found for bar in BARS if (found := bar.check(results)) is not None]
    checked += _check_second_worker(results.get("10 KiB", {}))
    checked += [_check_limit(case, results[case], sha256_megabytes_s) for case in _large(results)]
    checked += _check_memory(results)
    return promises_table(checked)


def _check_second_worker(found: Mapping[str, Measured]) -> Iterator[Promise]:
    """Compare what the second worker costs with what one of nginx does on the same two cores.

    Two workers share the second core with the load: that alone costs something.
    """
    if {GATEWAY_ALONE, GATEWAY_TWO, NGINX_STATIC, NGINX_TWO} <= found.keys():
        ours = found[GATEWAY_TWO].cpu_us / found[GATEWAY_ALONE].cpu_us
        theirs = found[NGINX_TWO].cpu_us / found[NGINX_STATIC].cpu_us
        text = f"{GATEWAY_TWO}: 10 KiB, growth of cpu_us <= 1.05 x {NGINX_TWO}'s, {theirs:.2f}"
        yield Promise(text, f"{ours:.2f}", ours <= 1.05 * theirs)


def _check_memory(results: Results) -> Iterator[Promise]:
    for name, memory_bytes in MEMORY_BYTES.items():
        sizes = [found[name].rss_bytes for found in results.values() if name in found]
        if sizes:
            text = f"{name}: RSS <= memory_size + {OWN_BYTES / 1e6:.0f} MB"
            most_bytes = memory_bytes + OWN_BYTES
            measured = f"{max(sizes) / 1e6:,.0f} of {most_bytes / 1e6:,.0f} MB"
            yield Promise(text, measured, max(sizes) <= most_bytes)


def _large(results: Results) -> Iterator[str]:
    """Yield the cases in which hashing is the limit."""
    for case, found in results.items():
        if case.startswith("64 MiB") and GATEWAY_DISK in found and NGINX_STATIC in found:
            yield case


def _check_limit(case: str, found: Mapping[str, Measured], sha256_megabytes_s: float) -> Promise:
    ours = found[GATEWAY_DISK].megabytes_s
    limit = 1 / (1 / sha256_megabytes_s + 1 / found[NGINX_STATIC].megabytes_s)
    text = (
        f"{GATEWAY_DISK}: {case}, >= {CID_MEGABYTES_S:,.0f} MB/s or {LIMIT_SHARE} x "
        f"{limit:,.0f}, the limit with SHA-256 at {sha256_megabytes_s:,.0f}"
    )
    is_held = ours >= CID_MEGABYTES_S or ours >= LIMIT_SHARE * limit
    return Promise(text, f"{ours:,.0f}, {ours / limit:.2f} x", is_held)
