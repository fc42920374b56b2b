"""The heads of CBOR items that DAG-CBOR allows: RFC 8949, section 3.

https://ipld.io/specs/codecs/dag-cbor/spec/
"""

from typing import Final

from gateway.errors import BadBlock

UNSIGNED: Final = 0
NEGATIVE: Final = 1
BYTES: Final = 2
TEXT: Final = 3
ARRAY: Final = 4
MAP: Final = 5
TAG: Final = 6
SIMPLE: Final = 7

LINK_TAG: Final = 42  # https://github.com/ipld/cid-cbor


def decode_head(data: bytes, position: int) -> tuple[int, int, int]:
    """Decode the head of an item.

    Returns:
        `(major, value, end)`: the major type, its argument (for floats, of type `SIMPLE`, their
        bits), and the offset just past the head.

    Raises:
        BadBlock: `data` ends inside the head, or the item has no definite length.
    """
    if position >= len(data):
        raise BadBlock("cbor", "an item does not end")
    major, value = data[position] >> 5, data[position] & 31
    position += 1
    if value < 24:
        return major, value, position
    if value > 27:
        raise BadBlock("cbor", "an item has no definite length")
    end = position + (1 << (value - 24))
    if end > len(data):
        raise BadBlock("cbor", "an item does not end")
    return major, int.from_bytes(data[position:end], "big"), end


def encode_head(major: int, value: int) -> bytes:
    """Encode the head of an item in its shortest form."""
    if value < 24:
        return bytes((major << 5 | value,))
    size = next(size for size in (1, 2, 4, 8) if value < 1 << 8 * size)
    return bytes((major << 5 | 23 + size.bit_length(),)) + value.to_bytes(size, "big")
