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


@pytest.mark.parametrize("value", [b"%E9.txt", b"\xc0\xae", b"%ed%a0%80"])
@pytest.mark.parametrize("name", ["filename", "download", "format", "go-get"])
def test_a_hint_that_cannot_be_read_is_dropped(name: str, value: bytes) -> None:
    """Issue 12, 15: the content was refused for it, with 400."""
    query = b"%b=%b&car-dups=y" % (name.encode(), value)
    assert parse_query(query) == {"car-dups": "y"}


@pytest.mark.parametrize("name", ["uri", "dag-scope", "entity-bytes", "car-dups"])
def test_a_value_that_says_what_is_sent_is_not_dropped(name: str) -> None:
    assert parse_query(name.encode() + b"=all%ff") == {name: "all\ufffd"}


def test_parse_query_looks_at_a_bounded_number_of_parameters() -> None:
    noise = b"v=1&" * (MAX_PARAMETERS - 1)
    assert parse_query(noise + b"format=raw") == {"format": "raw"}
    assert parse_query(b"v=1&" + noise + b"format=raw") == {}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param(b"v" * (MAX_QUERY_BYTES + 1), "8193 bytes are more than 8192", id="too-long"),
    ],
)
def test_parse_query_refuses(query: bytes, reason: str) -> None:
    check_refused(BadRequest, reason, parse_query, query)


def test_parse_query_takes_as_much_as_it_promises() -> None:
    assert parse_query(b"v" * MAX_QUERY_BYTES) == {}
