"""The figures behind `/api/v1/cache` and `/api/v1/upstreams`, from an `Overview`. Pure."""

from typing import Any, Final

from gateway.ops.overview import Overview, UpstreamRow
from gateway.ops.record import HOT
from gateway.ports import MissReason, Tier

TOP_ROOTS_SHOWN: Final = 20
KNOWN_FIGURES: Final = ("blocks", "disk_bytes", "memory_bytes", "quarantined", "purged")
"""Figures of the cache that are always there, 0 while no worker tells them."""


def cache_figures(overview: Overview) -> dict[str, Any]:
    """Return what the cache did and holds.

    `hits` counts blocks by tier, and in `hot` finished answers, for which no block is looked for;
    `hit_bytes` likewise. `bytes_saved` is their sum: what upstreams were not asked for.
    `requests_by_tier` counts requests that needed no upstream.
    """
    requests = overview.statistics["requests"]
    blocks = overview.statistics["blocks"]
    hits = {HOT: requests["hot_hits"], **{str(tier): 0 for tier in Tier}, **blocks["found"]}
    found = sum(hits.values())
    asked = found + blocks["missed"]
    hit_bytes = {HOT: requests["bytes_by_tier"].get(HOT, 0), **blocks["found_bytes"]}
    saved = sum(hit_bytes.values())
    upstreams = overview.statistics["upstreams"].values()
    fetched = sum(upstream["received_bytes"] for upstream in upstreams)
    return {
        "hits": hits,
        "hit_bytes": hit_bytes,
        "misses": blocks["missed"],
        "miss_reasons": {str(reason): 0 for reason in MissReason} | blocks["miss_reasons"],
        "hit_ratio": round(found / asked, 4) if asked else 0.0,
        "byte_hit_ratio": round(saved / (saved + fetched), 4) if saved + fetched else 0.0,
        "requests": requests["by_cache"],
        "requests_by_tier": requests["by_tier"],
        "bytes_by_tier": requests["bytes_by_tier"],
        "bytes_served": requests["bytes_served"],
        "bytes_fetched": fetched,
        "bytes_saved": saved,
        "bytes_verified": blocks["verified_bytes"],
        "rejected": blocks["rejected"],
        "evictions": _evictions(overview),
        "evicted": blocks["evicted"],
        "evicted_bytes": blocks["evicted_bytes"],
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


def denylist_figures(overview: Overview) -> dict[str, Any]:
    """Return the rules in force, those of the worker that read them last, and what they did."""
    told = sorted(overview.denylists, key=lambda state: float(str(state["read_at"])))
    if not told:
        return {"rules": 0, "denied": 0, "read_at": None, "problem": "", "files": []}
    problems = [str(state["problem"]) for state in told if state["problem"]]
    return {
        **told[-1],
        "denied": sum(int(str(state["denied"])) for state in told),
        "problem": problems[0] if problems else "",
    }
