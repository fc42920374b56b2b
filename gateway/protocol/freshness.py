"""How long caches may keep an answer: `Cache-Control` of immutable and of mutable content.

https://specs.ipfs.tech/http-gateways/path-gateway/#cache-control-response-header
"""

from typing import Final, NamedTuple

# path-gateway.md: content of an immutable path does not change; 29030400 s are 48 weeks.
_IMMUTABLE: Final = b"public, max-age=29030400, immutable"
# boxo: a page may change with an upgrade; a week, then a month while caches revalidate it.
_WHILE_ASKING: Final = b"stale-while-revalidate=2678400"


class Freshness(NamedTuple):
    """Values of `Cache-Control`; empty ones leave the field out."""

    content: bytes
    """For content, which is the same from every gateway."""
    generated: bytes
    """For pages that the gateway generates."""


IMMUTABLE: Final = Freshness(_IMMUTABLE, b"public, max-age=604800, " + _WHILE_ASKING)
UNKNOWN: Final = Freshness(b"", b"")
"""No `Cache-Control`: the specification leaves it out when no TTL is known."""


def mutable_freshness(ttl_s: float | None) -> Freshness:
    """Return the freshness of the content that a name points to.

    Args:
        ttl_s: seconds for which the name's target may be cached; None when it is not known.
    """
    if ttl_s is None:
        return UNKNOWN
    content = b"public, max-age=%d" % max(0, int(ttl_s))
    return Freshness(content, content + b", " + _WHILE_ASKING)
