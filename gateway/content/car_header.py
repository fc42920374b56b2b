"""The header of a CARv1: `{"roots": [&Any], "version": 1}` in DAG-CBOR, and nothing else.

https://ipld.io/specs/transport/car/carv1/#header
"""

from collections.abc import Sequence

from gateway.content.cbor import (
    ARRAY,
    BYTES,
    LINK_TAG,
    MAP,
    TAG,
    TEXT,
    UNSIGNED,
    decode_head,
    encode_head,
)
from gateway.content.cid import Cid, decode_cid
from gateway.errors import BadBlock, BadCar, BadCid

_ROOTS = b"roots"
_VERSION = b"version"


def encode_header(roots: Sequence[Cid]) -> bytes:
    """Encode the header, without the length in front of it."""
    out = bytearray(encode_head(MAP, 2) + _text(_ROOTS) + encode_head(ARRAY, len(roots)))
    for root in roots:
        data = b"\0" + root.encode()
        out += encode_head(TAG, LINK_TAG) + encode_head(BYTES, len(data)) + data
    return bytes(out + _text(_VERSION) + encode_head(UNSIGNED, 1))


def _text(text: bytes) -> bytes:
    return encode_head(TEXT, len(text)) + text


def decode_header(data: bytes) -> tuple[Cid, ...]:
    """Decode the header and return its roots, which may be none.

    Raises:
        BadCar: not this map, another version, or a root whose hash function is not supported.
    """
    entries, position = _expect(data, 0, MAP)
    roots: tuple[Cid, ...] | None = None
    version: int | None = None
    for _ in range(entries):
        key, position = _decode_string(data, position, TEXT)
        if key == _ROOTS and roots is None:
            roots, position = _decode_roots(data, position)
        elif key == _VERSION and version is None:
            version, position = _expect(data, position, UNSIGNED)
        else:
            raise BadCar(f"its header has the unknown or repeated key {key[:20]!r}")
    if version != 1:
        raise BadCar(f"its version is {version}, not 1")
    if roots is None:
        raise BadCar("its header has no roots")
    if position != len(data):
        raise BadCar(f"{len(data) - position} bytes follow the map in its header")
    return roots


def _decode_roots(data: bytes, position: int) -> tuple[tuple[Cid, ...], int]:
    count, position = _expect(data, position, ARRAY)
    roots: list[Cid] = []
    for _ in range(count):
        tag, position = _expect(data, position, TAG)
        link, position = _decode_string(data, position, BYTES)
        if tag != LINK_TAG or link[:1] != b"\0":
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
        raise BadCar("its header has a string that does not end")
    return data[position:end], end


def _expect(data: bytes, position: int, major: int) -> tuple[int, int]:
    """Read the head of an item of type `major`: `(value, end)`."""
    try:
        found, value, end = decode_head(data, position)
    except BadBlock as exc:
        raise BadCar(f"its header: {exc.reason}") from exc
    if found != major:
        raise BadCar(f"its header has CBOR type {found}, not {major}")
    if end - position != len(encode_head(major, value)):  # DAG-CBOR has one form of each number
        raise BadCar("its header has a number that is not in its shortest form")
    return value, end
