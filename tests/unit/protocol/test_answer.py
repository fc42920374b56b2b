from collections.abc import Callable

import pytest

from gateway.content.cid import parse_cid
from gateway.errors import PreconditionFailed
from gateway.protocol.answer import (
    NO_BODY,
    OPTIONS,
    Answer,
    BodyBytes,
    BodyCar,
    BodyListing,
    BodyTar,
    Source,
    cached_answer,
    car_answer,
    check_preconditions,
    ipfs_path,
    listing_answer,
    redirect_answer,
    source_fields,
    symlink_answer,
    tar_answer,
)
from gateway.protocol.freshness import IMMUTABLE, UNKNOWN
from gateway.protocol.headers import CORS, Headers
from gateway.protocol.redirects import Redirect
from gateway.protocol.request import GatewayRequest
from tests.fakes.gateway_requests import HELLO, make_request

CID = parse_cid(HELLO)
ETAG = f'"{HELLO}"'
SOURCE = Source(ETAG.encode(), (CID, CID))
Make = Callable[[GatewayRequest], Answer]
PAGE: Headers = ((b"content-security-policy", b"default-src 'none'"),)


def fields_of(answer: Answer) -> dict[bytes, bytes]:
    fields = dict(answer.headers)
    assert len(fields) == len(answer.headers)
    return fields


def has_cors(answer: Answer) -> bool:
    return set(CORS) <= set(answer.headers)


def test_source_fields_name_the_content() -> None:
    request = make_request(f"/ipfs/{HELLO}/a%20b/")
    assert source_fields(request, SOURCE) == (
        *CORS,
        (b"etag", ETAG.encode()),
        (b"x-ipfs-path", f"/ipfs/{HELLO}/a b/".encode()),
        (b"x-ipfs-roots", f"{HELLO},{HELLO}".encode()),
        (b"cache-control", IMMUTABLE.content),
    )


def test_source_fields_leave_out_an_empty_cache_control() -> None:
    fields = source_fields(make_request()._replace(freshness=UNKNOWN), SOURCE)
    assert b"cache-control" not in dict(fields)


@pytest.mark.parametrize(
    ("mtime", "expected"),
    [(0, b"Thu, 01 Jan 1970 00:00:00 GMT"), (2**62, None), (None, None)],
    ids=["epoch", "unwritable", "unknown"],
)
def test_source_fields_have_the_date_that_unixfs_has(
    mtime: int | None, expected: bytes | None
) -> None:
    fields = dict(source_fields(make_request(), SOURCE._replace(mtime=mtime)))
    assert fields.get(b"last-modified") == expected


@pytest.mark.parametrize(
    ("target", "query", "accept", "expected"),
    [
        pytest.param(
            f"/ipfs/{HELLO}", "", "application/vnd.ipld.raw", f"/ipfs/{HELLO}?format=raw", id="raw"
        ),
        pytest.param(
            f"/ipfs/{HELLO}/%c4%85/",
            "format=zip&filename=%c4%85",
            "application/vnd.ipld.raw",
            f"/ipfs/{HELLO}/%C4%85/?format=raw&format=zip&filename=%C4%85",
            id="query-kept",
        ),
        pytest.param(
            f"/ipfs/{HELLO}", "", "application/json", f"/ipfs/{HELLO}?format=json", id="json"
        ),
        pytest.param(
            f"/ipfs/{HELLO}",
            "",
            "application/vnd.ipld.car;dups=y",
            f"/ipfs/{HELLO}?format=car&car-version=1&car-order=dfs&car-dups=y",
            id="car",
        ),
        pytest.param(
            f"/ipfs/{HELLO}",
            "",
            "application/vnd.ipld.car",
            f"/ipfs/{HELLO}?format=car&car-version=1&car-order=dfs&car-dups=n",
            id="car-without-dups",
        ),
    ],
)
def test_a_format_from_accept_is_told_to_caches(
    target: str, query: str, accept: str, expected: str
) -> None:
    fields = dict(source_fields(make_request(target, query, accept=accept), SOURCE))
    assert fields[b"content-location"] == expected.encode()
    assert fields[b"vary"] == b"Accept"


def test_a_format_in_the_url_needs_no_content_location() -> None:
    fields = dict(source_fields(make_request(query="format=raw"), SOURCE))
    assert not {b"content-location", b"vary"} & set(fields)


def test_ipfs_path_keeps_the_root_as_it_was_written() -> None:
    written = "F01551220B94D27B9934D3E08A52E52D7DA7DABFAC484EFE37A5380EE9088F7ACE2EFCDE9"
    assert ipfs_path(make_request(f"/ipfs/{written}/x")) == f"/ipfs/{written}/x".encode()


def test_preconditions_that_hold_go_on() -> None:
    assert check_preconditions(make_request(if_none_match='"x"'), SOURCE) is None


def test_an_unchanged_answer_has_the_fields_of_the_source_alone() -> None:
    request = make_request(if_none_match=f'W/"{HELLO}"')
    unchanged = check_preconditions(request, SOURCE)
    assert unchanged == Answer(304, source_fields(request, SOURCE), NO_BODY)


def test_a_failed_precondition_is_an_error() -> None:
    with pytest.raises(PreconditionFailed, match=HELLO):
        check_preconditions(make_request(if_match='"x"'), SOURCE)


def test_listing_answer() -> None:
    source = SOURCE._replace(is_generated=True)
    answer = listing_answer(make_request(), source, PAGE)
    fields = fields_of(answer)
    assert (answer.status, answer.body) == (200, BodyListing())
    assert fields[b"content-type"] == b"text/html"
    assert fields[b"cache-control"] == b"public, max-age=604800, stale-while-revalidate=2678400"
    assert fields[b"content-security-policy"] == b"default-src 'none'"
    assert b"content-length" not in fields
    assert has_cors(answer)


def test_symlink_answer_is_the_target_whatever_the_range() -> None:
    answer = symlink_answer(make_request(range_="bytes=1-"), SOURCE, b"../x")
    fields = fields_of(answer)
    assert (answer.status, answer.body) == (200, BodyBytes(b"../x"))
    assert (fields[b"content-type"], fields[b"content-length"]) == (b"inode/symlink", b"4")


@pytest.mark.parametrize(
    ("target", "query", "accept", "name", "dups"),
    [
        pytest.param(f"/ipfs/{HELLO}", "format=car", "", f"{HELLO}.car", b"n", id="root"),
        pytest.param(f"/ipfs/{HELLO}/a/b", "format=car", "", f"{HELLO}_b.car", b"n", id="path"),
        pytest.param(
            f"/ipfs/{HELLO}", "format=car&filename=x.car&car-dups=y", "", "x.car", b"y", id="asked"
        ),
    ],
)
def test_car_answer(target: str, query: str, accept: str, name: str, dups: bytes) -> None:
    answer = car_answer(make_request(target, query, accept=accept, range_="bytes=0-1"), SOURCE)
    fields = fields_of(answer)
    assert (answer.status, answer.body) == (200, BodyCar())
    assert (
        fields[b"content-type"] == b"application/vnd.ipld.car; version=1; order=dfs; dups=" + dups
    )
    assert fields[b"content-disposition"].startswith(f'attachment; filename="{name}"; '.encode())
    assert fields[b"accept-ranges"] == b"none"
    assert fields[b"x-content-type-options"] == b"nosniff"
    assert b"content-length" not in fields


@pytest.mark.parametrize(
    ("query", "name"), [("", f"{HELLO}.tar"), ("filename=x", "x")], ids=["cid", "asked"]
)
def test_tar_answer(query: str, name: str) -> None:
    answer = tar_answer(make_request(query=query, range_="bytes=0-1"), SOURCE)
    fields = fields_of(answer)
    assert (answer.status, answer.body) == (200, BodyTar())
    assert fields[b"content-type"] == b"application/x-tar"
    assert fields[b"content-disposition"].startswith(f'attachment; filename="{name}"; '.encode())
    assert fields[b"accept-ranges"] == b"none"
    assert fields[b"x-content-type-options"] == b"nosniff"
    assert b"content-length" not in fields


@pytest.mark.parametrize(
    "make",
    [
        lambda request: listing_answer(request, SOURCE, PAGE),
        lambda request: symlink_answer(request, SOURCE, b"x"),
        lambda request: car_answer(request, SOURCE),
        lambda request: tar_answer(request, SOURCE),
    ],
    ids=["listing", "symlink", "car", "tar"],
)
class TestEveryKind:
    def test_head_has_the_headers_of_get_and_no_body(self, make: Make) -> None:
        head, get = make(make_request(method="HEAD")), make(make_request())
        assert (head.status, head.headers, head.body) == (200, get.headers, NO_BODY)

    def test_a_known_etag_gives_304(self, make: Make) -> None:
        assert make(make_request(if_none_match="*")).status == 304


def test_cached_answer_says_only_that_it_is_here() -> None:
    answer = cached_answer(make_request(method="HEAD"))
    assert answer.status == 200
    assert fields_of(answer)[b"cache-control"] == b"no-store"
    assert has_cors(answer)


def test_redirect_answer() -> None:
    answer = redirect_answer(Redirect(b"/ipfs/x/", 302), ((b"x-extra", b"1"),))
    fields = fields_of(answer)
    assert (answer.status, answer.body) == (302, NO_BODY)
    assert (fields[b"location"], fields[b"content-length"]) == (b"/ipfs/x/", b"0")
    assert fields[b"x-extra"] == b"1"
    assert has_cors(answer)


def test_options_answer_is_the_same_for_everybody() -> None:
    assert OPTIONS.status == 200
    assert fields_of(OPTIONS)[b"allow"] == b"GET, HEAD, OPTIONS"
    assert has_cors(OPTIONS)


def test_plus_adds_fields() -> None:
    more = OPTIONS.plus(((b"x-extra", b"1"),))
    assert more.headers == (*OPTIONS.headers, (b"x-extra", b"1"))
    assert (more.status, more.body) == (OPTIONS.status, OPTIONS.body)
