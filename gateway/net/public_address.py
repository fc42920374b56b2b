"""A filter for IP addresses: only those of the public internet. Pure.

Anybody can announce the address of a provider to a router. A connection to a private one would
give strangers a way into the operator's network (server-side request forgery).
"""

import ipaddress
from typing import Final

_EMBEDDED: Final = (  # IPv6 ranges that embed an IPv4 address, and its offset in the 16 bytes
    (ipaddress.ip_network("::ffff:0:0/96"), 12),  # mapped, RFC 4291
    (ipaddress.ip_network("::/96"), 12),  # compatible, RFC 4291
    (ipaddress.ip_network("64:ff9b::/96"), 12),  # NAT64, RFC 6052
    (ipaddress.ip_network("64:ff9b:1::/48"), 12),  # local NAT64, RFC 8215
    (ipaddress.ip_network("2002::/16"), 2),  # 6to4, RFC 3056
)
_REFUSED: Final = (  # ranges that `ipaddress` calls global
    ipaddress.ip_network("2001::/32"),  # Teredo, RFC 4380; hides the IPv4 address
    ipaddress.ip_network("fec0::/10"),  # site-local; deprecated by RFC 3879, but still routed
    ipaddress.ip_network("::ffff:0:0:0/96"),  # IPv4-translated, RFC 2765: within one network
)


def is_public(text: str) -> bool:
    """Tell whether text is an IP address of the public internet; False for any other text."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if "%" in text or not address.is_global or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    if any(address in network for network in _REFUSED):
        return False
    return all(
        is_public(str(ipaddress.IPv4Address(address.packed[start : start + 4])))
        for network, start in _EMBEDDED
        if address in network
    )
