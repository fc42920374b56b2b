import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiformats import varint as oracle

from gateway.content.varint import MAX_BYTES, decode_varint, encode_varint
from gateway.errors import BadCid
from tests.refusal import check_refused
from tests.strategies import uint63s


@pytest.mark.parametrize(
    ("value", "data"),
    [
        pytest.param(0, b"\x00", id="zero"),
        pytest.param(0x7F, b"\x7f", id="last-of-one-byte"),
        pytest.param(0x80, b"\x80\x01", id="first-of-two-bytes"),
        pytest.param(300, b"\xac\x02", id="300"),
        pytest.param((1 << 63) - 1, b"\xff" * 8 + b"\x7f", id="largest"),
    ],
)
def test_varint_has_one_encoding(value: int, data: bytes) -> None:
    assert encode_varint(value) == data
    assert decode_varint(data) == (value, len(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "does not end", id="empty"),
        pytest.param(b"\x80", "does not end", id="cut-short"),
        pytest.param(b"\xff" * 8, "does not end", id="cut-short-at-8"),
        pytest.param(b"\x80\x00", "not minimal", id="padded-zero"),
        pytest.param(b"\x81\x80\x00", "not minimal", id="padded-one"),
        pytest.param(b"\xff" * 9, f"longer than {MAX_BYTES}", id="9-bytes-and-on"),
        pytest.param(b"\xff" * 9 + b"\x01", f"longer than {MAX_BYTES}", id="64-bits"),
    ],
)
def test_decode_varint_refuses(data: bytes, reason: str) -> None:
    check_refused(BadCid, reason, decode_varint, data)


@pytest.mark.parametrize("value", [-1, 1 << 63])
def test_encode_varint_refuses_what_does_not_fit(value: int) -> None:
    check_refused(ValueError, "a varint holds", encode_varint, value)


@pytest.mark.property
@given(uint63s, st.binary(max_size=3), st.binary(max_size=3))
def test_decode_varint_undoes_encode_anywhere(value: int, before: bytes, after: bytes) -> None:
    encoded = encode_varint(value)
    end = len(before) + len(encoded)
    assert decode_varint(before + encoded + after, len(before)) == (value, end)


@pytest.mark.property
@given(uint63s)
def test_varint_agrees_with_multiformats(value: int) -> None:
    assert encode_varint(value) == oracle.encode(value)


def _ours(data: bytes) -> tuple[int, int] | None:
    try:
        return decode_varint(data)
    except BadCid:
        return None


def _multiformats(data: bytes) -> tuple[int, int] | None:
    try:
        value, size, _ = oracle.decode_raw(data)
    except ValueError:
        return None
    return value, size


@pytest.mark.property
@given(st.binary(max_size=12) | uint63s.map(encode_varint))
def test_decode_varint_takes_what_multiformats_takes(data: bytes) -> None:
    assert _ours(data) == _multiformats(data)
