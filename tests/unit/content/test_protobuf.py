import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    decode_field,
    decode_uint64,
    encode_uint64,
)
from gateway.errors import BadBlock
from tests.refusal import check_refused


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_decode_undoes_encode(value: int, after: bytes) -> None:
    encoded = encode_uint64(value)

    assert decode_uint64(encoded + after, 0) == (value, len(encoded))


@pytest.mark.parametrize("value", [-1, 2**64])
def test_encode_rejects_what_is_no_uint64(value: int) -> None:
    check_refused(ValueError, "a uint64 holds", encode_uint64, value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "does not end", id="empty"),
        pytest.param(b"\x80\x80", "does not end", id="cut-short"),
        pytest.param(b"\x80" * 10 + b"\x01", "does not end", id="11-bytes"),
        pytest.param(b"\xff" * 9 + b"\x02", "more than 64 bits", id="65-bits"),
    ],
)
def test_decode_rejects(data: bytes, reason: str) -> None:
    check_refused(BadBlock, reason, decode_uint64, data, 0)


def test_varints_need_not_be_minimal() -> None:
    assert decode_uint64(b"\x81\x80\x00", 0) == (1, 3)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        pytest.param(b"\x08\x96\x01", Field(1, VARINT, 150, b"", 3), id="varint"),
        pytest.param(b"\x12\x02hi!", Field(2, BYTES, 0, b"hi", 4), id="bytes"),
        pytest.param(b"\x15\x01\0\0\0", Field(2, FIXED32, 1, b"", 5), id="fixed32"),
        pytest.param(b"\x11\x02" + bytes(7), Field(2, FIXED64, 2, b"", 9), id="fixed64"),
        pytest.param(b"\xfa\x01\x00", Field(31, BYTES, 0, b"", 3), id="number-of-two-bytes"),
    ],
)
def test_field_is_decoded_by_its_wire_type(data: bytes, field: Field) -> None:
    assert decode_field(data, 0) == field


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"\x00\x01", "number 0", id="number-zero"),
        pytest.param(b"\x0b", "wire type 3", id="group-start"),
        pytest.param(b"\x0c", "wire type 4", id="group-end"),
        pytest.param(b"\x0f", "wire type 7", id="no-such-type"),
        pytest.param(b"\x12\x03hi", "field 2 does not end", id="bytes-cut-short"),
        pytest.param(b"\x12\xff\xff\xff\xff\x0f", "field 2 does not end", id="huge-length"),
        pytest.param(b"\x15\x01\0\0", "field 2 does not end", id="fixed32-cut-short"),
        pytest.param(b"\x08", "varint does not end", id="no-value"),
    ],
)
def test_field_is_refused(data: bytes, reason: str) -> None:
    check_refused(BadBlock, reason, decode_field, data, 0)
