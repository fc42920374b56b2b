"""The protobuf wire format for UnixFS: https://protobuf.dev/programming-guides/encoding/.

Less strict than dag-pb, whose specification restricts only its own two messages: any well-formed
field is decoded, so that callers can skip fields that newer writers add.
"""

from typing import NamedTuple

from gateway.errors import BadBlock

VARINT = 0
FIXED64 = 1
BYTES = 2
FIXED32 = 5

_MAX_VARINT_BYTES = 10  # 64 bits, 7 in each
_MAX_UINT64 = (1 << 64) - 1
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


class Field(NamedTuple):
    """One field of a message."""

    number: int
    wire: int
    """`VARINT`, `FIXED64`, `BYTES` or `FIXED32`."""
    value: int
    """The number; 0 for `BYTES`."""
    data: bytes
    """The bytes; empty for numbers."""
    end: int
    """Offset just past the field."""


def decode_uint64(data: bytes, start: int) -> tuple[int, int]:
    """Decode one varint.

    Returns:
        `(value, end)` with `0 <= value < 2**64`.

    Raises:
        BadBlock: `data` ends inside it, or it takes more than 64 bits.
    """
    value = shift = 0
    for position in range(start, min(len(data), start + _MAX_VARINT_BYTES)):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > _MAX_UINT64:
                raise BadBlock("protobuf", "a varint takes more than 64 bits")
            return value, position + 1
        shift += 7
    raise BadBlock("protobuf", "a varint does not end")


def encode_uint64(value: int) -> bytes:
    """Encode a varint in its shortest form.

    Raises:
        ValueError: `value` is negative or takes more than 64 bits.
    """
    if not 0 <= value <= _MAX_UINT64:
        raise ValueError(f"a uint64 holds 0 <= value < 2**64, not {value}")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_field(data: bytes, start: int) -> Field:
    """Decode the field at `start`.

    Raises:
        BadBlock: `data` ends inside it, its number is 0, or it is a group.
    """
    tag, position = decode_uint64(data, start)
    number, wire = tag >> 3, tag & 7
    if number == 0:
        raise BadBlock("protobuf", "a field has the number 0")
    if wire == VARINT:
        value, end = decode_uint64(data, position)
        return Field(number, wire, value, b"", end)
    if wire == BYTES:
        size, position = decode_uint64(data, position)
    elif wire in _FIXED_BYTES:
        size = _FIXED_BYTES[wire]
    else:
        raise BadBlock("protobuf", f"field {number} has wire type {wire}")
    end = position + size
    if end > len(data):
        raise BadBlock("protobuf", f"field {number} does not end")
    body = data[position:end]
    if wire == BYTES:
        return Field(number, wire, 0, body, end)
    return Field(number, wire, int.from_bytes(body, "little"), b"", end)
