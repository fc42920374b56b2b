"""Which addresses strangers may send us to: those of the public internet only. Pure.

A router tells addresses of providers that anybody can announce. One that is private would have us
knock at the doors of our own network.
"""

import ipaddress
from typing import Final

_EMBEDDED: Final = (  # IPv6 that carries an IPv4 address, and where in its 16 bytes
    (ipaddress.ip_network("::ffff:0:0/96"), 12),  # mapped, RFC 4291
    (ipaddress.ip_network("::/96"), 12),  # compatible, RFC 4291
    (ipaddress.ip_network("64:ff9b::/96"), 12),  # NAT64, RFC 6052
    (ipaddress.ip_network("64:ff9b:1::/48"), 12),  # local NAT64, RFC 8215
    (ipaddress.ip_network("2002::/16"), 2),  # 6to4, RFC 3056
)
_REFUSED: Final = (  # which `ipaddress` takes for global
    ipaddress.ip_network("2001::/32"),  # Teredo, RFC 4380; the address is hidden in it
    ipaddress.ip_network("fec0::/10"),  # site-local, deprecated by RFC 3879, but routers know it
    ipaddress.ip_network("::ffff:0:0:0/96"),  # IPv4-translated, RFC 2765: within one network
)


def is_public(text: str) -> bool:
    """Tell whether an IP address is one of the public internet; False for what is no address."""
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
