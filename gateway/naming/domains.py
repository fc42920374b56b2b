"""Rules for the domains that may be looked up in the DNS. Pure."""

from collections.abc import Iterable
from typing import Final

SPECIAL: Final = frozenset(
    {
        "localhost",  # RFC 6761, 6.3
        "test",  # RFC 6761, 6.2
        "invalid",  # RFC 6761, 6.4
        "local",  # RFC 6762, 3
        "onion",  # RFC 7686, 2
        "arpa",  # RFC 8375 (home.arpa), RFC 6761, 6.1 (addresses): no DNSLinks are there
        "alt",  # RFC 9476, 2
        "internal",  # ICANN, resolution 2024.07.29.06
    }
)
"""Top-level labels that are not in the public DNS: a lookup would reveal names of a private network
to a public server."""

ANY: Final = "*"


class AllowedDomains:
    """The domains of a list of patterns: `example.com`, `*.example.com` (not itself) or `*`."""

    def __init__(self, patterns: Iterable[str]) -> None:
        names = {pattern.lower().removesuffix(".") for pattern in patterns}
        self._is_any = ANY in names
        self._parents = {name.removeprefix("*.") for name in names if name.startswith("*.")}
        self._names = names

    def __contains__(self, domain: str) -> bool:
        if self._is_any or domain in self._names:
            return True
        labels = domain.split(".")
        return any(".".join(labels[i:]) in self._parents for i in range(1, len(labels)))


def is_special(domain: str) -> bool:
    """Tell whether a domain lies below a label that is not in the public DNS."""
    return domain.rpartition(".")[2] in SPECIAL
