"""Parsers for the answers of an IPFS Cluster's REST API. Pure.

https://ipfscluster.io/documentation/reference/api/; lists are streams of JSON objects. Malformed
entries are skipped: a cluster of mixed versions must not stop the gateway.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.net.json_lines import parse_json_lines
from gateway.settings import is_host, is_name

MAX_PEERS: Final = 1024  # further ones are skipped; large clusters have some dozens
MAX_ERROR_CHARACTERS: Final = 200
MAX_NAME_CHARACTERS: Final = 255  # a peer has its machine's name; POSIX, HOST_NAME_MAX
_ADDRESSES: Final[Mapping[str, type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]]] = {
    "ip4": ipaddress.IPv4Address,
    "ip6": ipaddress.IPv6Address,
}
_NAME_PROTOCOLS: Final = frozenset({"dns", "dns4", "dns6", "dnsaddr"})


@dataclass(frozen=True, slots=True)
class ClusterPeer:
    """One peer of the cluster, with its Kubo node."""

    id: str
    name: str
    ipfs_id: str = ""
    error: str = ""
    """The error that the API reports for it; empty if there is none."""
    hosts: tuple[str, ...] = ()
    """Addresses and host names of its Kubo node, loopback ones last."""

    @property
    def names(self) -> frozenset[str]:
        """The names that the configuration may use for it."""
        return frozenset((self.id, self.name, self.ipfs_id)) - {""}


def parse_peers(data: bytes) -> list[ClusterPeer]:
    """Parse the answer to `/peers`; returns at most `MAX_PEERS`."""
    peers = [_parse_peer(record) for record in _records(data)]
    return [peer for peer in peers if peer is not None][:MAX_PEERS]


def parse_allocations(data: bytes) -> tuple[str, ...]:
    """Parse the answer to `/allocations/{cid}`: ids of the cluster peers that are to hold it.

    Empty also if all peers are.
    """
    for record in _records(data):
        allocations = record.get("allocations")
        if isinstance(allocations, list):
            return tuple([one for one in allocations if isinstance(one, str)][:MAX_PEERS])
    return ()


def _records(data: bytes) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a stream, or of a list, of JSON objects."""
    for value in parse_json_lines(data):
        listed = value if isinstance(value, list) else [value]
        yield from (one for one in listed if isinstance(one, dict))


def _parse_peer(record: Mapping[str, Any]) -> ClusterPeer | None:
    identity = _text(record, "id")
    if not is_name(identity):  # ids of libp2p are letters and digits
        return None
    ipfs = record.get("ipfs")
    node: Mapping[str, Any] = ipfs if isinstance(ipfs, dict) else {}
    error = _text(record, "error") or _text(node, "error")
    addresses = node.get("addresses")
    hosts = _hosts(addresses if isinstance(addresses, list) else [])
    name = _text(record, "peername")[:MAX_NAME_CHARACTERS]
    name = name if name and name.isprintable() else identity
    return ClusterPeer(identity, name, _text(node, "id"), error[:MAX_ERROR_CHARACTERS], hosts)


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _hosts(addresses: list[Any]) -> tuple[str, ...]:
    """Return the hosts in multiaddresses, loopback last."""
    hosts = dict.fromkeys(host for address in addresses if (host := host_of(address)))
    return tuple(sorted(hosts, key=_is_loopback))


def host_of(address: object) -> str:
    """Return the host of a multiaddress in the form that URLs use.

    Empty without a usable host: real nodes announce even `/dns4/a..b/tcp/4001`.
    """
    if not isinstance(address, str):
        return ""
    _, _, rest = address.partition("/")
    protocol, _, rest = rest.partition("/")
    host = rest.partition("/")[0]
    if protocol in _NAME_PROTOCOLS:
        return host if is_host(host) else ""
    if protocol not in {"ip4", "ip6"}:
        return ""
    return _address_of(protocol, host)


def _address_of(protocol: str, text: str) -> str:
    """Return an address in the form that URLs use; empty if it is not one of a single host."""
    try:
        address = _ADDRESSES[protocol](text)
    except ValueError:
        return ""
    # A link-local address needs a zone, which names an interface of another machine.
    if "%" in text or address.is_unspecified or address.is_multicast or address.is_link_local:
        return ""
    return f"[{address}]" if protocol == "ip6" else str(address)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
