"""What every kind of request has to reach beside nginx's proxy_cache and Rainbow, in one run."""

from collections.abc import Iterator
from typing import Final

from benchmarks.report.hit_bars import Bar
from benchmarks.report.measured import Results
from benchmarks.report.promises import Promise, promises_table
from benchmarks.report.tables import Table
from benchmarks.rig.contenders import (
    GATEWAY_ALONE,
    GATEWAY_TAG,
    NGINX_CACHE,
    NGINX_CACHE_TWO,
    RAINBOW,
)

DISK, ZIPF, COLD, HOT = (f"{kind}, 10 KiB, 64" for kind in ("disk", "zipf 0.9", "cold", "hot"))
BARS: Final = (
    Bar(DISK, "cpu_us", NGINX_CACHE, 3, is_ceiling=True),
    Bar(DISK, "rate", NGINX_CACHE, 0.35),
    Bar(DISK, "cpu_us", NGINX_CACHE, 2, ours=GATEWAY_TAG, is_ceiling=True),
    Bar(ZIPF, "cpu_us", NGINX_CACHE, 2, is_ceiling=True),
    Bar(ZIPF, "rate", NGINX_CACHE, 0.5),
    Bar(COLD, "cpu_us", NGINX_CACHE, 3, is_ceiling=True),
    Bar(COLD, "rate", RAINBOW, 1),
    Bar(HOT, "rate", NGINX_CACHE, 1.25),
)
NGINXES: Final = (NGINX_CACHE, NGINX_CACHE_TWO)
FAIR: Final = 5.0
"""p99 is at most so many p50, in every row; nginx's ratio tells what the machine makes of it."""


def mix_bars_table(results: Results) -> Table:
    """Compare what was measured with what was promised."""
    checked = [found for bar in BARS if (found := bar.check(results)) is not None]
    return promises_table([*checked, *_check_turns(results)])


def _check_turns(results: Results) -> Iterator[Promise]:
    for label, found in results.items():
        ratios = {name: one.p99_ms / one.p50_ms for name, one in found.items()}
        nginx = "".join(f", nginx {ratios[name]:.1f}" for name in NGINXES if name in ratios)
        for name in (name for name in ratios if name.startswith(GATEWAY_ALONE)):
            text = f"{name}: {label}, p99 <= {FAIR:g} x p50"
            yield Promise(text, f"{ratios[name]:.1f}{nginx}", ratios[name] <= FAIR)
