import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.conditional import (
    ConditionalVerdict,
    evaluate,
    format_date,
    is_range_current,
    matches_any,
    matches_strongly,
    parse_date,
)
from tests.fakes.gateway_requests import make_request

ETAG = '"bafy"'
MTIME = 784111777
SAME = "Sun, 06 Nov 1994 08:49:37 GMT"  # the date of the examples in RFC 9110
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Fri, 31 Dec 9999 23:59:59 GMT"


@pytest.mark.parametrize(
    ("header", "etag", "expected"),
    [
        pytest.param('"bafy"', ETAG, True, id="same"),
        pytest.param('W/"bafy"', ETAG, True, id="weak-against-strong"),
        pytest.param('"bafy"', 'W/"bafy"', True, id="strong-against-weak"),
        pytest.param('W/"bafy"', 'W/"bafy"', True, id="weak-against-weak"),
        pytest.param('"a", "b", "bafy"', ETAG, True, id="third-of-a-list"),
        pytest.param('"a",W/"bafy"', ETAG, True, id="list-without-spaces"),
        pytest.param(" * ", ETAG, True, id="star"),
        pytest.param("bafy", ETAG, True, id="no-quotes"),
        pytest.param('"other"', ETAG, False, id="other"),
        pytest.param('"bafy.raw"', ETAG, False, id="longer"),
        pytest.param('"x*"', ETAG, False, id="star-inside"),
        pytest.param('"baf', ETAG, False, id="cut"),
        pytest.param('"' * 8000, ETAG, False, id="8-kB-of-quotes"),
        pytest.param('"DirIndex-a_CID-x"', '"DirIndex-b_CID-x"', False, id="other-template"),
    ],
)
def test_if_none_match_compares_weakly(header: str, etag: str, expected: bool) -> None:  # noqa: FBT001
    assert matches_any(header, etag) is expected


@pytest.mark.parametrize(
    ("header", "etag", "expected"),
    [
        pytest.param('"bafy"', ETAG, True, id="same"),
        pytest.param('"a", "bafy"', ETAG, True, id="list"),
        pytest.param("*", 'W/"bafy"', True, id="star"),
        pytest.param('W/"bafy"', ETAG, False, id="weak-against-strong"),
        pytest.param('W/"bafy"', 'W/"bafy"', False, id="weak-against-weak"),
        pytest.param('"other"', ETAG, False, id="other"),
        pytest.param("bafy", ETAG, False, id="no-quotes"),
    ],
)
def test_if_match_compares_strongly(header: str, etag: str, expected: bool) -> None:  # noqa: FBT001
    assert matches_strongly(header, etag) is expected


@pytest.mark.parametrize(
    ("if_range", "etag", "expected"),
    [
        pytest.param("", ETAG, True, id="absent"),
        pytest.param(ETAG, ETAG, True, id="strong-match"),
        pytest.param('W/"bafy"', ETAG, False, id="weak"),
        pytest.param('W/"bafy"', 'W/"bafy"', False, id="both-weak"),
        pytest.param('"other"', ETAG, False, id="other"),
        pytest.param('"bafy", "x"', ETAG, False, id="list"),
        pytest.param(SAME, ETAG, False, id="date"),
        pytest.param("\x00garbage", ETAG, False, id="garbage"),
    ],
)
def test_if_range_takes_only_a_strong_match(if_range: str, etag: str, expected: bool) -> None:  # noqa: FBT001
    assert is_range_current(if_range, etag) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(SAME, MTIME, id="imf-fixdate"),
        pytest.param("Sunday, 06-Nov-94 08:49:37 GMT", MTIME, id="rfc-850"),
        pytest.param("Sun Nov  6 08:49:37 1994", MTIME, id="asctime"),
        pytest.param("Thu, 01 Jan 1970 00:00:00 GMT", 0, id="epoch"),
        pytest.param(AFTER, 253402300799, id="year-9999"),
        pytest.param("Thu, 99 Foo", None, id="nonsense"),
        pytest.param("Sun, 31 Feb 1994 08:49:37 GMT", None, id="no-such-day"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 +99999999999999", None, id="no-such-zone"),
        pytest.param("", None, id="empty"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT" + " " * 8000, None, id="8-kB"),
    ],
)
def test_parse_date(text: str, expected: int | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.property
@given(st.text(max_size=64))
def test_parse_date_never_raises(text: str) -> None:
    assert parse_date(text) is None or isinstance(parse_date(text), float)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(MTIME, SAME.encode(), id="usual"),
        pytest.param(0, b"Thu, 01 Jan 1970 00:00:00 GMT", id="epoch"),
        pytest.param(253402300799, AFTER.encode(), id="last"),
        pytest.param(253402300800, None, id="year-10000"),
        pytest.param(2**63 - 1, None, id="largest"),
        pytest.param(-1, None, id="before-the-epoch"),
    ],
)
def test_format_date(seconds: int, expected: bytes | None) -> None:
    assert format_date(seconds) == expected


@pytest.mark.parametrize(
    ("fields", "mtime", "expected"),
    [
        pytest.param({}, MTIME, ConditionalVerdict.GO_ON, id="no-condition"),
        pytest.param({"if_none_match": ETAG}, None, ConditionalVerdict.NOT_MODIFIED, id="same-tag"),
        pytest.param({"if_none_match": '"x"'}, None, ConditionalVerdict.GO_ON, id="other-tag"),
        pytest.param(
            {"if_modified_since": SAME}, MTIME, ConditionalVerdict.NOT_MODIFIED, id="since-same"
        ),
        pytest.param(
            {"if_modified_since": AFTER}, MTIME, ConditionalVerdict.NOT_MODIFIED, id="since-later"
        ),
        pytest.param(
            {"if_modified_since": BEFORE}, MTIME, ConditionalVerdict.GO_ON, id="since-before"
        ),
        pytest.param({"if_modified_since": AFTER}, None, ConditionalVerdict.GO_ON, id="no-mtime"),
        pytest.param(
            {"if_modified_since": "Thu, 99 Foo"}, MTIME, ConditionalVerdict.GO_ON, id="no-date"
        ),
        pytest.param(
            {"if_none_match": '"x"', "if_modified_since": AFTER},
            MTIME,
            ConditionalVerdict.GO_ON,
            id="tag-over-date",
        ),
        pytest.param({"if_match": ETAG}, None, ConditionalVerdict.GO_ON, id="if-match-holds"),
        pytest.param({"if_match": '"x"'}, None, ConditionalVerdict.FAILED, id="if-match-fails"),
        pytest.param(
            {"if_match": '"x"', "if_none_match": ETAG},
            None,
            ConditionalVerdict.FAILED,
            id="if-match-first",
        ),
        pytest.param(
            {"if_unmodified_since": SAME}, MTIME, ConditionalVerdict.GO_ON, id="unmodified-holds"
        ),
        pytest.param(
            {"if_unmodified_since": BEFORE}, MTIME, ConditionalVerdict.FAILED, id="unmodified-fails"
        ),
        pytest.param(
            {"if_unmodified_since": BEFORE}, None, ConditionalVerdict.GO_ON, id="unmodified-unknown"
        ),
        pytest.param(
            {"if_match": ETAG, "if_unmodified_since": BEFORE},
            MTIME,
            ConditionalVerdict.GO_ON,
            id="if-match-over-unmodified",
        ),
    ],
)
def test_evaluate(fields: dict[str, str], mtime: int | None, expected: ConditionalVerdict) -> None:
    assert evaluate(make_request(**fields), ETAG, mtime) is expected
