import email
import email.policy

import pytest

from gateway.content.cid import parse_cid
from gateway.errors import PreconditionFailed, RangeNotSatisfiable
from gateway.protocol.answer import NO_BODY, Answer, BodyFile, BodyParts, Source
from gateway.protocol.file_answer import cut, file_answer
from tests.fakes.gateway_requests import HELLO, make_request

ETAG = f'"{HELLO}"'
SOURCE = Source(ETAG.encode(), (parse_cid(HELLO),))
DATA = b"0123456789abcdefghijklmnopqrstuvwxyz"
PLAIN = b"text/plain; charset=utf-8"


def answer_file(**fields: str) -> Answer:
    return file_answer(make_request(**fields), SOURCE, len(DATA), PLAIN)


def field(answer: Answer, name: bytes) -> bytes | None:
    fields = dict(answer.headers)
    assert len(fields) == len(answer.headers)
    return fields.get(name)


def test_a_whole_file() -> None:
    answer = answer_file()
    assert (answer.status, answer.body) == (200, BodyFile(0, len(DATA)))
    assert field(answer, b"content-length") == b"36"
    assert field(answer, b"content-type") == PLAIN
    assert field(answer, b"accept-ranges") == b"bytes"
    assert field(answer, b"etag") == ETAG.encode()
    assert field(answer, b"content-disposition") is None


def test_head_of_a_file_has_the_headers_of_get() -> None:
    head = answer_file(method="HEAD")
    assert (head.status, head.headers, head.body) == (200, answer_file().headers, NO_BODY)


def test_head_ignores_a_range() -> None:
    """RFC 9110, 14.2: Range is defined for GET alone."""
    assert answer_file(method="HEAD", range_="bytes=1-2").status == 200


def test_an_empty_file() -> None:
    answer = file_answer(make_request(range_="bytes=0-1"), SOURCE, 0, PLAIN)
    assert (answer.status, answer.body) == (200, BodyFile(0, 0))
    assert field(answer, b"content-length") == b"0"


@pytest.mark.parametrize(
    ("range_", "content_range", "body"),
    [
        pytest.param("bytes=6-16", b"bytes 6-16/36", BodyFile(6, 17), id="inside"),
        pytest.param("bytes=-3", b"bytes 33-35/36", BodyFile(33, 36), id="suffix"),
        pytest.param("bytes=30-99", b"bytes 30-35/36", BodyFile(30, 36), id="clipped"),
        pytest.param("bytes=0-", b"bytes 0-35/36", BodyFile(0, 36), id="all-of-it"),
        pytest.param("bytes=1-2,99-", b"bytes 1-2/36", BodyFile(1, 3), id="one-of-two-outside"),
    ],
)
def test_one_range(range_: str, content_range: bytes, body: BodyFile) -> None:
    answer = answer_file(range_=range_)
    assert (answer.status, answer.body) == (206, body)
    assert field(answer, b"content-range") == content_range
    assert field(answer, b"content-length") == str(body.stop - body.start).encode()
    assert field(answer, b"content-type") == PLAIN
    assert field(answer, b"etag") == ETAG.encode()


def test_several_ranges_are_a_multipart_body_that_a_mime_parser_reads() -> None:
    answer = answer_file(range_="bytes=6-16,0-4")
    assert answer.status == 206
    assert isinstance(answer.body, BodyParts)
    body = cut(answer.body, DATA)
    assert field(answer, b"content-length") == str(len(body)).encode()
    assert field(answer, b"content-range") is None
    content_type = field(answer, b"content-type")
    assert content_type is not None
    message = email.message_from_bytes(
        b"Content-Type: " + content_type + b"\r\n\r\n" + body, policy=email.policy.HTTP
    )
    parts = list(message.iter_parts())
    assert [(part["Content-Range"], part.get_content()) for part in parts] == [
        ("bytes 6-16/36", "6789abcdefg"),
        ("bytes 0-4/36", "01234"),
    ]
    assert {part.get_content_type() for part in parts} == {"text/plain"}


@pytest.mark.parametrize(
    ("if_range", "status"),
    [
        pytest.param(ETAG, 206, id="strong"),
        pytest.param(f"W/{ETAG}", 200, id="weak"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT", 200, id="date"),
        pytest.param("garbage", 200, id="garbage"),
    ],
)
def test_if_range(if_range: str, status: int) -> None:
    assert answer_file(range_="bytes=0-1", if_range=if_range).status == status


def test_an_old_if_range_makes_even_a_bad_range_mean_nothing() -> None:
    assert answer_file(range_="bytes=99-", if_range='"old"').status == 200


def test_a_range_outside_is_an_error() -> None:
    with pytest.raises(RangeNotSatisfiable, match="36 bytes"):
        answer_file(range_="bytes=36-")


def test_preconditions_come_before_ranges() -> None:
    assert answer_file(range_="bytes=36-", if_none_match=ETAG).status == 304
    with pytest.raises(PreconditionFailed, match="precondition"):
        answer_file(range_="bytes=36-", if_match='"x"')


@pytest.mark.parametrize(
    ("target", "query", "expected"),
    [
        pytest.param(f"/ipfs/{HELLO}", "filename=a.txt", 'inline; filename="a.txt"', id="filename"),
        pytest.param(
            f"/ipfs/{HELLO}",
            "filename=a.txt&download=true",
            'attachment; filename="a.txt"',
            id="both",
        ),
        pytest.param(
            f"/ipfs/{HELLO}/x/b.txt",
            "download=true",
            'attachment; filename="b.txt"',
            id="last-name",
        ),
        pytest.param(
            f"/ipfs/{HELLO}", "download=true", f'attachment; filename="{HELLO}"', id="only-a-cid"
        ),
        pytest.param(
            f"/ipfs/{HELLO}/%0A",
            "download=true",
            f'attachment; filename="{HELLO}"',
            id="no-name-left",
        ),
    ],
)
def test_file_disposition(target: str, query: str, expected: str) -> None:
    answer = file_answer(make_request(target, query), SOURCE, 1, PLAIN)
    value = field(answer, b"content-disposition")
    assert value is not None
    assert value.startswith(expected.encode() + b"; filename*=UTF-8''")
