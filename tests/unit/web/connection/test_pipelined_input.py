"""What is sent ahead comes out a head at a time, however it came in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.connection.pipelined_input import HEAD_END, MAX_AHEAD_BYTES, Ahead, Flow
from tests.unit.web.conftest import Wire


def taken(*parts: bytes) -> list[bytes]:
    """Add each part, and take all that there is."""
    ahead, pieces = Ahead(), []
    for part in parts:
        ahead.add(part)
        while not ahead.is_empty:
            pieces.append(ahead.take())
    return pieces


@pytest.mark.parametrize(
    ("parts", "pieces"),
    [
        pytest.param([b""], [], id="nothing"),
        pytest.param([b"a\r\n\r\nb\r\n\r\n"], [b"a\r\n\r\n", b"b\r\n\r\n"], id="two"),
        pytest.param([b"a\r\n\r\nb\r\n"], [b"a\r\n\r\n", b"b\r\n"], id="one-and-a-half"),
        pytest.param([b"a\r\n\r", b"\nb"], [b"a\r\n\r", b"\n", b"b"], id="cut-in-the-end"),
        pytest.param(
            [b"a\r", b"\n", b"\r", b"\nb\r\n\r\n"],
            [b"a\r", b"\n", b"\r", b"\n", b"b\r\n\r\n"],
            id="byte-by-byte",
        ),
    ],
)
def test_heads_come_out_one_by_one(parts: list[bytes], pieces: list[bytes]) -> None:
    assert taken(*parts) == pieces


@given(st.lists(st.text("a\r\n", max_size=9).map(str.encode), max_size=9))
def test_no_piece_has_the_end_of_a_head_before_its_own_end(parts: list[bytes]) -> None:
    pieces = taken(*parts)
    sent = b"".join(parts)
    assert b"".join(pieces) == sent
    ends = [len(b"".join(pieces[: at + 1])) for at in range(len(pieces))]
    found = [at + 4 for at in range(len(sent)) if sent.startswith(HEAD_END, at)]
    first = found[:1]
    assert set(first) <= set(ends)


def test_what_comes_while_something_is_ahead_stands_behind_it() -> None:
    ahead = Ahead()
    ahead.add(b"a\r\n\r\nb\r\n")
    assert ahead.take() == b"a\r\n\r\n"
    ahead.add(b"\r\nc")
    assert (ahead.size_bytes, ahead.take(), ahead.take()) == (6, b"b\r\n\r\n", b"c")
    assert ahead.is_empty


async def test_nothing_is_read_while_much_is_ahead_whoever_asks() -> None:
    wire = Wire()
    flow = Flow(wire)
    read: list[bool] = []
    for size_bytes in (MAX_AHEAD_BYTES, MAX_AHEAD_BYTES + 1, MAX_AHEAD_BYTES):
        flow.hold(size_bytes)
        flow.resume_reading()
        read.append(wire.is_read)
    assert read == [True, False, True]
