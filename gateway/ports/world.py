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
    """Where an address is, as far as a GeoIP database knows."""

    country: str | None = None
    """ISO 3166-1 alpha-2, upper case."""
    continent: str | None = None
    """Two letters, as MaxMind has them: EU, AS, NA ..."""
    latitude: float | None = None
    longitude: float | None = None


class HostResolver(Protocol):
    """Where hosts are. Production: `gateway.naming.hosts.SystemHosts` and `DnsHosts`."""

    async def find(self, host: str) -> Sequence[str]:
        """Return the addresses of a host, the best first; none when there is no such host.

        Raises:
            OSError: nobody knows now.
        """
        ...


class GeoLookup(Protocol):
    """Address to place. Production: `gateway.ops.geo.GeoDatabase`."""

    def find(self, address: str) -> Place | None:
        """Return the place of an IP address; None when it is not known or not an address."""
        ...
