"""What is sent to a trustless gateway, and what is taken of the head of its answer. Pure.

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
    """How an upstream is asked, and what for."""

    CAR = "car"
    RAW = "raw"
    RECORD = "record"
    """An IPNS record."""
    DNS = "dns"
    """A DNS message; of a resolver, which is no upstream."""
    HEAD = "head"
    """Whether it holds a block; asked of cluster nodes before anything else."""


MEDIA_TYPES: Final[Mapping[Step, frozenset[str]]] = {
    Step.CAR: frozenset({"application/vnd.ipld.car"}),
    Step.RAW: frozenset({"application/vnd.ipld.raw", "application/octet-stream"}),
    Step.RECORD: frozenset({"application/vnd.ipfs.ipns-record"}),
    Step.DNS: frozenset({"application/dns-message"}),
}
"""Types that an answer may have. What is in it is proven by its hashes, but a page that says it is
HTML is a captive portal or an error, and need not be read."""

MAX_BYTES: Final[Mapping[Step, int]] = {
    Step.RAW: MAX_BLOCK_BYTES,
    Step.RECORD: MAX_RECORD_BYTES,
    Step.DNS: MAX_DNS_BYTES,
}
"""Of a body; a CAR is read piece by piece."""

_COMMON: Final = {"Accept-Encoding": "identity", "User-Agent": f"ipfs-gateway/{__version__}"}
HEADERS: Final[Mapping[Step, Mapping[str, str]]] = {
    Step.CAR: {**_COMMON, "Accept": "application/vnd.ipld.car; version=1; order=dfs; dups=y"},
    Step.RAW: {**_COMMON, "Accept": "application/vnd.ipld.raw"},
    Step.RECORD: {**_COMMON, "Accept": "application/vnd.ipfs.ipns-record"},
    Step.DNS: {**_COMMON, "Accept": "application/dns-message"},
}


@dataclass(frozen=True, slots=True)
class CarPlan:
    """What one CAR is asked for; the arguments of `walk_car` and the parts of the URL."""

    base: Cid
    segments: tuple[str, ...] = ()
    scope: Scope = Scope.BLOCK
    start: int = 0
    stop: int | None = None


def plan_of(want: Want) -> CarPlan:
    """Return the CAR that holds what is wanted now and all that will be wanted after it."""
    return CarPlan(want.root or want.cid, want.segments, want.scope, want.start, want.stop)


def is_single_block(want: Want) -> bool:
    """Tell whether a CAR would hold no more than the block itself."""
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

    Order and duplicates are asked for in the query, too: it wins over `Accept` (IPIP-523), and a
    cache on the way may look at nothing else.
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
    """Refuse answers that cannot hold what was asked for.

    Args:
        upstream: its name.
        what: what was asked for: a CID, a key, a domain name.
        step: how.
        status: the answer's status.
        headers: the answer's header fields; names are found in any case.
        now: wall time, for a Retry-After that is a date.

    Raises:
        BlockAbsent: the upstream says that it does not have it.
        UpstreamRefused: anything else that is not taken.
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
        told = f"type {media_type[:40]!r}" if media_type else "no type"
        raise UpstreamRefused(upstream, f"answered with {told} to a request for {step}", status)
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding != "identity":
        raise UpstreamRefused(upstream, f"answered with encoding {encoding[:40]!r}", status)
    length = headers.get("Content-Length", "0")
    limit = MAX_BYTES.get(step)
    if limit is not None and (not length.isdecimal() or int(length[:20]) > limit):
        raise UpstreamRefused(upstream, f"announced a {step} of {length[:20]} bytes", status)


def redirected(location: str) -> str:
    """Say where an upstream sends us, and what the operator can write so that it does not.

    Returns:
        A clause, which goes on where a sentence has begun; empty when it does not say where.
    """
    try:
        parts = urlsplit(location)
        port = parts.port
    except ValueError:
        return ""
    is_text = parts.netloc.isascii() and parts.netloc.isprintable()
    if not parts.scheme or not parts.hostname or not is_text:
        return ""
    told = f", which sends to {location[:MAX_LOCATION_CHARACTERS]!r}"
    site = _SUBDOMAIN.fullmatch(parts.hostname)
    if site is None:
        return f"{told}: write {parts.scheme}://{parts.netloc[:100]} as its url"
    here = "http://127.0.0.1" + (f":{port}" if port else "")
    instead = here if site[1] == "localhost" else "another name of it, or its address,"
    return f"{told}: by the name {site[1]} it is a subdomain gateway; write {instead} as its url"


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds of a Retry-After, which is a number or a date; None if it is neither."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a zone of 10^17 hours is beyond what a timedelta holds
        return None
    if when.tzinfo is None:  # "-0000": UTC without a claim to be right
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - now)
