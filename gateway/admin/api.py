"""The figures behind `/api/v1/cache` and `/api/v1/upstreams`, from an `Overview`. Pure."""

from typing import Any, Final

from gateway.ops.overview import Overview, UpstreamRow
from gateway.ops.record import HOT
from gateway.ports import Tier

TOP_ROOTS_SHOWN: Final = 20
KNOWN_FIGURES: Final = ("blocks", "disk_bytes", "memory_bytes", "quarantined")
"""Figures of the cache that are always there, 0 while no worker tells them."""


def cache_figures(overview: Overview) -> dict[str, Any]:
    """Return what the cache did and holds.

    `hits` counts blocks by tier, and in `hot` finished answers, for which no block is looked for.
    """
    requests = overview.statistics["requests"]
    blocks = overview.statistics["blocks"]
    hits = {HOT: requests["hot_hits"], **{str(tier): 0 for tier in Tier}, **blocks["found"]}
    found = sum(hits.values())
    asked = found + blocks["missed"]
    upstreams = overview.statistics["upstreams"].values()
    return {
        "hits": hits,
        "misses": blocks["missed"],
        "hit_ratio": round(found / asked, 4) if asked else 0.0,
        "requests": requests["by_cache"],
        "bytes_served": requests["bytes_served"],
        "bytes_fetched": sum(upstream["received_bytes"] for upstream in upstreams),
        "bytes_verified": blocks["verified_bytes"],
        "rejected": blocks["rejected"],
        "evictions": _evictions(overview),
        **dict.fromkeys(KNOWN_FIGURES, 0),
        **overview.cache,
        "workers": len(overview.workers),
        "top_roots": [
            {"root": root, "requests": requests, "error": error}
            for root, requests, error in overview.statistics["top_roots"][:TOP_ROOTS_SHOWN]
        ],
    }


def _evictions(overview: Overview) -> dict[str, int]:
    """Add up evictions of all tiers, by reason."""
    sums: dict[str, int] = {}
    for reasons in overview.statistics["blocks"]["evicted"].values():
        for reason, count in reasons.items():
            sums[reason] = sums.get(reason, 0) + count
    return sums


def upstream_rows(overview: Overview) -> list[UpstreamRow]:
    """Return a row for each upstream, in the order of the configuration."""
    return list(overview.upstreams)
