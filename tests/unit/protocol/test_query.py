import pytest

from gateway.errors import BadRequest
from gateway.protocol.query import MAX_PARAMETERS, MAX_QUERY_BYTES, parse_query
from tests.refusal import check_refused


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(b"", {}, id="empty"),
        pytest.param(b"format=car", {"format": "car"}, id="one"),
        pytest.param(b"format=car&format=raw", {"format": "car"}, id="first-wins"),
        pytest.param(b"format=&format=raw", {"format": ""}, id="first-wins-though-empty"),
        pytest.param(b"format", {"format": ""}, id="no-equals-sign"),
        pytest.param(b"&&format=raw&", {"format": "raw"}, id="empty-pairs"),
        pytest.param(b"FORMAT=raw&v=%ff&=x", {}, id="unknown-names-are-not-decoded"),
        pytest.param(b"filename=a+b%2Bc%26d%3De.txt", {"filename": "a b+c&d=e.txt"}, id="escapes"),
        pytest.param(b"filename=%E2%82%AC=1", {"filename": "\u20ac=1"}, id="utf-8-and-equals"),
        pytest.param(b"filename=100%zz", {"filename": "100%zz"}, id="bad-escape-stays"),
        pytest.param(b"format=%252e", {"format": "%2e"}, id="decoded-once"),
    ],
)
def test_parse_query(query: bytes, expected: dict[str, str]) -> None:
    assert parse_query(query) == expected


def test_parse_query_looks_at_a_bounded_number_of_parameters() -> None:
    noise = b"v=1&" * (MAX_PARAMETERS - 1)
    assert parse_query(noise + b"format=raw") == {"format": "raw"}
    assert parse_query(b"v=1&" + noise + b"format=raw") == {}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param(b"v" * (MAX_QUERY_BYTES + 1), "8193 bytes are more than 8192", id="too-long"),
        pytest.param(b"filename=%ff", "filename: the value is not UTF-8", id="not-utf-8"),
        pytest.param(b"format=\xc0\xae", "format: the value is not UTF-8", id="overlong-utf-8"),
    ],
)
def test_parse_query_refuses(query: bytes, reason: str) -> None:
    check_refused(BadRequest, reason, parse_query, query)


def test_parse_query_takes_as_much_as_it_promises() -> None:
    assert parse_query(b"v" * MAX_QUERY_BYTES) == {}
