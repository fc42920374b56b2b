"""Resolution of names: IPNS keys and DNSLink domains."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.content.cid import Cid
from gateway.content.ipns import IpnsRecord
from gateway.content.names import Name
from gateway.content.path import ContentPath, MutablePath


class Hop(NamedTuple):
    """One name on the way from a mutable path to content."""

    name: Name
    above: tuple[str, ...]
    """Segments between the content's root and the name's target: `/ipns/{name}/x` is
    `/ipfs/{root}/{above}/x`."""


class HostAnswer(NamedTuple):
    """Whether a domain is a DNSLink website."""

    is_website: bool
    """Whether the domain has a DNSLink, even one that cannot be followed."""
    until: float | None = None
    """End of the answer's validity, monotonic seconds; None for the life of the process."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The immutable path that a mutable path resolves to now."""

    path: ContentPath
    """The root of the last hop, followed by the segments of all hops and of the request."""
    ttl_s: float | None
    """Seconds for which this stays valid, the least of all hops; None if no hop has a TTL."""
    is_stale: bool = False
    """Whether the answer for some hop has expired: it is still usable, and being renewed."""
    hops: tuple[Hop, ...] = ()
    """The names on the way, in order."""


@dataclass(frozen=True, slots=True)
class NameRecord:
    """A verified IPNS record."""

    data: bytes
    """The signed record, serialized."""
    max_age_s: int
    """Seconds for which clients may cache it: by its TTL, and never beyond its end."""


class RecordSource(Protocol):
    """A source of IPNS records. Production: `gateway.upstream.records.UpstreamRecords`."""

    async def fetch(self, key: Cid) -> IpnsRecord:
        """Fetch the newest valid record that upstreams have.

        Raises:
            NotFound, Unavailable, DeadlineExceeded: with the attempts.
        """
        ...


class DnsOverHttps(Protocol):
    """A client of a DNS-over-HTTPS resolver.

    Production: `gateway.upstream.transport.doh.DohClient`.
    """

    async def exchange(self, query: bytes) -> bytes:
        """Send a DNS message and return the body of the response, unchecked.

        Raises:
            UpstreamError: no valid HTTP response came in time.
        """
        ...


class NameResolver(Protocol):
    """A resolver of names to content. Production: `gateway.naming.resolver.Names`."""

    async def resolve(
        self, path: MutablePath, *, cached_only: bool = False, is_afresh: bool = False
    ) -> Resolution:
        """Follow a name, and the names that it points to, to immutable content.

        Args:
            path: the mutable path.
            cached_only: send no request and no DNS query.
            is_afresh: wait for a newer target instead of using a stale one.

        Raises:
            NotCached: with `cached_only`, the target of a name is not in the cache.
            NotFound, Unavailable, DeadlineExceeded: the name cannot be resolved; with the
                attempts.
            NameLoop: too many hops, or a cycle.
            BadTarget: the target of a name is not a content path.
        """
        ...

    async def get_record(self, key: Cid, *, cached_only: bool = False) -> NameRecord:
        """Return the newest valid record of a key (a CIDv1 of codec libp2p-key).

        Raises:
            NotCached: as `resolve`.
            NotFound, Unavailable, DeadlineExceeded: as `resolve`.
        """
        ...

    async def look_up_host(self, domain: str) -> HostAnswer:
        """Tell whether a domain has a DNSLink: whether a host of that name is its website.

        Args:
            domain: as `gateway.host_names.parse_domain` returns it.

        Raises:
            HostUnknown: the lookup failed. Taking that for a no would serve arbitrary content under
                the website's origin.
        """
        ...
