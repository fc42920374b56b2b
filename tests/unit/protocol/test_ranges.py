import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RangeNotSatisfiable
from gateway.protocol.ranges import MAX_RANGES, ByteRange, parse_range
from tests.refusal import check_refused


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("bytes=6-16", [(6, 17)], id="inside"),
        pytest.param("bytes=-3", [(28, 31)], id="suffix"),
        pytest.param("bytes=28-", [(28, 31)], id="to-the-end"),
        pytest.param("bytes=0-", [(0, 31)], id="all"),
        pytest.param("bytes=0-0", [(0, 1)], id="first-byte"),
        pytest.param("bytes=30-30", [(30, 31)], id="last-byte"),
        pytest.param("Bytes=0-0", [(0, 1)], id="unit-in-capitals"),
        pytest.param("bytes=30-999", [(30, 31)], id="end-is-clipped"),
        pytest.param("bytes=-999999", [(0, 31)], id="suffix-longer-than-the-file"),
        pytest.param("bytes=0-18446744073709551616", [(0, 31)], id="end-beyond-64-bits"),
        pytest.param("bytes=0-" + "9" * 5000, [(0, 31)], id="5000-digits"),
        pytest.param("bytes=" + "0" * 5000 + "1-2", [(1, 3)], id="5000-zeros"),
        pytest.param("bytes=-" + "9" * 5000, [(0, 31)], id="suffix-of-5000-digits"),
        pytest.param("bytes=6-16,0-4", [(6, 17), (0, 5)], id="two-in-their-order"),
        pytest.param("bytes=0-4 ,\t6-7", [(0, 5), (6, 8)], id="whitespace-around-commas"),
        pytest.param("bytes=,0-4,,6-7,", [(0, 5), (6, 8)], id="empty-list-elements"),
        pytest.param("bytes=0-9,5-14,0-9", [(0, 10), (5, 15), (0, 10)], id="overlapping"),
        pytest.param("bytes=0-1,99-", [(0, 2)], id="one-of-two-is-outside"),
        pytest.param(
            "bytes=" + ",".join(["0-0"] * MAX_RANGES),
            [(0, 1)] * MAX_RANGES,
            id="as-many-as-allowed",
        ),
    ],
)
def test_parse_range(header: str, expected: list[tuple[int, int]]) -> None:
    assert parse_range(header, 31) == tuple(expected)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="absent"),
        pytest.param("items=0-1", id="other-unit"),
        pytest.param("bytes", id="no-equals-sign"),
        pytest.param("bytes=", id="nothing"),
        pytest.param("bytes=,,", id="only-commas"),
        pytest.param("bytes=-", id="only-a-dash"),
        pytest.param("bytes=5", id="no-dash"),
        pytest.param("bytes=5-1", id="backwards"),
        pytest.param("bytes=0-1,5-1", id="one-of-two-backwards"),
        pytest.param("bytes=0-1;2-3", id="semicolon"),
        pytest.param("bytes=1_0-2_0", id="underscores"),
        pytest.param("bytes=+1-3", id="plus"),
        pytest.param("bytes=0x1-", id="hexadecimal"),
        pytest.param("bytes=\u0661-\u0663", id="arabic-digits"),
        pytest.param("bytes= 1 - 3", id="spaces-inside"),
        pytest.param("bytes=--3", id="negative-suffix"),
        pytest.param("bytes=1-2-3", id="two-dashes"),
        pytest.param("bytes=0-1, bytes=2-3", id="two-fields-joined"),
        pytest.param("bytes=0-20,5-30", id="more-than-the-file"),
        pytest.param("bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)), id="too-many"),
        pytest.param("bytes=" + ",".join(["0-0"] * 2000), id="2000-ranges"),
        pytest.param("bytes=" + "0-," * 2700, id="8-kB-of-0-,"),
        pytest.param("bytes=" + ",".join(f"5-{i}" for i in range(900)), id="apache-killer"),
        pytest.param("bytes=" + "-" * 8000, id="8-kB-of-dashes"),
    ],
)
def test_parse_range_ignores(header: str) -> None:
    assert parse_range(header, 31) is None


@pytest.mark.parametrize(
    "header",
    ["bytes=31-", "bytes=31-40", "bytes=-0", "bytes=99-,50-60", "bytes=" + "9" * 5000 + "-"],
)
def test_parse_range_outside_of_the_file_is_an_error(header: str) -> None:
    check_refused(RangeNotSatisfiable, "outside of the 31 bytes", parse_range, header, 31)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-1", "bytes=-0", "bytes=5-"])
def test_parse_range_of_an_empty_file_is_ignored(header: str) -> None:
    assert parse_range(header, 0) is None


def _model(spec: str, data: bytes) -> bytes:
    """Select single bytes, as RFC 9110 describes it."""
    first, _, last = spec.partition("-")
    if not first:
        return data[-int(last) :] if int(last) else b""
    end = int(last) if last else len(data)
    return bytes(byte for at, byte in enumerate(data) if int(first) <= at <= end)


_NUMBERS = st.integers(0, 50)
_SPECS = (
    st.builds("{}-{}".format, _NUMBERS, _NUMBERS)
    | st.builds("{}-".format, _NUMBERS)
    | st.builds("-{}".format, _NUMBERS)
)


@pytest.mark.property
@given(st.binary(min_size=1, max_size=40), st.lists(_SPECS, min_size=1, max_size=4))
def test_ranges_select_what_the_model_selects(data: bytes, specs: list[str]) -> None:
    expected = [part for part in (_model(spec, data) for spec in specs) if part]
    try:
        found = parse_range("bytes=" + ",".join(specs), len(data))
    except RangeNotSatisfiable:
        assert not expected
        return
    if found is None:
        backwards = re.compile(r"(\d+)-(\d+)")
        matches = [match for spec in specs if (match := backwards.fullmatch(spec))]
        is_backwards = any(int(match[1]) > int(match[2]) for match in matches)
        assert is_backwards or sum(map(len, expected)) > len(data)
        return
    assert [data[part.start : part.stop] for part in found] == expected


@pytest.mark.property
@given(st.text("bytes=0123456789-, x\u0661", max_size=40), st.integers(0, 2**63 - 1))
def test_ranges_lie_inside_the_body_or_are_refused(garbage: str, size: int) -> None:
    try:
        found = parse_range("bytes=" + garbage, size) or ()
    except RangeNotSatisfiable:
        found = ()
    assert all(0 <= part.start < part.stop <= size for part in found)
    assert sum(part.stop - part.start for part in found) <= size


def test_byte_ranges_are_half_open() -> None:
    part = ByteRange(1, 3)
    assert b"abcd"[part.start : part.stop] == b"bc"
