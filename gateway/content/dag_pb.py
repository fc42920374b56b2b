"""DAG-PB, the node format of UnixFS: https://ipld.io/specs/codecs/dag-pb/spec/.

    message PBLink { bytes Hash = 1; string Name = 2; uint64 Tsize = 3 }
    message PBNode { bytes Data = 1; repeated PBLink Links = 2 }

Stricter than protobuf, as the specification demands: only known fields, each once, those of a link
in order, varints minimal, and every Hash a CID of a supported hash function. Links stay in wire
order. Only names may be any bytes: see `entry_name`.
"""

import re
import struct
from functools import lru_cache
from typing import Final, NamedTuple, cast

from gateway.content.block import MAX_BLOCK_BYTES
from gateway.content.cid import Cid, decode_cid
from gateway.content.entry_name import decode_name, encode_name
from gateway.errors import BadBlock, BadCid

MAX_SIZE: Final = (1 << 64) - 1  # protobuf uint64
MAX_LINKS: Final = MAX_BLOCK_BYTES // 38  # all that fit with sha2-256; bounds the time to decode
_MAX_VARINT_BYTES = 10

_DATA = 0x0A  # field 1, length-delimited
_LINKS = 0x12  # field 2, length-delimited
_HASH = 0x0A
_NAME = 0x12
_TSIZE = 0x18  # field 3, varint

_DIGEST_BYTES = 32
_MAX_RUN = 1024  # links of a full node in the layout of 2025; bounds what `struct` remembers
_SHA2_256_HASHES = (
    b"\x0a\x22\x12\x20",  # CIDv0
    b"\x0a\x24\x01\x70\x12\x20",  # CIDv1 of dag-pb
    b"\x0a\x24\x01\x55\x12\x20",  # CIDv1 of raw
    b"\x0a\x24\x01\x71\x12\x20",  # CIDv1 of dag-cbor
)
"""Beginnings of Hash fields that are valid with any 32 bytes after them."""


class PBLink(NamedTuple):
    """One link; absent and empty names differ."""

    hash: bytes
    """A valid binary CID."""
    name: str | None
    """The name as `entry_name` decodes it; None without one."""
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
    """Decode a block; an empty block is a node without links and data.

    Raises:
        BadBlock: the block breaks a rule of the specification.
    """
    try:
        return _decode_node(data)
    except IndexError:
        raise _bad("a field does not end") from None


def _decode_node(data: bytes) -> PBNode:
    links: list[PBLink] = []
    body: bytes | None = None
    is_closed = False  # whether data followed links, after which no link may come
    position = 0
    while position < len(data):
        begin, tag = position, data[position]
        size, start = _decode_varint(data, begin + 1)
        position = start + size
        if position > len(data):
            raise _bad("a field does not end")
        if tag == _LINKS and not is_closed:
            link = _decode_link(data[start:position])
            links.append(link)
            if not link.name:
                position = _decode_alike(data, begin, position, links)
            if len(links) > MAX_LINKS:
                raise _bad(f"there are more than {MAX_LINKS} links")
        elif tag == _DATA and body is None:
            body = data[start:position]
            is_closed = bool(links)
        else:
            raise _bad(f"a node has tag 0x{tag:02x} unknown, twice or out of order")
    return PBNode(tuple(links), body)


def _decode_link(data: bytes) -> PBLink:
    if data.startswith(_SHA2_256_HASHES):
        start, end = 2, 2 + data[1]
    else:
        start, end = _check_hash(data)
    cid = data[start:end]
    name: str | None = None
    size: int | None = None
    if end < len(data) and data[end] == _NAME:
        size_bytes, start = _decode_varint(data, end + 1)
        end = start + size_bytes
        name = decode_name(data[start:end])
    if end < len(data) and data[end] == _TSIZE:
        size, end = _decode_varint(data, end + 1)
    if end < len(data):
        raise _bad(f"a link has tag 0x{data[end]:02x} unknown, twice or out of order")
    if end > len(data):
        raise _bad("a field of a link does not end")
    return PBLink(cid, name, size)


def _check_hash(data: bytes) -> tuple[int, int]:
    if not data or data[0] != _HASH:
        raise _bad("a link does not start with its Hash")
    size, start = _decode_varint(data, 1)
    try:
        cid_bytes = decode_cid(data[start : start + size])[1]
    except BadCid as exc:
        raise _bad(f"a link's Hash: {exc}") from exc
    if cid_bytes != size:
        raise _bad(f"{size - cid_bytes} bytes follow the CID in a link's Hash")
    return start, start + size


def _decode_alike(data: bytes, begin: int, end: int, links: list[PBLink]) -> int:
    """Decode the links that differ from the last one, at `begin:end`, only in their digest.

    The chunks of a file have links of one shape: same kind of CID, empty name, same Tsize. If the
    first is valid all are, so C code counts and cuts them in a quarter of the time
    (benchmarks/micro/bench_content.py). Only for sha2-256: other CIDs are checked one by one.

    Returns:
        The end of the last such link.
    """
    if not data.startswith(_SHA2_256_HASHES, begin + 2):  # tag, length < 128, and then
        return end
    cid, name, size = links[-1]
    head = 4 + len(cid) - _DIGEST_BYTES
    if not data.startswith(data[begin : begin + head], end):
        return end
    alike, layout = _shape(head, end - begin - head - _DIGEST_BYTES)
    first, step = end, end - begin
    end = cast("re.Match[bytes]", alike.match(data, begin)).end()
    found = struct.unpack(layout * ((end - first) // step), data[first:end])
    new = tuple.__new__  # half the time of PBLink()
    links += [new(PBLink, (cid, name, size)) for cid in found]
    return end


@lru_cache(maxsize=64)  # two kinds of CID, and a tail of 0 to 13 bytes
def _shape(head: int, tail: int) -> tuple[re.Pattern[bytes], str]:
    """Return a pattern for a run of links of one shape, and the `struct` format of one link."""
    alike = b"(.{%d}).{32}(.{%d})(?:\\1.{32}\\2){,%d}+" % (head, tail, _MAX_RUN)
    return re.compile(alike, re.DOTALL), f"4x{head + 28}s{tail}x"


def _decode_varint(data: bytes, start: int) -> tuple[int, int]:
    """Decode one uint64; raises IndexError when `data` ends early."""
    value = data[start]
    if value < 0x80:
        return value, start + 1
    value &= 0x7F
    for count in range(1, _MAX_VARINT_BYTES):
        byte = data[start + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            if byte == 0:
                raise _bad("a varint is not minimal")
            if value > MAX_SIZE:
                break
            return value, start + count + 1
    raise _bad("a varint takes more than 64 bits")


def _bad(reason: str) -> BadBlock:
    return BadBlock("dag-pb", reason)


def encode_node(node: PBNode) -> bytes:
    """Encode a node in the canonical form: links first, then data.

    Raises:
        ValueError: a Tsize takes more than 64 bits.
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
        name = encode_name(link.name)
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
