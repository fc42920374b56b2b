"""Requests for content, parsed from what a client would send."""

from gateway.protocol.request import GatewayRequest, parse_request

HELLO = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
"""The CID of `hello world` as a raw block."""


def make_request(
    target: str = f"/ipfs/{HELLO}", query: str = "", method: str = "GET", **fields: str
) -> GatewayRequest:
    """Parse a request; header fields are keywords, with `_` for `-` (`range_` for Range)."""
    headers = [
        (name.rstrip("_").replace("_", "-").encode("ascii"), value.encode("latin-1"))
        for name, value in fields.items()
    ]
    request = parse_request(method, target.encode("ascii"), query.encode("ascii"), headers)
    assert isinstance(request, GatewayRequest)
    return request
