"""DAG-PB, the node format of UnixFS: https://ipld.io/specs/codecs/dag-pb/spec/.

    message PBLink { bytes Hash = 1; string Name = 2; uint64 Tsize = 3 }
    message PBNode { bytes Data = 1; repeated PBLink Links = 2 }

Stricter than protobuf, as the specification asks: known fields only, each once, those of a link in
order, varints minimal, and every Hash a CID that we could verify. Links stay in wire order.
"""

from typing import Final, NamedTuple

from gateway.content.cid import Cid, decode_cid
from gateway.errors import BadBlock, BadCid

MAX_SIZE: Final = (1 << 64) - 1  # protobuf uint64
_MAX_VARINT_BYTES = 10

_DATA = 0x0A  # field 1, length-delimited
_LINKS = 0x12  # field 2, length-delimited
_HASH = 0x0A
_NAME = 0x12
_TSIZE = 0x18  # field 3, varint


class PBLink(NamedTuple):
    """One link; absent and empty names differ."""

    hash: bytes
    """A valid binary CID."""
    name: str | None
    size: int | None
    """Tsize: a hint, never to be trusted."""

    @property
    def cid(self) -> Cid:
        """The link's CID; decoded each time."""
        return decode_cid(self.hash)[0]


class PBNode(NamedTuple):
    """One node; absent and empty data differ."""

    links: tuple[PBLink, ...]
    data: bytes | None


def decode_node(data: bytes) -> PBNode:
    """Decode a block; zero bytes are a node without links and data.

    Raises:
        BadBlock: anything that the specification does not allow.
    """
    links: list[PBLink] = []
    body: bytes | None = None
    is_closed = False  # no more links: data came after some
    position = 0
    while position < len(data):
        tag = data[position]
        size, start = _decode_varint(data, position + 1)
        position = start + size
        if position > len(data):
            raise _bad("a field does not end")
        if tag == _LINKS:
            if is_closed:
                raise _bad("data stands between links")
            links.append(_decode_link(data[start:position]))
        elif tag == _DATA:
            if body is not None:
                raise _bad("there is data twice")
            body = data[start:position]
            is_closed = bool(links)
        else:
            raise _bad(f"a node has no field with tag 0x{tag:02x}")
    return PBNode(tuple(links), body)


def _decode_link(data: bytes) -> PBLink:
    if not data or data[0] != _HASH:
        raise _bad("a link has to start with its Hash")
    cid, position = _decode_bytes(data, 1)
    _check_cid(cid)
    name: str | None = None
    if position < len(data) and data[position] == _NAME:
        raw, position = _decode_bytes(data, position + 1)
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise _bad("a link's name is not UTF-8") from None
    size: int | None = None
    if position < len(data) and data[position] == _TSIZE:
        size, position = _decode_varint(data, position + 1)
    if position < len(data):
        raise _bad(f"a link has tag 0x{data[position]:02x} unknown, twice or out of order")
    return PBLink(cid, name, size)


def _check_cid(data: bytes) -> None:
    try:
        end = decode_cid(data)[1]
    except BadCid as exc:
        raise _bad(f"a link's Hash: {exc}") from exc
    if end != len(data):
        raise _bad(f"{len(data) - end} bytes follow the CID in a link's Hash")


def _decode_bytes(data: bytes, start: int) -> tuple[bytes, int]:
    size, start = _decode_varint(data, start)
    end = start + size
    if end > len(data):
        raise _bad("a field of a link does not end")
    return data[start:end], end


def _decode_varint(data: bytes, start: int) -> tuple[int, int]:
    value = shift = 0
    for position in range(start, min(len(data), start + _MAX_VARINT_BYTES)):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                raise _bad("a varint is not minimal")
            if value > MAX_SIZE:
                raise _bad("a varint takes more than 64 bits")
            return value, position + 1
        shift += 7
    raise _bad("a varint does not end")


def _bad(reason: str) -> BadBlock:
    return BadBlock("dag-pb", reason)


def encode_node(node: PBNode) -> bytes:
    """Encode in the one canonical form: links first, then data.

    Raises:
        ValueError: a Tsize that takes more than 64 bits.
    """
    out = bytearray()
    for link in node.links:
        encoded = _encode_link(link)
        out.append(_LINKS)
        out += _encode_varint(len(encoded))
        out += encoded
    if node.data is not None:
        out.append(_DATA)
        out += _encode_varint(len(node.data))
        out += node.data
    return bytes(out)


def _encode_link(link: PBLink) -> bytes:
    out = bytearray((_HASH,)) + _encode_varint(len(link.hash)) + link.hash
    if link.name is not None:
        name = link.name.encode("utf-8")
        out.append(_NAME)
        out += _encode_varint(len(name))
        out += name
    if link.size is not None:
        out.append(_TSIZE)
        out += _encode_varint(link.size)
    return bytes(out)


def _encode_varint(value: int) -> bytes:
    if not 0 <= value <= MAX_SIZE:
        raise ValueError(f"a uint64 holds 0 <= value < 2**64, not {value}")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
