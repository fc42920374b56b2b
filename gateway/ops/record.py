"""What is known of one request when it is over: the statistics and the access log read it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from gateway.ports import Choice


class RequestKind(StrEnum):
    """What was answered. The words are those in the names of boxo's histograms."""

    FILE = "unixfs_file"
    INDEX = "unixfs_dir_indexhtml"
    LISTING = "unixfs_gen_dir_listing"
    CAR = "car_stream"
    RAW = "raw_block"
    TAR = "tar_stream"
    DOCUMENT = "jsoncbor"
    IPNS_RECORD = "ipns_record"
    OTHER = "other"
    """Redirects, unchanged content, errors, pages of the gateway itself."""


class CacheState(StrEnum):
    """How much of the answer came from the cache."""

    HIT = "hit"
    PARTIAL = "partial"
    MISS = "miss"
    NONE = "none"
    """No content was looked for."""


class Outcome(StrEnum):
    """How the answer ended. Every request has exactly one."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    """We broke off after the head was sent: upstreams failed in the middle of a body."""
    LEFT = "left"
    """The client went away."""


class RequestRecord(NamedTuple):
    """One request."""

    started: float
    """Seconds since the Unix epoch."""
    client: str
    method: str
    target: bytes
    """The request target as it was sent."""
    status: int
    kind: RequestKind
    cache: CacheState
    tier: str
    """Where a hit came from: `hot`, `memory`, `disk`; empty if nowhere."""
    size_bytes: int
    """Body bytes sent."""
    duration_s: float
    ttfb_s: float
    """From the request's head to the first byte of the answer."""
    root: str
    """CID of the root, as text; empty if there is none."""
    request_id: str
    user_agent: bytes = b""
    referer: bytes = b""
    namespace: str = "ipfs"
    outcome: Outcome = Outcome.COMPLETE
    choices: Sequence[Choice] = ()
    """The upstreams that were asked, and why they."""
    error: str = ""
    """What went wrong, in words."""


HOT: str = "hot"
"""The `tier` of an answer that was sent from the table of finished answers."""
