"""Unsigned varints: https://github.com/multiformats/unsigned-varint."""

from typing import Final

from gateway.errors import BadCid

MAX_BYTES: Final = 9  # spec, "Practical maximum of 9 bytes": 63 bits, so a value fits in int64


def encode_varint(value: int) -> bytes:
    """Encode `value` in its shortest form.

    Raises:
        ValueError: `value` is negative or takes more than 63 bits.
    """
    if not 0 <= value < 1 << 63:
        raise ValueError(f"a varint holds 0 <= value < 2**63, not {value}")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data: bytes, start: int = 0) -> tuple[int, int]:
    """Decode one varint.

    Args:
        data: bytes holding the varint; bytes after it are ignored.
        start: offset of its first byte.

    Returns:
        `(value, end)` with `0 <= value < 2**63` and `end` the offset just
        past the last byte read.

    Raises:
        BadCid: `data` ends early, the varint is longer than `MAX_BYTES`,
            or it is not the shortest encoding of its value.
    """
    if start < len(data) and data[start] < 0x80:  # nearly all
        return data[start], start + 1
    value = shift = 0
    for position in range(start, min(len(data), start + MAX_BYTES)):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0:
                raise BadCid("a varint is not minimal")
            return value, position + 1
        shift += 7
    if shift >= 7 * MAX_BYTES:
        raise BadCid(f"a varint is longer than {MAX_BYTES} bytes")
    raise BadCid("a varint does not end")
