from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cid import parse_cid
from gateway.protocol.headers import (
    CORS,
    cache_status,
    header_text,
    location_text,
    mark_stale,
    roots_text,
    server_timing,
)

V0 = "QmYzfKSE55XCjD1MW128RfciAf2DViABhEiXfgVFMabSjN"
V1 = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"


def test_cors_fields_are_those_of_the_deployed_gateways() -> None:
    assert dict(CORS) == {
        b"access-control-allow-origin": b"*",
        b"access-control-allow-methods": b"GET, HEAD, OPTIONS",
        b"access-control-allow-headers": b"Content-Type, Range, User-Agent, X-Requested-With",
        b"access-control-expose-headers": b"Content-Length, Content-Range, X-Chunked-Output, "
        b"X-Stream-Output, X-Ipfs-Path, X-Ipfs-Roots",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"/ipfs/{V0}/a b+c/", f"/ipfs/{V0}/a b+c/".encode(), id="printable-ascii"),
        pytest.param("/\u0105\u0119.txt", b"/%C4%85%C4%99.txt", id="utf-8"),
        pytest.param("/100%", b"/100%25", id="percent"),
        pytest.param("/a\r\nSet-Cookie: x", b"/a%0D%0ASet-Cookie: x", id="header-injection"),
        pytest.param("\x7f\u202e", b"%7F%E2%80%AE", id="not-printable"),
    ],
)
def test_header_text(text: str, expected: bytes) -> None:
    assert header_text(text) == expected


@pytest.mark.property
@given(st.text(max_size=60))
def test_header_text_is_printable_and_can_be_undone(text: str) -> None:
    written = header_text(text).decode("ascii")
    assert written.isprintable()
    assert unquote(written, errors="strict") == text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(b"/ipfs/a%c4%85/?x=%2f&y=1", b"/ipfs/a%C4%85/?x=%2F&y=1", id="upper-case"),
        pytest.param(b"/a\r\nSet-Cookie: x", b"/a%0D%0ASet-Cookie:%20x", id="header-injection"),
        pytest.param(b"/\xff\xc4\x85", b"/%FF%C4%85", id="raw-bytes"),
        pytest.param(b'/a"<b>\\', b"/a%22%3Cb%3E%5C", id="markup"),
    ],
)
def test_location_text(url: bytes, expected: bytes) -> None:
    assert location_text(url) == expected


def test_roots_text_is_joined_without_spaces() -> None:
    assert roots_text([parse_cid(V0), parse_cid(V1)]) == f"{V0},{V1}".encode()


@pytest.mark.parametrize(
    ("tiers", "fetched", "status", "word"),
    [
        pytest.param((), 1, b"fwd=miss", b"MISS", id="miss"),
        pytest.param(("disk",), 3, b"fwd=partial", b"PARTIAL", id="partial"),
        pytest.param(("memory",), 0, b"hit; detail=memory", b"HIT", id="memory"),
        pytest.param(("memory", "disk"), 0, b"hit; detail=disk", b"HIT", id="slowest-tier"),
        pytest.param(("hot",), 0, b"hit; detail=hot", b"HIT", id="finished-answer"),
        pytest.param((), 0, b"hit", b"HIT", id="all-in-the-cid"),
    ],
)
def test_cache_status(tiers: tuple[str, ...], fetched: int, status: bytes, word: bytes) -> None:
    assert cache_status(tiers, fetched) == (
        (b"cache-status", b"ipfs-gateway; " + status),
        (b"x-cache-status", word),
    )


def test_server_timing() -> None:
    field = server_timing([("resolve", 0.0123), ("fetch", 3.0)])
    assert field == (b"server-timing", b"resolve;dur=12.3, fetch;dur=3000.0")


def test_a_stale_name_is_told_to_operators_only() -> None:
    fields = cache_status(("memory",), 0)
    assert mark_stale(fields) == (fields[0], (b"x-cache-status", b"STALE"))
