"""The client's address, and the host and scheme it used, behind trusted proxies.

Each proxy appends the address that it saw to `X-Forwarded-For`, so only the right end of the list
can be trusted, and only if a trusted proxy sent it. The list is read from the right, past trusted
proxies, up to the first address that is not one of them; entries further left, which a client may
have written, are ignored. MDN's page on X-Forwarded-For describes the same algorithm.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from gateway.errors import BadSetting
from gateway.protocol.host import is_host

NO_ADDRESS: Final = "unix"
"""Identity of all clients of a Unix socket whose proxy sends no usable address."""

MAX_HOPS: Final = 16  # more than any real chain of proxies; the rest of a longer list is ignored
MAX_ENTRY_CHARS: Final = 64  # "[", 45 characters of IPv6, "]", ":65535" and some blanks
MAX_CACHED_CHARS: Final = 256  # bounds the cache of X-Forwarded-For values, below, to 4 MiB
CACHE_ENTRIES: Final = 8192

_IP = ipaddress.IPv4Address | ipaddress.IPv6Address
_NETWORK = ipaddress.IPv4Network | ipaddress.IPv6Network

_V4_WITH_PORT = re.compile(r"([0-9.]{7,15}):[0-9]{1,5}")
_V6_IN_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?")


def parse_address(text: str) -> str | None:
    """Return the canonical text of an IP address, or None.

    Accepts the forms that proxies write into X-Forwarded-For: surrounding blanks, IPv6 in brackets,
    a port. An IPv4-mapped IPv6 address becomes the IPv4 address. Addresses with a zone are refused:
    it names an interface of another machine.
    """
    address = _parse(text)
    return None if address is None else str(address)


def _parse(text: str) -> _IP | None:
    if len(text) > MAX_ENTRY_CHARS or "%" in text:
        return None
    bare = text.strip(" \t")
    if match := _V6_IN_BRACKETS.fullmatch(bare) or _V4_WITH_PORT.fullmatch(bare):
        bare = match[1]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class TrustedProxies:
    """The proxies whose `X-Forwarded-*` fields are trusted."""

    __slots__ = ("_networks", "_unix")

    def __init__(self, networks: Sequence[_NETWORK] = (), *, unix: bool = False) -> None:
        self._networks = tuple(networks)
        self._unix = unix

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "TrustedProxies":
        """Read addresses (`127.0.0.1`), networks (`10.0.0.0/8`) and `unix`.

        Raises:
            BadSetting: for anything else, networks with host bits set included.
        """
        networks: list[_NETWORK] = []
        unix = False
        for text in texts:
            if text == "unix":
                unix = True
                continue
            try:
                networks.append(ipaddress.ip_network(text))
            except ValueError as exc:
                reason = f'"{text}" is not an address, a network or "unix" ({exc})'
                raise BadSetting("server.trusted_proxies", reason) from None
        return cls(networks, unix=unix)

    def has_peer(self, peer: str | None) -> bool:
        """Tell whether the other end of a connection is a trusted proxy.

        Args:
            peer: its IP address as the system gives it; None for a Unix socket.
        """
        return self._unix if peer is None else self.has(_parse_peer(peer))

    def has(self, address: _IP | None) -> bool:
        """Tell whether an address belongs to a trusted proxy."""
        return address is not None and any(address in network for network in self._networks)


def _parse_peer(peer: str) -> _IP | None:
    """Parse an address from the system, which adds a zone to link-local ones."""
    return _parse(peer.partition("%")[0])


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: TrustedProxies) -> str:
    """Return the client's address: canonical text of an IP address, or `NO_ADDRESS`.

    Args:
        peer: address of the other end of the connection; None for a Unix socket.
        forwarded_for: values of all X-Forwarded-For fields in order of arrival.
        trusted: the trusted proxies.
    """
    if not forwarded_for:
        return _known_walk(peer, None, trusted)
    value = forwarded_for[0] if len(forwarded_for) == 1 else ",".join(forwarded_for)
    walk = _known_walk if len(value) <= MAX_CACHED_CHARS else _walk
    return walk(peer, value, trusted)


def _walk(peer: str | None, value: str | None, trusted: TrustedProxies) -> str:
    client = None if peer is None else _parse_peer(peer)
    if value is not None and trusted.has_peer(peer):
        # rsplit leaves the unsplit rest at [0]: the true first entry, or text that is too long to
        # be an address.
        for entry in reversed(value.rsplit(",", MAX_HOPS - 1)):
            address = _parse(entry)
            if address is None:
                break
            client = address
            if not trusted.has(address):
                break
    return NO_ADDRESS if client is None else str(client)


_known_walk = lru_cache(CACHE_ENTRIES)(_walk)


def forwarded_host(peer: str | None, values: Sequence[str], trusted: TrustedProxies) -> str | None:
    """Return the host (and port) that the client asked a trusted proxy for, in lower case.

    Args:
        peer: address of the other end of the connection; None for a Unix socket.
        values: values of all X-Forwarded-Host fields. Only the last entry counts: the trusted
            proxy wrote it, earlier ones may come from the client.
        trusted: the trusted proxies.

    Returns:
        None without a field from a trusted proxy, or if its value is not `host[:port]`.
    """
    host = _last_entry(peer, values, trusted)
    return host if host is not None and host.isascii() and is_host(host.encode()) else None


def forwarded_proto(peer: str | None, values: Sequence[str], trusted: TrustedProxies) -> str | None:
    """Return `http` or `https` from the X-Forwarded-Proto of a trusted proxy, else None."""
    proto = _last_entry(peer, values, trusted)
    return proto if proto in ("http", "https") else None


def _last_entry(peer: str | None, values: Sequence[str], trusted: TrustedProxies) -> str | None:
    if not values or not trusted.has_peer(peer):
        return None
    return values[-1].rpartition(",")[2].strip(" \t").lower()
