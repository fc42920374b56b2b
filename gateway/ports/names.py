"""Names, and what they point to."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.content.cid import Cid
from gateway.content.ipns import IpnsRecord
from gateway.content.names import Name
from gateway.content.path import ContentPath, MutablePath


class Hop(NamedTuple):
    """A name on the way to content."""

    name: Name
    above: tuple[str, ...]
    """Segments below the root of the content at which the name points: `/ipns/{name}/x` is
    `/ipfs/{root}/{above}/x`."""


class HostAnswer(NamedTuple):
    """What the host of a domain is."""

    is_website: bool
    """Whether the domain has a DNSLink, also one that cannot be followed."""
    until: float | None = None
    """Monotonic seconds until when that is known; None for as long as the process runs."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a mutable path points to now."""

    path: ContentPath
    """The target of the last hop with the segments of all hops and of the request behind it."""
    ttl_s: float | None
    """Seconds for which this stays true, the least of all hops; None when no hop says."""
    is_stale: bool = False
    """Whether some hop's time is over: it is being asked again, but this is still valid."""
    hops: tuple[Hop, ...] = ()
    """The names that were followed, in order."""


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
    """DNS messages to a resolver and back.

    Production: `gateway.upstream.transport.doh.DohClient`.
    """

    async def exchange(self, query: bytes) -> bytes:
        """Send a DNS message and return what came back, whatever it is.

        Raises:
            UpstreamError: nothing usable came in time.
        """
        ...


class NameResolver(Protocol):
    """Names to what they point to. Production: `gateway.naming.resolver.Names`."""

    async def resolve(
        self, path: MutablePath, *, cached_only: bool = False, is_afresh: bool = False
    ) -> Resolution:
        """Follow a name, and the names that it points to, to immutable content.

        Args:
            path: starts with the name.
            cached_only: ask nobody.
            is_afresh: wait for a newer target than one that is stale.

        Raises:
            NotCached: with `cached_only`, a name whose target is not known.
            NotFound, Unverifiable, DeadlineExceeded: about the name, with what was tried.
            NameLoop: more hops than allowed.
            BadTarget: what a name points to is not a content path.
        """
        ...

    async def get_record(self, key: Cid, *, cached_only: bool = False) -> NameRecord:
        """Return the newest valid record of a key (a CIDv1 of codec libp2p-key).

        Raises:
            NotCached: as `resolve`.
            NotFound, Unverifiable, DeadlineExceeded: as `resolve`.
        """
        ...

    async def look_up_host(self, domain: str) -> HostAnswer:
        """Tell whether a domain has a DNSLink: whether a host of that name is its website.

        Args:
            domain: as `gateway.host_names.parse_domain` returns it.

        Raises:
            HostUnknown: it cannot be found out now. To take that for a no would give all content
                the origin of the website.
        """
        ...
