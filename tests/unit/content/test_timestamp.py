"""Times as RFC 3339 has them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.timestamp import NS_PER_S, parse_timestamp_ns
from tests.refusal import check_refused

YEAR_9999_S = 253_402_300_799


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        pytest.param("1970-01-01T00:00:00Z", 0, id="epoch"),
        pytest.param("2023-11-14T22:13:20Z", 1_700_000_000 * NS_PER_S, id="seconds"),
        pytest.param("2023-11-14t22:13:20z", 1_700_000_000 * NS_PER_S, id="lower-case"),
        pytest.param("1970-01-01T00:00:00.5Z", 500_000_000, id="half"),
        pytest.param("1970-01-01T00:00:00.000000001Z", 1, id="nanosecond"),
        pytest.param("1970-01-01T00:00:00.0000000019Z", 1, id="beyond-nanoseconds"),
        pytest.param("1970-01-01T02:00:00+02:00", 0, id="east"),
        pytest.param("1969-12-31T18:30:00-05:30", 0, id="west"),
        pytest.param("1969-12-31T23:59:59.75Z", -250_000_000, id="before-the-epoch"),
        pytest.param("9999-12-31T23:59:59Z", YEAR_9999_S * NS_PER_S, id="last-second"),
        pytest.param(
            "9999-12-31T23:59:59-12:00", (YEAR_9999_S + 43_200) * NS_PER_S, id="year-10000-in-utc"
        ),
        pytest.param("0001-01-01T00:00:00Z", -62_135_596_800 * NS_PER_S, id="year-1"),
        pytest.param("0001-01-01T00:00:00+01:00", -62_135_600_400 * NS_PER_S, id="year-0-in-utc"),
    ],
)
def test_a_time_is_nanoseconds(text: str, nanoseconds: int) -> None:
    assert parse_timestamp_ns(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("2023-11-14", id="date-alone"),
        pytest.param("2023-11-14T22:13:20", id="local-time"),
        pytest.param("2023-11-14 22:13:20Z", id="space"),
        pytest.param("2023-11-14T22:13Z", id="no-seconds"),
        pytest.param("2016-12-31T23:59:60Z", id="leap-second"),
        pytest.param("2023-11-14T24:00:00Z", id="hour-24"),
        pytest.param("2023-02-29T00:00:00Z", id="no-such-day"),
        pytest.param("0000-01-01T00:00:00Z", id="year-0"),
        pytest.param("10000-01-01T00:00:00Z", id="year-10000"),
        pytest.param("2023-11-14T22:13:20.Z", id="no-fraction"),
        pytest.param("2023-11-14T22:13:20,5Z", id="comma"),
        pytest.param("2023-11-14T22:13:20+24:00", id="offset-of-a-day"),
        pytest.param("2023-11-14T22:13:20+00:60", id="offset-of-60-minutes"),
        pytest.param("2023-11-14T22:13:20+0100", id="offset-without-colon"),
        pytest.param("٢٠٢٣-11-14T22:13:20Z", id="other-digits"),
        pytest.param("2023-11-14T22:13:20Z\n", id="line-break"),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    check_refused(ValueError, r"RFC 3339|offset|second|hour|day|year", parse_timestamp_ns, text)


@pytest.mark.property
@given(
    moment=st.datetimes(),
    minutes=st.integers(-23 * 60, 23 * 60),
)
def test_times_agree_with_datetime(moment: datetime, minutes: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    since = there - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = since // timedelta(microseconds=1)
    assert parse_timestamp_ns(there.isoformat()) == microseconds * 1000
