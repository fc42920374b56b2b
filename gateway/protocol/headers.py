"""Header fields that many answers share, as lower-case bytes for ASGI."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from gateway.content.cid import Cid
from gateway.content.entry_name import quote_name

Header = tuple[bytes, bytes]
Headers = tuple[Header, ...]

NO_STORE: Final = b"no-store"

ALLOW: Final = (b"allow", b"GET, HEAD, OPTIONS")
NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_EXPOSED: Final = (
    b"Content-Length, Content-Range, X-Chunked-Output, X-Stream-Output, X-Ipfs-Path, X-Ipfs-Roots"
)
CORS: Final[Headers] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"Content-Type, Range, User-Agent, X-Requested-With"),
    (b"access-control-expose-headers", _EXPOSED),
)
"""Fields of every answer, including errors and redirects, with or without an Origin."""

_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_URL_CHARACTERS: Final = "%/?&=+$,:;@!*'()~"
_ESCAPE: Final = re.compile(r"%[0-9a-fA-F]{2}")
_SERVER: Final = "ipfs-gateway"


def header_text(text: str) -> bytes:
    """Percent-encode all but printable ASCII, and percent signs, so that it can be decoded."""
    if text.isascii() and text.isprintable() and "%" not in text:  # nearly all of them
        return text.encode("ascii")
    return quote_name(text, _PRINTABLE).encode("ascii")


def location_text(url: bytes) -> bytes:
    """Percent-encode a URL for a header field; its own escapes stay, in upper case."""
    escaped = quote(url, safe=_URL_CHARACTERS)
    return _ESCAPE.sub(lambda match: match[0].upper(), escaped).encode("ascii")


def finished_text(url: str) -> str:
    """Percent-encode a whole URL for a header field; delimiters of URLs stay."""
    escaped = quote(url, safe=_URL_CHARACTERS + "#[]")
    return _ESCAPE.sub(lambda match: match[0].upper(), escaped)


def roots_text(roots: Iterable[Cid]) -> bytes:
    """Return the value of `X-Ipfs-Roots`: one CID for each segment; caches can purge by it."""
    return ",".join(map(str, roots)).encode("ascii")


def cache_status(tiers: Iterable[str], fetched: int) -> Headers:
    """Return `Cache-Status` (RFC 9211) and `X-Cache-Status`.

    Args:
        tiers: names of the cache tiers that had blocks; the fields name the slowest.
        fetched: number of blocks that came from an upstream.
    """
    found = frozenset(tiers)
    if fetched:
        return _PARTIAL if found else _MISS
    for tier, fields in _HITS.items():
        if tier in found:
            return fields
    return _HIT


def _cache_fields(word: bytes, status: str) -> Headers:
    return (b"cache-status", f"{_SERVER}; {status}".encode()), (b"x-cache-status", word)


_MISS: Final = _cache_fields(b"MISS", "fwd=miss")
_PARTIAL: Final = _cache_fields(b"PARTIAL", "fwd=partial")
_HIT: Final = _cache_fields(b"HIT", "hit")  # identity CIDs: no tier was read
# Slowest first; `hot` is the table of finished answers.
_HITS: Final = {
    tier: _cache_fields(b"HIT", f"hit; detail={tier}")
    for tier in ("shared", "disk", "memory", "hot")
}


def mark_stale(headers: Headers) -> Headers:
    """Return the fields with `X-Cache-Status: STALE`: the name is being resolved anew."""
    return tuple([(n, b"STALE") if n == b"x-cache-status" else (n, v) for n, v in headers])


def server_timing(durations: Iterable[tuple[str, float]]) -> Header:
    """Return `Server-Timing` with one metric, in milliseconds, for each `(name, seconds)` pair."""
    parts = (f"{name};dur={seconds * 1000:.1f}" for name, seconds in durations)
    return b"server-timing", ", ".join(parts).encode("ascii")
