"""Time and place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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
    """The location of an IP address according to a GeoIP database; None where it does not know."""

    country: str | None = None
    """ISO 3166-1 alpha-2, upper case."""
    continent: str | None = None
    """MaxMind's two-letter code: EU, AS, NA ..."""
    latitude: float | None = None
    longitude: float | None = None


class HostResolver(Protocol):
    """A lookup of host addresses. Production: `gateway.naming.hosts.SystemHosts`, `DnsHosts`."""

    async def find(self, host: str) -> Sequence[str]:
        """Return the addresses of a host, the best first; empty if the host does not exist.

        Raises:
            OSError: the lookup failed.
        """
        ...


class GeoLookup(Protocol):
    """A GeoIP lookup. Production: `gateway.ops.geo.GeoDatabase`."""

    def find(self, address: str) -> Place | None:
        """Return the location of an IP address; None if unknown, or if it is not an address."""
        ...
