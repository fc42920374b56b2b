import json
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from gateway.ops.access_log import AccessLog
from gateway.ops.lines import PIPE_BUF, LineWriter
from gateway.ops.record import CacheState, Outcome, RequestRecord
from gateway.ports import Choice
from tests.fakes.requests import RECORD


class Lines(LineWriter):
    """Keeps the lines."""

    def __init__(self) -> None:
        super().__init__(sys.stderr.fileno())
        self.taken: list[bytes] = []

    @override
    def write(self, line: bytes) -> None:
        self.taken.append(line)


def line_of(record: RequestRecord, style: str) -> bytes:
    lines = Lines()
    AccessLog(style, lines).write(record)
    return b"".join(lines.taken)


def test_json_has_every_field() -> None:
    assert json.loads(line_of(RECORD, "json")) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "event": "request",
        "client": "192.0.2.1",
        "method": "GET",
        "target": "/ipfs/bafkqaaa/a.html?x=1",
        "status": 200,
        "bytes": 1000,
        "duration_ms": 200.0,
        "ttfb_ms": 2.0,
        "cache": "hit",
        "tier": "memory",
        "request_id": "0123456789abcdef",
        "user_agent": "curl/8.5.0",
        "referer": "https://example.com/",
    }


def test_json_tells_which_upstreams_were_chosen_and_why() -> None:
    choices = [Choice("a", "nearest", 12.5, 30.0), Choice("b", "next-after-failure")]
    line = json.loads(line_of(RECORD._replace(choices=choices, cache=CacheState.MISS), "json"))
    assert line["upstreams"] == [
        {
            "upstream": "a",
            "reason": "nearest",
            "distance_km": 12.5,
            "ttfb_ms": 30.0,
            "in_flight": 0,
        },
        {
            "upstream": "b",
            "reason": "next-after-failure",
            "distance_km": None,
            "ttfb_ms": None,
            "in_flight": 0,
        },
    ]
    assert line["cache"] == "miss"


def test_json_tells_what_went_wrong() -> None:
    record = RECORD._replace(outcome=Outcome.TRUNCATED, error="a is silent\r\nfor\x1b 10 s\udc80")
    line = json.loads(line_of(record, "json"))
    assert line["outcome"] == "truncated"
    assert line["error"] == r"a is silent\x0D\x0Afor\x1B 10 s\x5Cudc80"


def test_combined_is_what_nginx_writes() -> None:
    assert line_of(RECORD, "combined") == (
        b'192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] "GET /ipfs/bafkqaaa/a.html?x=1 HTTP/1.1" '
        b'200 1000 "https://example.com/" "curl/8.5.0"\n'
    )


def test_combined_has_a_dash_for_what_is_not_there() -> None:
    line = line_of(RECORD._replace(referer=b"", user_agent=b""), "combined")
    assert line.endswith(b' 200 1000 "-" "-"\n')


def test_off_writes_nothing() -> None:
    assert line_of(RECORD, "off") == b""


def test_the_second_changes_with_the_request() -> None:
    lines = Lines()
    log = AccessLog("json", lines)
    for started in (0.0, 0.999_9, 1.0, 86_400.5):
        log.write(RECORD._replace(started=started))
    assert [json.loads(line)["time"] for line in lines.taken] == [
        "1970-01-01T00:00:00.000Z",
        "1970-01-01T00:00:00.999Z",
        "1970-01-01T00:00:01.000Z",
        "1970-01-02T00:00:00.500Z",
    ]


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        pytest.param(b"a\r\nb", r"a\x0D\x0Ab", id="newlines"),
        pytest.param(b"\x1b[31m\x00\x7f", r"\x1B[31m\x00\x7F", id="control"),
        pytest.param(b"\xc2\x9b\xff", r"\xC2\x9B\xFF", id="not-ascii"),
        pytest.param(b'" 200 "', r"\x22 200 \x22", id="quotes"),
        pytest.param(b"a\\b", r"a\x5Cb", id="backslash"),
        pytest.param(b"</script>", "</script>", id="markup"),
    ],
)
def test_what_clients_send_is_escaped(sent: bytes, written: str) -> None:
    record = RECORD._replace(target=sent, user_agent=sent, referer=sent)
    line = json.loads(line_of(record, "json"))
    assert line["target"] == line["user_agent"] == line["referer"] == written
    assert line_of(record, "combined").decode().count(f'"{written}"') == 2


ANYTHING = st.binary(max_size=20_000)


@pytest.mark.property
@pytest.mark.parametrize("style", ["json", "combined"])
@given(target=ANYTHING, user_agent=ANYTHING, referer=ANYTHING, method=st.text(), error=st.text())
def test_a_request_is_always_one_short_line_of_printable_ascii(
    style: str, target: bytes, user_agent: bytes, referer: bytes, method: str, error: str
) -> None:
    record = RECORD._replace(
        target=target,
        user_agent=user_agent,
        referer=referer,
        method=method,
        error=error,
    )
    assert re.fullmatch(rb"[ -~]+\n", line_of(record, style))


@pytest.mark.parametrize("style", ["json", "combined"])
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"a", id="plain"),
        pytest.param(b"\n", id="escaped"),
        pytest.param(b'"', id="quotes"),
        pytest.param(b"\\", id="backslashes"),
    ],
)
def test_long_fields_are_cut_so_that_lines_fit_a_pipe(style: str, sent: bytes) -> None:
    long = sent * 10_000
    record = RECORD._replace(
        target=long,
        user_agent=long,
        referer=long,
        error=long.decode(),
        client="2001:db8:1111:1111:1111:1111:1111:1111",
        choices=[Choice("stockholm-1", "next-after-failure", 1234.567, 123.456)] * 2,
    )
    assert len(line_of(record, style)) <= PIPE_BUF


def test_no_credentials_are_written() -> None:
    """The record has no field for them; the line has no field that the record has not."""
    fields = json.loads(line_of(RECORD, "json")).keys()
    assert not {field for field in fields if re.search("auth|cookie|token", field)}


@pytest.mark.parametrize("style", ["json", "combined"])
def test_a_repeated_line_is_the_same_as_one_that_is_made_anew(style: str) -> None:
    lines = Lines()
    log = AccessLog(style, lines)
    odd = RECORD._replace(target=b'/ipfs/"\x01\xff', user_agent=b"\x01\\", client="203.0.113.1")
    write = log.repeater(odd)
    assert write is not None
    write(1_700_000_123.5, "2001:db8::1", "feed")
    log.write(odd._replace(started=1_700_000_123.5, client="2001:db8::1", request_id="feed"))
    assert lines.taken[0] == lines.taken[1]


def test_nothing_repeats_lines_of_a_log_that_is_off() -> None:
    assert AccessLog("off", Lines()).repeater(RECORD) is None
