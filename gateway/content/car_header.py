"""The header of a CARv1: `{"roots": [&Any], "version": 1}` in DAG-CBOR, and nothing else.

https://ipld.io/specs/transport/car/carv1/#header
"""

from collections.abc import Sequence

from gateway.content.cid import Cid, decode_cid
from gateway.errors import BadCar, BadCid

_UNSIGNED, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = 0, 2, 3, 4, 5, 6  # CBOR major types, RFC 8949
_LINK_TAG = 42
_ROOTS = b"roots"
_VERSION = b"version"
_MIN_VALUES = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}
"""Smallest value that needs so many bytes: DAG-CBOR has one encoding for each number."""


def encode_header(roots: Sequence[Cid]) -> bytes:
    """Encode the header, without the length that stands in front of it."""
    out = bytearray(b"\xa2") + _text(_ROOTS) + _encode_head(_ARRAY, len(roots))
    for root in roots:
        data = b"\0" + root.encode()
        out += _encode_head(_TAG, _LINK_TAG) + _encode_head(_BYTES, len(data)) + data
    return bytes(out + _text(_VERSION) + b"\x01")


def _text(text: bytes) -> bytes:
    return _encode_head(_TEXT, len(text)) + text


def _encode_head(major: int, value: int) -> bytes:
    if value < 24:
        return bytes((major << 5 | value,))
    size = next(size for size in (1, 2, 4, 8) if value < 1 << 8 * size)
    return bytes((major << 5 | 23 + size.bit_length(),)) + value.to_bytes(size, "big")


def decode_header(data: bytes) -> tuple[Cid, ...]:
    """Decode the header and return its roots, which may be none.

    Raises:
        BadCar: not this map, another version, or a root that is not a CID we could verify.
    """
    entries, position = _expect(data, 0, _MAP)
    roots: tuple[Cid, ...] | None = None
    version: int | None = None
    for _ in range(entries):
        key, position = _decode_string(data, position, _TEXT)
        if key == _ROOTS and roots is None:
            roots, position = _decode_roots(data, position)
        elif key == _VERSION and version is None:
            version, position = _expect(data, position, _UNSIGNED)
        else:
            raise BadCar(f"its header has the key {key[:20]!r} twice or without need")
    if version != 1:
        raise BadCar(f"its version is {version}, not 1")
    if roots is None:
        raise BadCar("its header has no roots")
    if position != len(data):
        raise BadCar(f"{len(data) - position} bytes follow the map in its header")
    return roots


def _decode_roots(data: bytes, position: int) -> tuple[tuple[Cid, ...], int]:
    count, position = _expect(data, position, _ARRAY)
    roots: list[Cid] = []
    for _ in range(count):
        tag, position = _expect(data, position, _TAG)
        link, position = _decode_string(data, position, _BYTES)
        if tag != _LINK_TAG or link[:1] != b"\0":
            raise BadCar("a root in its header is not a link")
        roots.append(_decode_root(link))
    return tuple(roots), position


def _decode_root(link: bytes) -> Cid:
    try:
        cid, end = decode_cid(link, 1)
    except BadCid as exc:
        raise BadCar(f"a root in its header is an {exc}") from exc
    if end != len(link):
        raise BadCar(f"{len(link) - end} bytes follow a root in its header")
    return cid


def _decode_string(data: bytes, position: int, major: int) -> tuple[bytes, int]:
    size, position = _expect(data, position, major)
    end = position + size
    if end > len(data):
        raise BadCar("its header does not end")
    return data[position:end], end


def _expect(data: bytes, position: int, major: int) -> tuple[int, int]:
    """Read the head of an item of type `major`: `(value, end)`."""
    if position >= len(data):
        raise BadCar("its header does not end")
    if data[position] >> 5 != major:
        raise BadCar(f"its header has type {data[position] >> 5} where {major} belongs")
    value = data[position] & 31
    position += 1
    if value < 24:
        return value, position
    if value > 27:
        raise BadCar("its header has an item of no definite length")
    size = 1 << (value - 24)
    end = position + size
    if end > len(data):
        raise BadCar("its header does not end")
    value = int.from_bytes(data[position:end], "big")
    if value < _MIN_VALUES[size]:
        raise BadCar("its header has a number that is not in its shortest form")
    return value, end
