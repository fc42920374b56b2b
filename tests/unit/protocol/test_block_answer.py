import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.cid import (
    CBOR,
    DAG_CBOR,
    DAG_JSON,
    DAG_PB,
    JSON,
    LIBP2P_KEY,
    RAW,
    Cid,
    parse_cid,
    sha256_cid,
)
from gateway.errors import NotAcceptable, PreconditionFailed, RangeNotSatisfiable
from gateway.protocol.answer import NO_BODY, Answer, BodyBytes, Source
from gateway.protocol.block_answer import (
    block_answer,
    check_file_format,
    choose_block_format,
    preview_answer,
    require_default,
)
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.freshness import IMMUTABLE
from gateway.protocol.headers import Headers
from tests.fakes.gateway_requests import HELLO, make_request
from tests.refusal import check_refused

ETAG = f'"{HELLO}"'
CID = parse_cid(HELLO)
SOURCE = Source(ETAG.encode(), (CID,))
DATA = b"0123456789abcdefghijklmnopqrstuvwxyz"
PAGE: Headers = ((b"content-security-policy", b"default-src 'none'"),)
BROWSER = "text/html,*/*;q=0.8"


def cid_of(codec: int) -> Cid:
    return sha256_cid(codec, bytes(32))


def answer(format_: str = "raw", query: str = "", data: bytes = DATA, **fields: str) -> Answer:
    request = make_request(query=f"format={format_}&{query}", **fields)
    return block_answer(request, SOURCE, data, ResponseFormat(format_))


def field(answer: Answer, name: bytes) -> bytes:
    fields = dict(answer.headers)
    assert len(fields) == len(answer.headers)
    return fields.get(name, b"")


@pytest.mark.parametrize(
    ("asked", "codec", "expected"),
    [
        pytest.param("unixfs", DAG_JSON, "dag-json", id="dag-json-as-it-is"),
        pytest.param("unixfs", DAG_CBOR, "dag-cbor", id="dag-cbor-as-it-is"),
        pytest.param("unixfs", JSON, "json", id="json-as-it-is"),
        pytest.param("unixfs", CBOR, "cbor", id="cbor-as-it-is"),
        pytest.param("unixfs", DAG_PB, None, id="dag-pb-as-it-is"),
        pytest.param("unixfs", RAW, None, id="raw-as-it-is"),
        pytest.param("unixfs", LIBP2P_KEY, None, id="other-as-it-is"),
        pytest.param("dag-json", DAG_JSON, "dag-json", id="dag-json"),
        pytest.param("json", DAG_JSON, "json", id="dag-json-as-json"),
        pytest.param("json", JSON, "json", id="json"),
        pytest.param("dag-cbor", DAG_CBOR, "dag-cbor", id="dag-cbor"),
        pytest.param("cbor", DAG_CBOR, "cbor", id="dag-cbor-as-cbor"),
        pytest.param("cbor", CBOR, "cbor", id="cbor"),
        pytest.param("json", DAG_PB, None, id="a-file-may-be-json"),
        pytest.param("json", RAW, None, id="a-leaf-may-be-json"),
        pytest.param("cbor", RAW, None, id="a-leaf-may-be-cbor"),
    ],
)
def test_choose_block_format(asked: str, codec: int, expected: str | None) -> None:
    assert choose_block_format(ResponseFormat(asked), cid_of(codec)) == expected


@pytest.mark.parametrize(
    ("asked", "codec", "reason"),
    [
        pytest.param("dag-json", DAG_CBOR, "is dag-cbor, not dag-json", id="cbor-as-json"),
        pytest.param("dag-cbor", DAG_JSON, "is dag-json, not dag-cbor", id="json-as-cbor"),
        pytest.param("dag-json", JSON, "is json, not dag-json", id="plain-is-not-dag"),
        pytest.param("dag-cbor", CBOR, "is cbor, not dag-cbor", id="plain-cbor-is-not-dag"),
        pytest.param("json", DAG_CBOR, "is dag-cbor, not json", id="dag-cbor-as-json"),
        pytest.param("cbor", JSON, "is json, not cbor", id="plain-json-as-cbor"),
        pytest.param("dag-json", DAG_PB, "is dag-pb, not dag-json", id="file-as-dag-json"),
        pytest.param("dag-cbor", DAG_PB, "is dag-pb, not dag-cbor", id="file-as-dag-cbor"),
        pytest.param("dag-json", RAW, "is raw, not dag-json", id="leaf-as-dag-json"),
        pytest.param("json", 0x78, "is 0x78, not json", id="git"),
    ],
)
def test_no_codec_is_converted(asked: str, codec: int, reason: str) -> None:
    check_refused(NotAcceptable, reason, choose_block_format, ResponseFormat(asked), cid_of(codec))


def test_only_files_may_be_plain_formats() -> None:
    require_default(ResponseFormat.UNIXFS, CID)
    with pytest.raises(NotAcceptable, match="is not a file: it cannot be json"):
        require_default(ResponseFormat.JSON, CID)


def test_a_file_is_a_plain_format_by_its_type() -> None:
    check_file_format(ResponseFormat.UNIXFS, CID, b"image/png")
    check_file_format(ResponseFormat.JSON, CID, b"application/json")
    with pytest.raises(NotAcceptable, match="is not cbor, but image/png"):
        check_file_format(ResponseFormat.CBOR, CID, b"image/png")


@pytest.mark.parametrize(
    ("format_", "content_type", "disposition"),
    [
        pytest.param(
            "raw", "application/vnd.ipld.raw", f'attachment; filename="{HELLO}.bin"', id="raw"
        ),
        pytest.param(
            "dag-json",
            "application/vnd.ipld.dag-json",
            f'inline; filename="{HELLO}.json"',
            id="dag-json",
        ),
        pytest.param("json", "application/json", f'inline; filename="{HELLO}.json"', id="json"),
        pytest.param(
            "dag-cbor",
            "application/vnd.ipld.dag-cbor",
            f'attachment; filename="{HELLO}.cbor"',
            id="dag-cbor",
        ),
        pytest.param("cbor", "application/cbor", f'attachment; filename="{HELLO}.cbor"', id="cbor"),
    ],
)
def test_a_block_is_called_what_it_is_sent_as(
    format_: str, content_type: str, disposition: str
) -> None:
    found = answer(format_)

    assert (found.status, found.body) == (200, BodyBytes(DATA))
    assert field(found, b"content-type") == content_type.encode()
    assert field(found, b"content-disposition").startswith(disposition.encode())
    assert field(found, b"content-length") == b"36"
    assert field(found, b"accept-ranges") == b"bytes"
    assert field(found, b"x-content-type-options") == b"nosniff"
    assert field(found, b"vary") == b""


@pytest.mark.parametrize(
    ("query", "disposition"),
    [
        pytest.param("filename=x.txt", 'inline; filename="x.txt"', id="filename"),
        pytest.param("download=true", f'attachment; filename="{HELLO}.json"', id="download"),
    ],
)
def test_the_query_names_the_file(query: str, disposition: str) -> None:
    found = answer("dag-json", query)

    assert field(found, b"content-disposition").startswith(disposition.encode())


def test_what_browsers_get_otherwise_varies_by_accept() -> None:
    found = block_answer(make_request(), SOURCE, DATA, ResponseFormat.DAG_JSON)
    known = block_answer(make_request(if_none_match="*"), SOURCE, DATA, ResponseFormat.DAG_JSON)

    assert field(found, b"vary") == field(known, b"vary") == b"Accept"
    assert known.status == 304


def test_a_range_of_a_block() -> None:
    found = answer("dag-cbor", range_="bytes=6-16")

    assert (found.status, found.body) == (206, BodyBytes(DATA[6:17]))
    assert field(found, b"content-range") == b"bytes 6-16/36"


def test_several_ranges_of_a_block_are_parts() -> None:
    found = answer("json", range_="bytes=0-1,34-35")

    assert isinstance(found.body, BodyBytes)
    assert b"Content-Range: bytes 34-35/36\r\n\r\nyz" in found.body.data
    assert field(found, b"content-type").startswith(b"multipart/byteranges")


def test_head_and_304_of_a_block_have_no_body() -> None:
    assert answer(method="HEAD").headers == answer().headers
    assert answer(method="HEAD").body == NO_BODY
    known = answer(if_none_match=ETAG)
    assert (known.status, known.body) == (304, NO_BODY)


def test_a_failed_precondition_is_refused() -> None:
    with pytest.raises(PreconditionFailed, match="does not hold"):
        answer(if_match='"x"')


@pytest.mark.property
@given(st.binary(max_size=60), st.text("0123456789-,", max_size=20))
def test_the_length_is_that_of_the_body(data: bytes, specs: str) -> None:
    try:
        found = answer(data=data, range_=f"bytes={specs}")
    except RangeNotSatisfiable:
        return
    assert isinstance(found.body, BodyBytes)
    assert field(found, b"content-length") == str(len(found.body.data)).encode()


def test_a_preview_is_a_page_that_may_look_different_tomorrow() -> None:
    source = SOURCE._replace(is_generated=True)
    found = preview_answer(make_request(accept=BROWSER), source, PAGE, b"<html>")

    assert (found.status, found.body) == (200, BodyBytes(b"<html>"))
    assert field(found, b"content-type") == b"text/html"
    assert field(found, b"content-length") == b"6"
    assert field(found, b"cache-control") == IMMUTABLE.generated
    assert field(found, b"content-disposition") == b""
    assert field(found, b"vary") == b"Accept"
    assert set(PAGE) <= set(found.headers)


def test_head_and_304_of_a_preview_have_no_body() -> None:
    head = preview_answer(make_request(method="HEAD"), SOURCE, PAGE, b"<html>")
    known = preview_answer(make_request(if_none_match=ETAG), SOURCE, PAGE, b"<html>")

    assert (head.status, field(head, b"content-length"), head.body) == (200, b"6", NO_BODY)
    assert (known.status, field(known, b"vary"), known.body) == (304, b"Accept", NO_BODY)
