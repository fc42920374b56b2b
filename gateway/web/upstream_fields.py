"""The response fields about upstreams: `Server-Timing` and `X-Ipfs-Upstream`."""

from collections.abc import Sequence
from typing import Final

from gateway.ports import Choice
from gateway.protocol.headers import Header, server_timing

MAX_CHOICES: Final = 8  # listed in one field; the log has the others


def timing_field(total_s: float, fetch_s: float, choices: Sequence[Choice]) -> Header:
    """Return `Server-Timing`: total time, time spent on upstreams, and the chosen upstream.

    Args:
        total_s: seconds from the request to the head of the answer.
        fetch_s: seconds of it spent waiting for upstreams.
        choices: the chosen upstreams in order; the last one and its reason are named.
    """
    name, value = server_timing((("total", total_s),))
    if not choices:
        return name, value
    _, fetch = server_timing((("fetch", fetch_s),))
    last = choices[-1]  # the upstream that delivered, unless the body comes from several
    return name, b'%b, %b;desc="%b %b"' % (
        value,
        fetch,
        last.upstream.encode(),
        last.reason.encode(),
    )


def debug_field(choices: Sequence[Choice]) -> Header:
    """Return `X-Ipfs-Upstream`: each choice in order, with its reason and the measures used."""
    listed = ", ".join(_describe(choice) for choice in choices[:MAX_CHOICES])
    return b"x-ipfs-upstream", listed.encode()


def _describe(choice: Choice) -> str:
    parts = [choice.upstream, f"reason={choice.reason}"]
    if choice.distance_km is not None:
        parts.append(f"distance-km={choice.distance_km:.0f}")
    if choice.ttfb_ms is not None:
        parts.append(f"ttfb-ms={choice.ttfb_ms:.1f}")
    parts.append(f"in-flight={choice.in_flight}")
    return "; ".join(parts)
