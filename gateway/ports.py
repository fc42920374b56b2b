"""Every seam to the outside on one page.

The core asks for these; `gateway.wiring` decides who answers, and the fakes in `tests/fakes`
are held to the same contract suites as the real ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.content.block import Block
from gateway.content.cid import Cid
from gateway.content.ipns import IpnsRecord
from gateway.content.path import ContentPath, MutablePath
from gateway.content.walk import Want


class Clock(Protocol):
    """Time. Production: `gateway.ops.clock.SystemClock`."""

    def now(self) -> float:
        """Seconds since the Unix epoch (wall time; for dates and expiry)."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back (for durations and deadlines)."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is, as far as a GeoIP database knows."""

    country: str | None = None
    """ISO 3166-1 alpha-2, upper case."""
    continent: str | None = None
    """Two letters, as MaxMind has them: EU, AS, NA ..."""
    latitude: float | None = None
    longitude: float | None = None


class GeoLookup(Protocol):
    """Address to place. Production: `gateway.ops.geo.GeoDatabase`."""

    def find(self, address: str) -> Place | None:
        """Return the place of an IP address; None when it is not known or not an address."""
        ...


class Tier(StrEnum):
    """Where a block was found; the `detail` of Cache-Status."""

    MEMORY = "memory"
    DISK = "disk"
    SHARED = "shared"


class MissReason(StrEnum):
    """Why a block was in no tier."""

    ABSENT = "absent"
    """It was not here, as far as anybody remembers."""
    EVICTED = "evicted"
    """It was here a while ago."""
    PURGED = "purged"
    """An operator took it out."""
    DAMAGED = "damaged"
    """It was here, but its bytes were wrong."""
    SLOW = "slow"
    """The disk did not answer in time."""
    UNAVAILABLE = "unavailable"
    """The disk or its index cannot be read now."""


class BlockStore(Protocol):
    """Verified blocks kept close. Production: `gateway.cache.tiers.TieredStore`."""

    def peek(self, cid: Cid) -> Block | None:
        """Return the block if it can be had without waiting (memory), else None."""
        ...

    async def find(self, cid: Cid) -> tuple[Block, Tier] | None:
        """Return the verified block and where it was, or None. Never raises for bad storage."""
        ...

    def has(self, cid: Cid) -> bool:
        """Tell, cheaply and without reading it, whether the block is probably kept."""
        ...

    async def has_all(self, cids: Sequence[Cid]) -> bool:
        """Tell, without reading large blocks, whether all of them are probably kept."""
        ...

    async def keep(self, block: Block) -> None:
        """Keep a verified block. Waits only when too many writes are pending; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge took out."""

    blocks: int
    bytes: int
    pinned: int
    """Blocks that stayed, because a pin holds them."""


class PinState(StrEnum):
    """How far a pin is."""

    WAITING = "waiting"
    """Nobody has begun yet."""
    FETCHING = "fetching"
    PINNED = "pinned"
    """All of it is here, and stays."""
    FAILED = "failed"
    """It is tried again later."""


@dataclass(frozen=True, slots=True)
class PinRow:
    """One pinned root as the cache has it."""

    root: bytes
    """Multihash."""
    state: PinState
    reason: str
    """Why it failed."""
    blocks: int
    bytes: int
    """Room that its blocks take on the disk; what an earlier pin holds is counted there."""


class BlockKeeper(Protocol):
    """What operators order of the cache. Production: `gateway.cache.keeper.CacheKeeper`.

    Raises:
        CacheUnavailable: from all methods, when the disk tier is off or does not work.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other processes learn of a purge through what they share with this one."""
        ...

    async def purge(self, cids: Sequence[Cid]) -> Purged:
        """Take blocks out everywhere; pinned ones stay."""
        ...

    async def catch_up(self) -> None:
        """Return when this process has dropped what other processes purged before."""
        ...

    async def keep(self, block: Block) -> None:
        """Have a block on the disk, whatever is admitted otherwise; never raises."""
        ...

    async def pin_roots(self) -> Mapping[str, float]:
        """Return the roots that must stay, and since when (seconds since the epoch)."""
        ...

    async def change_pins(self, add: Sequence[Cid], remove: Sequence[Cid]) -> None:
        """Say which roots must stay from now on, and which no longer."""
        ...

    async def lead_pins(self) -> bool:
        """Tell whether this process is the one that carries the pins out."""
        ...

    async def pins_version(self) -> int:
        """Return a number that changes when somebody changes the pins."""
        ...

    async def pins(self) -> Sequence[PinRow]:
        """Return the pins that were begun."""
        ...

    async def pin(self, root: Cid, blocks: Sequence[Block]) -> None:
        """Make blocks of a root stay.

        Raises:
            PinsFull: the pins would fill too much of the disk tier.
        """
        ...

    async def finish_pin(self, root: Cid, failure: str = "") -> None:
        """Say that all of a root stays, or why it cannot."""
        ...

    async def unpin(self, root: bytes) -> None:
        """Let the blocks of a root (by multihash) go when their time comes."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision of the upstream selection, with its reason."""

    upstream: str
    reason: str
    """A word of `gateway.upstream.selection.ChoiceReason`."""
    distance_km: float | None = None
    ttfb_ms: float | None = None


@dataclass(slots=True)
class RetrievalTrace:
    """What a request cost and where its blocks came from; filled in as it goes."""

    found: dict[Tier, int] = field(default_factory=dict[Tier, int])
    """Blocks found in the cache, by tier."""
    fetched: int = 0
    """Blocks that came from an upstream for this request (waiting for another's fetch counts)."""
    choices: list[Choice] = field(default_factory=list[Choice])


class BlockSource(Protocol):
    """Blocks for one request. Production: `gateway.upstream.retrieve.Session`."""

    trace: RetrievalTrace

    def peek(self, cid: Cid) -> Block | None:
        """Return the block if it is in memory (or in the CID itself), else None."""
        ...

    async def get(self, want: Want) -> Block:
        """Return the block, from the cache or an upstream.

        Raises:
            NotFound, Unverifiable, DeadlineExceeded: as `gateway.errors` says.
        """
        ...

    async def close(self) -> None:
        """Say that no more blocks are wanted; fetches that nobody else waits for end."""
        ...


class Retriever(Protocol):
    """Opens a `BlockSource` for each request. Production: `gateway.upstream.retrieve.Retrieval`."""

    def open_session(self, place: Place | None, *, cached_only: bool = False) -> BlockSource:
        """Start the retrieval side of one request from a client at `place`."""
        ...


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a mutable path points to now."""

    path: ContentPath
    """The target of the last hop with the segments of all hops and of the request behind it."""
    ttl_s: float | None
    """Seconds for which this stays true, the least of all hops; None when no hop says."""
    is_stale: bool = False
    """Whether some hop's time is over: it is being asked again, but this is still valid."""


@dataclass(frozen=True, slots=True)
class NameRecord:
    """An IPNS record that was verified."""

    data: bytes
    """As it was signed."""
    max_age_s: int
    """Whole seconds for which nobody need ask again: by its TTL, and never beyond its end."""


class RecordSource(Protocol):
    """IPNS records from elsewhere. Production: `gateway.upstream.records.UpstreamRecords`."""

    async def fetch(self, key: Cid) -> IpnsRecord:
        """Fetch the newest valid record that can be had.

        Raises:
            NotFound, Unverifiable, DeadlineExceeded: with what was tried.
        """
        ...


class DnsOverHttps(Protocol):
    """DNS messages to a resolver and back. Production: `gateway.upstream.doh.DohClient`."""

    async def exchange(self, query: bytes) -> bytes:
        """Send a DNS message and return what came back, whatever it is.

        Raises:
            UpstreamError: nothing usable came in time.
        """
        ...


class NameResolver(Protocol):
    """Names to what they point to. Production: `gateway.naming.resolver.Names`."""

    async def resolve(self, path: MutablePath) -> Resolution:
        """Follow a name, and the names that it points to, to immutable content.

        Raises:
            NotFound, Unverifiable, DeadlineExceeded: about the name, with what was tried.
            NameLoop: more hops than allowed.
            BadTarget: what a name points to is not a content path.
        """
        ...

    async def get_record(self, key: Cid) -> NameRecord:
        """Return the newest valid record of a key (a CIDv1 of codec libp2p-key).

        Raises:
            NotFound, Unverifiable, DeadlineExceeded: as `resolve`.
        """
        ...

    async def has_dnslink(self, domain: str) -> bool:
        """Tell whether a domain has a DNSLink; never raises, and False when in doubt.

        Args:
            domain: as `gateway.content.names.parse_domain` returns it.
        """
        ...


class Rejection(StrEnum):
    """Why bytes were not taken."""

    MISMATCH = "mismatch"
    DISK = "disk"


class Observer(Protocol):
    """Told what happened; the core never names a metric. Production: `gateway.ops.metrics`."""

    def block_found(self, tier: Tier, size_bytes: int) -> None:
        """A block was served from the cache."""
        ...

    def block_missed(self, reason: MissReason) -> None:
        """A block was in no tier."""
        ...

    def block_verified(self, size_bytes: int) -> None:
        """Bytes from an upstream were hashed and right."""
        ...

    def block_rejected(self, reason: Rejection, source: str) -> None:
        """Bytes were hashed and wrong; `source` is an upstream's name or `disk`."""
        ...

    def block_evicted(self, tier: Tier, reason: str, size_bytes: int) -> None:
        """A block left a tier."""
        ...

    def upstream_asked(self, choice: Choice, step: str) -> None:
        """A request (`car` or `raw`) goes to an upstream."""
        ...

    def upstream_answered(self, upstream: str, step: str, ttfb_s: float) -> None:
        """The first verified block came after `ttfb_s`."""
        ...

    def upstream_received(self, upstream: str, size_bytes: int) -> None:
        """Body bytes came from an upstream."""
        ...

    def upstream_failed(self, upstream: str, step: str, kind: str, reason: str) -> None:
        """A request to an upstream failed; `kind` is a `FailureKind` word."""
        ...

    def upstream_state(self, upstream: str, state: str, reason: str) -> None:
        """An upstream was ejected or came back."""
        ...


class Admission(Protocol):
    """Who may come in. Production: `gateway.guard.admission.AdmissionControl`."""

    def admit(self, client: str) -> Mapping[str, str]:
        """Count one request of `client` (an IP address).

        Returns:
            The RateLimit header fields to send, empty when limits are off.

        Raises:
            TooManyRequests: over the limit of the client or of the process.
        """
        ...

    def release(self) -> None:
        """Count the end of a request that was admitted."""
        ...
