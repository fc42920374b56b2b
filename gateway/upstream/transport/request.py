"""Requests to trustless gateways, and checks of the heads of their responses. Pure.

https://specs.ipfs.tech/http-gateways/trustless-gateway/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from gateway import __version__
from gateway.content.block import MAX_BLOCK_BYTES
from gateway.content.cid import RAW, Cid
from gateway.content.entry_name import quote_name
from gateway.content.ipns import MAX_RECORD_BYTES
from gateway.content.walk import Scope, Want
from gateway.errors import BlockAbsent, UpstreamRefused

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})  # not followed
ABSENT_STATUSES: Final = frozenset({404, 410, 451})
MAX_LOCATION_CHARACTERS: Final = 120  # of a redirect, in errors
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]{1,63}\.ip[fn]s\.([a-z0-9.-]{1,253})")
"""The host of a subdomain gateway: `{cid}.ipfs.{name}`."""
MAX_DNS_BYTES: Final = 65_535  # RFC 8484, 6: as over TCP


class Step(StrEnum):
    """The kind of a request to an upstream."""

    CAR = "car"
    RAW = "raw"
    RECORD = "record"
    """An IPNS record."""
    DNS = "dns"
    """A DNS message; goes to a DNS server, not to an upstream."""
    HEAD = "head"
    """Whether it holds a block; goes to cluster nodes before any fetch."""


MEDIA_TYPES: Final[Mapping[Step, frozenset[str]]] = {
    Step.CAR: frozenset({"application/vnd.ipld.car"}),
    Step.RAW: frozenset({"application/vnd.ipld.raw", "application/octet-stream"}),
    Step.RECORD: frozenset({"application/vnd.ipfs.ipns-record"}),
    Step.DNS: frozenset({"application/dns-message"}),
}
"""Accepted media types. Hashes verify the content, but an HTML page is a captive portal or an
error, and need not be read."""

MAX_BYTES: Final[Mapping[Step, int]] = {
    Step.RAW: MAX_BLOCK_BYTES,
    Step.RECORD: MAX_RECORD_BYTES,
    Step.DNS: MAX_DNS_BYTES,
}
"""Most bytes of a body; a CAR has no limit, it is read in pieces."""

_COMMON: Final = {"Accept-Encoding": "identity", "User-Agent": f"ipfs-gateway/{__version__}"}
HEADERS: Final[Mapping[Step, Mapping[str, str]]] = {
    Step.CAR: {**_COMMON, "Accept": "application/vnd.ipld.car; version=1; order=dfs; dups=y"},
    Step.RAW: {**_COMMON, "Accept": "application/vnd.ipld.raw"},
    Step.RECORD: {**_COMMON, "Accept": "application/vnd.ipfs.ipns-record"},
    Step.DNS: {**_COMMON, "Accept": "application/dns-message"},
}


@dataclass(frozen=True, slots=True)
class CarPlan:
    """The scope of one CAR request: arguments of `walk_car`, and parts of the URL."""

    base: Cid
    segments: tuple[str, ...] = ()
    scope: Scope = Scope.BLOCK
    start: int = 0
    stop: int | None = None


def plan_of(want: Want) -> CarPlan:
    """Return the plan of a CAR with the wanted block and all that the walk needs after it."""
    return CarPlan(want.root or want.cid, want.segments, want.scope, want.start, want.stop)


def is_single_block(want: Want) -> bool:
    """Tell whether a CAR would hold only the block itself."""
    is_leaf = want.scope is Scope.BLOCK or want.cid.codec == RAW
    return is_leaf and want.root is None and not want.segments


def raw_target(cid: Cid) -> str:
    """Return path and query of the request for one block."""
    return f"/ipfs/{cid}?format=raw"


def record_target(key: Cid) -> str:
    """Return path and query of the request for an IPNS record to a trustless gateway."""
    return f"/ipns/{key}?format=ipns-record"


def routing_target(key: Cid) -> str:
    """Return the path of the request for an IPNS record to a delegated router.

    https://specs.ipfs.tech/routing/http-routing-v1/
    """
    return f"/routing/v1/ipns/{key}"


def car_target(plan: CarPlan) -> str:
    """Return path and query of the request for a CAR.

    Order and duplicates are in the query as well as in `Accept`: the query takes precedence
    (IPIP-523), and a cache on the way may ignore headers.
    """
    path = "".join("/" + quote_name(segment) for segment in plan.segments)
    target = f"/ipfs/{plan.base}{path}?format=car&dag-scope={plan.scope}"
    if plan.scope is Scope.ENTITY and (plan.start, plan.stop) != (0, None):
        last = "*" if plan.stop is None else str(plan.stop - 1)
        target += f"&entity-bytes={plan.start}:{last}"
    return target + "&car-version=1&car-order=dfs&car-dups=y"


def check_head(
    upstream: str, what: object, step: Step, status: int, headers: Mapping[str, str], now: float
) -> None:
    """Refuse responses that cannot hold the requested content.

    Args:
        upstream: its name.
        what: the requested thing: a CID, a key, a domain name.
        step: kind of the request.
        status: of the response.
        headers: of the response, a case-insensitive mapping.
        now: wall time, for a Retry-After that is a date.

    Raises:
        BlockAbsent: the upstream does not have the content.
        UpstreamRefused: the status, type, encoding or length is not accepted.
    """
    if status in ABSENT_STATUSES:
        raise BlockAbsent(upstream, what)
    if status != 200:
        retry_after_s = parse_retry_after(headers.get("Retry-After"), now)
        reason = f"answered with status {status}"
        if status in REDIRECTS:
            reason += redirected(headers.get("Location", ""))
        raise UpstreamRefused(upstream, reason, status, retry_after_s)
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES[step]:
        found = f"type {media_type[:40]!r}" if media_type else "no type"
        raise UpstreamRefused(upstream, f"answered with {found} to a request for {step}", status)
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        raise UpstreamRefused(upstream, f"answered with encoding {encoding[:40]!r}", status)
    length = headers.get("Content-Length", "0")
    limit = MAX_BYTES.get(step)
    if limit is not None and (not length.isdecimal() or int(length[:20]) > limit):
        raise UpstreamRefused(upstream, f"announced a {step} of {length[:20]} bytes", status)


def redirected(location: str) -> str:
    """Return a hint for operators: the target of a redirect, and the url to configure instead.

    Returns:
        A clause that continues a sentence; empty without a usable `location`.
    """
    try:
        parts = urlsplit(location)
        port = parts.port
    except ValueError:
        return ""
    is_text = parts.netloc.isascii() and parts.netloc.isprintable()
    if not parts.scheme or not parts.hostname or not is_text:
        return ""
    target = f", which redirects to {location[:MAX_LOCATION_CHARACTERS]!r}"
    site = _SUBDOMAIN.fullmatch(parts.hostname)
    if site is None:
        return f"{target}: write {parts.scheme}://{parts.netloc[:100]} as its url"
    here = "http://127.0.0.1" + (f":{port}" if port else "")
    instead = here if site[1] == "localhost" else "another name of it, or its address,"
    return f"{target}: by the name {site[1]} it is a subdomain gateway; write {instead} as its url"


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds of a Retry-After, a number or a date; None if it is neither."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a zone of 10^17 hours is beyond what a timedelta holds
        return None
    if when.tzinfo is None:  # "-0000": UTC, zone unknown
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - now)
