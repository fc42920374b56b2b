"""Addresses and places of clients."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.guard.addresses import TrustedProxies, client_address
from gateway.ports import GeoLookup, Place


@dataclass(frozen=True, slots=True)
class Clients:
    """Finds the address and the place of the client behind a connection."""

    trusted: TrustedProxies
    """The proxies whose X-Forwarded-For the gateway believes."""
    geo: GeoLookup

    def address(self, peer: str | None, forwarded_for: Sequence[str]) -> str:
        """Return the client's IP address.

        Args:
            peer: address of the other end of the connection; None for a Unix socket.
            forwarded_for: values of X-Forwarded-For, in order; used only behind trusted proxies.
        """
        return client_address(peer, forwarded_for, self.trusted)

    def place(self, address: str) -> Place | None:
        """Return the place of an IP address; None when it is not known."""
        return self.geo.find(address)
