from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.walk import Scope
from gateway.errors import BadPath, BadRequest, GatewayError, MethodNotAllowed
from gateway.protocol.car import DEFAULT_CAR, CarParams
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.redirects import Redirect
from gateway.protocol.request import GatewayRequest, accepts_html, collapse_target, parse_request
from tests.fakes.gateway_requests import HELLO, make_request
from tests.refusal import check_refused


def test_a_plain_request() -> None:
    request = make_request(f"/ipfs/{HELLO}/a%20b/c.txt")
    assert request.path.segments == ("a b", "c.txt")
    assert request.format is ResponseFormat.UNIXFS
    assert request.car is DEFAULT_CAR
    flags = (
        request.is_head,
        request.format_from_accept,
        request.download,
        request.wants_html,
        request.only_if_cached,
    )
    assert flags == (False,) * 5


def test_every_field_is_picked() -> None:
    request = make_request(
        method="HEAD",
        query="filename=a+b.txt&download=true",
        accept="text/html, application/vnd.ipld.raw",
        if_match='"1"',
        if_none_match='"2"',
        if_modified_since="3",
        if_unmodified_since="4",
        if_range='"5"',
        range_="bytes=0-1",
        cache_control="only-if-cached",
        cookie="ignored",
    )
    assert request.is_head
    assert (request.filename, request.download) == ("a b.txt", True)
    assert (request.format, request.format_from_accept) == (ResponseFormat.RAW, True)
    assert request.wants_html
    assert request.only_if_cached
    assert request.query == "filename=a+b.txt&download=true"
    assert (request.if_match, request.if_none_match, request.if_range) == ('"1"', '"2"', '"5"')
    assert (request.if_modified_since, request.if_unmodified_since) == ("3", "4")
    assert request.range_header == "bytes=0-1"


def test_car_parameters_come_from_the_url_and_from_accept() -> None:
    request = make_request(
        query="format=car&entity-bytes=0:9", accept="application/vnd.ipld.car;dups=y"
    )
    assert request.car == CarParams(Scope.ENTITY, 0, 10, dups=True)


def test_car_parameters_mean_nothing_to_other_formats() -> None:
    assert make_request(query="dag-scope=foo&car-version=9").car is DEFAULT_CAR


def test_fields_that_stand_there_twice_are_joined() -> None:
    headers = [(b"if-none-match", b'"a"'), (b"host", b"x"), (b"if-none-match", b'"b"')]
    request = parse_request("GET", f"/ipfs/{HELLO}".encode(), b"", headers)
    assert isinstance(request, GatewayRequest)
    assert request.if_none_match == '"a", "b"'


@pytest.mark.parametrize("method", ["get", "POST", "PUT", "PURGE", "TRACE", "CONNECT", "X" * 8000])
def test_other_methods_are_refused_before_anything_else(method: str) -> None:
    check_refused(MethodNotAllowed, "reads only", parse_request, method, b"nonsense", b"", [])


@pytest.mark.parametrize(
    "target",
    [f"http://evil.example/ipfs/{HELLO}", f"HTTPS://[::1]:80/ipfs/{HELLO}", f"/ipfs/{HELLO}"],
)
def test_absolute_form_is_taken_and_its_host_forgotten(target: str) -> None:
    assert str(make_request(target).path) == f"/ipfs/{HELLO}"


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("@evil", id="at"),
        pytest.param(f"ipfs/{HELLO}", id="no-slash"),
        pytest.param("*", id="star"),
        pytest.param("", id="empty"),
        pytest.param("ftp://x/ipfs/", id="other-scheme"),
        pytest.param("http://evil.example", id="absolute-without-path"),
        pytest.param("/ipfs/nonsense", id="no-cid"),
        pytest.param(f"/ipfs/{HELLO}/../../x", id="above-the-root"),
        pytest.param("/ipfs/%ff", id="not-utf-8"),
        pytest.param(f"/ipfs/{HELLO}/a#b", id="fragment"),
        pytest.param(f"/ipfs/{HELLO}" + "/a" * 1000, id="1000-segments"),
        pytest.param("/ipfs/", id="nothing"),
    ],
)
def test_bad_targets_are_refused(target: str) -> None:
    check_refused(BadPath, "invalid path", make_request, target)


def test_the_uri_of_a_protocol_handler_is_redirected() -> None:
    query = b"uri=" + quote(f"ipfs://{HELLO}/x", safe="").encode()
    assert parse_request("GET", b"/ipfs/", query, []) == Redirect(f"/ipfs/{HELLO}/x".encode())


@pytest.mark.parametrize("target", [f"/ipfs/ipfs/{HELLO}", f"/ipfs//ipfs/{HELLO}"])
def test_a_superfluous_namespace_is_redirected(target: str) -> None:
    assert parse_request("HEAD", target.encode(), b"", []) == Redirect(f"/ipfs/{HELLO}".encode())


@pytest.mark.parametrize(
    ("query", "value"),
    [("", "script"), ("x", "script"), ("", "SCRIPT"), ("", " Script ")],
    ids=["plain", "query", "capitals", "spaces"],
)
def test_service_workers_for_the_whole_gateway_are_refused(query: str, value: str) -> None:
    check_refused(
        BadRequest,
        "Service-Worker: registration at the root /ipfs/",
        make_request,
        query=query,
        service_worker=value,
    )


@pytest.mark.parametrize(
    ("target", "value"),
    [(f"/ipfs/{HELLO}/", "script"), (f"/ipfs/{HELLO}/sw.js", "script"), (f"/ipfs/{HELLO}", "no")],
)
def test_service_workers_of_one_site_are_allowed(target: str, value: str) -> None:
    assert make_request(target, service_worker=value).path.root_text == HELLO


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("only-if-cached", True),
        ("max-age=0, Only-If-Cached", True),
        ("no-cache,only-if-cached,no-store", True),
        (", ".join(["max-age=0"] * 100), False),
        ("no-only-if-cached", False),
        ("", False),
    ],
)
def test_only_if_cached(value: str, expected: bool) -> None:  # noqa: FBT001
    assert make_request(cache_control=value).only_if_cached is expected


def test_download_is_exactly_true() -> None:
    assert not make_request(query="download=1").download


@pytest.mark.parametrize(
    ("query", "error", "reason"),
    [
        pytest.param("format=car&dag-scope=foo", BadRequest, "dag-scope", id="car-parameter"),
        pytest.param("format=car&dag-scope=%ff", BadRequest, "dag-scope", id="not-utf-8"),
        pytest.param("x" * 9000, BadRequest, "query", id="too-long"),
    ],
)
def test_bad_parameters_are_refused(query: str, error: type[GatewayError], reason: str) -> None:
    check_refused(error, reason, make_request, query=query)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [("text/html", True), ("*/*;q=0.1, TEXT/HTML", True), ("*/*", False), ("", False)],
)
def test_accepts_html(accept: str, expected: bool) -> None:  # noqa: FBT001
    assert accepts_html(accept) is expected


@pytest.mark.property
@given(
    st.binary(max_size=60)
    | st.binary(max_size=20).map(lambda tail: f"/ipfs/{HELLO}".encode() + tail),
    st.binary(max_size=60)
    | st.binary(max_size=20).map(lambda tail: b"format=car&entity-bytes=" + tail),
    st.lists(
        st.tuples(st.sampled_from((b"accept", b"range", b"cache-control")), st.binary(max_size=40))
    ),
)
def test_any_bytes_are_a_request_a_redirect_or_our_error(
    target: bytes, query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    try:
        asked = parse_request("GET", target, query, headers)
    except GatewayError:
        return
    assert isinstance(asked, GatewayRequest | Redirect)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(b"/ipfs/a", b"/ipfs/a", id="as-it-is"),
        pytest.param(b"//ipfs//a", b"/ipfs//a", id="slashes"),
        pytest.param(b"/././/ipns/a", b"/ipns/a", id="dots"),
        pytest.param(b"/%2E/%2e/ipfs", b"/ipfs", id="escaped"),
        pytest.param(b"//ipfsx/a", b"//ipfsx/a", id="another-name"),
        pytest.param(b"//x/ipfs/a", b"//x/ipfs/a", id="something-between"),
        pytest.param(b"/../ipfs/a", b"/../ipfs/a", id="upwards"),
        pytest.param(b"/" * 8000 + b"x", b"/" * 8000 + b"x", id="many-slashes"),
    ],
)
def test_what_means_nothing_before_a_namespace_is_dropped(target: bytes, expected: bytes) -> None:
    assert collapse_target(target) == expected
