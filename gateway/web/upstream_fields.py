"""What clients are told of the upstreams that were asked for them."""

from collections.abc import Sequence
from typing import Final

from gateway.ports import Choice
from gateway.protocol.headers import Header, server_timing

MAX_CHOICES: Final = 8  # told in one field; a request that met more failures is in the log


def timing_field(total_s: float, fetch_s: float, choices: Sequence[Choice]) -> Header:
    """Return `Server-Timing`: the whole, and what upstreams took of it with who and why."""
    name, value = server_timing((("total", total_s),))
    if not choices:
        return name, value
    _, fetch = server_timing((("fetch", fetch_s),))
    last = choices[-1]  # the one that delivered, unless its body comes from several
    return name, b'%b, %b;desc="%b %b"' % (
        value,
        fetch,
        last.upstream.encode(),
        last.reason.encode(),
    )


def debug_field(choices: Sequence[Choice]) -> Header:
    """Return `X-Ipfs-Upstream`: each choice with its reason and the numbers behind it, in order."""
    told = ", ".join(_describe(choice) for choice in choices[:MAX_CHOICES])
    return b"x-ipfs-upstream", told.encode()


def _describe(choice: Choice) -> str:
    parts = [choice.upstream, f"reason={choice.reason}"]
    if choice.distance_km is not None:
        parts.append(f"distance-km={choice.distance_km:.0f}")
    if choice.ttfb_ms is not None:
        parts.append(f"ttfb-ms={choice.ttfb_ms:.1f}")
    parts.append(f"in-flight={choice.in_flight}")
    return "; ".join(parts)
