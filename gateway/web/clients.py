"""Who asks, and from where."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.guard.addresses import TrustedProxies, client_address
from gateway.ports import GeoLookup, Place


@dataclass(frozen=True, slots=True)
class Clients:
    """Tells address and place of the client behind a connection."""

    trusted: TrustedProxies
    """Whose X-Forwarded-For is believed."""
    geo: GeoLookup

    def address(self, peer: str | None, forwarded_for: Sequence[str]) -> str:
        """Return the client's IP address; `peer` is None for a Unix socket."""
        return client_address(peer, forwarded_for, self.trusted)

    def place(self, address: str) -> Place | None:
        """Return where an address is, as far as it is known."""
        return self.geo.find(address)
