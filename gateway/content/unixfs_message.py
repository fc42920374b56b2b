"""The UnixFS protobuf message inside dag-pb nodes: https://specs.ipfs.tech/unixfs/.

    message Data {
      DataType Type = 1; bytes Data = 2; uint64 filesize = 3; repeated uint64 blocksizes = 4;
      uint64 hashType = 5; uint64 fanout = 6; uint32 mode = 7; UnixTime mtime = 8;
    }
    message UnixTime { int64 Seconds = 1; fixed32 FractionalNanoseconds = 2; }

`unixfs` checks the message against the links of the node.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from gateway.content.protobuf import (
    BYTES,
    FIXED32,
    VARINT,
    Field,
    decode_field,
    decode_uint64,
    encode_uint64,
)
from gateway.errors import BadBlock

MODE_BITS: Final = 0o7777  # the specification: the other 20 bits have no meaning yet
MAX_NANOS: Final = 999_999_999
_MAX_UINT32 = (1 << 32) - 1


class UnixFsType(IntEnum):
    """The `DataType` of the message."""

    RAW = 0
    DIRECTORY = 1
    FILE = 2
    METADATA = 3
    SYMLINK = 4
    HAMT_SHARD = 5


class Mtime(NamedTuple):
    """A modification time."""

    seconds: int
    """Since the Unix epoch; may be negative."""
    nanos: int = 0


@dataclass(frozen=True, slots=True)
class UnixFs:
    """The `Data` message; a missing field is None."""

    type: UnixFsType
    data: bytes | None = None
    filesize: int | None = None
    blocksizes: tuple[int, ...] = ()
    hash_type: int | None = None
    fanout: int | None = None
    mode: int | None = None
    """Permissions: the 12 bits with a defined meaning."""
    mtime: Mtime | None = None


_BLOCKSIZES = 4
_FIELDS = {1: VARINT, 2: BYTES, 3: VARINT, 5: VARINT, 6: VARINT, 7: VARINT, 8: BYTES}
"""Wire type of each field that may occur only once."""


def decode_unixfs(data: bytes) -> UnixFs:
    """Decode the message; unknown fields are skipped.

    Raises:
        BadBlock: not protobuf, no `Type` or an unknown one, a known field repeated or of another
            wire type, nanoseconds outside 1..999,999,999.
    """
    found: dict[int, Field] = {}
    blocksizes: list[int] = []
    position = 0
    while position < len(data):
        if data[position] == 0x20:  # blocksizes, one at a time: nearly all of a large message
            size, position = decode_uint64(data, position + 1)
            blocksizes.append(size)
            continue
        field = decode_field(data, position)
        position = field.end
        if field.number == _BLOCKSIZES:
            blocksizes += _unpack(field)
        elif field.number in _FIELDS:
            _check_field(field, found)
            found[field.number] = field
    return _message(found, tuple(blocksizes))


def _unpack(field: Field) -> list[int]:
    if field.wire != BYTES:
        raise _bad(f"field {field.number} has wire type {field.wire}")
    sizes: list[int] = []
    position = 0
    while position < len(field.data):
        size, position = decode_uint64(field.data, position)
        sizes.append(size)
    return sizes


def _check_field(field: Field, found: dict[int, Field]) -> None:
    if field.wire != _FIELDS[field.number]:
        raise _bad(f"field {field.number} has wire type {field.wire}")
    if field.number in found:
        raise _bad(f"field {field.number} occurs twice")


def _message(found: dict[int, Field], blocksizes: tuple[int, ...]) -> UnixFs:
    if 1 not in found:
        raise _bad("there is no Type")
    try:
        type_ = UnixFsType(found[1].value)
    except ValueError:
        raise _bad(f"the Type {found[1].value} is unknown") from None
    mode = found[7].value if 7 in found else None
    if mode is not None and mode > _MAX_UINT32:
        raise _bad("mode takes more than 32 bits")
    return UnixFs(
        type_,
        found[2].data if 2 in found else None,
        found[3].value if 3 in found else None,
        blocksizes,
        found[5].value if 5 in found else None,
        found[6].value if 6 in found else None,
        None if mode is None else mode & MODE_BITS,
        _decode_mtime(found[8].data) if 8 in found else None,
    )


def _decode_mtime(data: bytes) -> Mtime:
    seconds = nanos = None
    position = 0
    while position < len(data):
        field = decode_field(data, position)
        position = field.end
        if (field.number, field.wire) == (1, VARINT) and seconds is None:
            seconds = field.value - (1 << 64) if field.value >> 63 else field.value
        elif (field.number, field.wire) == (2, FIXED32) and nanos is None:
            nanos = field.value
        elif field.number in (1, 2):
            raise _bad(f"field {field.number} of mtime occurs twice or has wire type {field.wire}")
    if seconds is None:
        raise _bad("mtime has no seconds")
    if nanos is not None and not 1 <= nanos <= MAX_NANOS:
        raise _bad(f"mtime has {nanos} nanoseconds")
    return Mtime(seconds, nanos or 0)


def _bad(reason: str) -> BadBlock:
    return BadBlock("unixfs", reason)


def encode_unixfs(message: UnixFs) -> bytes:
    """Encode the message as other writers do: fields by number, blocksizes not packed.

    Raises:
        ValueError: a number does not fit its field.
    """
    out = bytearray(b"\x08" + encode_uint64(message.type))
    if message.data is not None:
        out += b"\x12" + encode_uint64(len(message.data)) + message.data
    if message.filesize is not None:
        out += b"\x18" + encode_uint64(message.filesize)
    for size in message.blocksizes:
        out += b"\x20" + encode_uint64(size)
    for tag, value in ((0x28, message.hash_type), (0x30, message.fanout), (0x38, message.mode)):
        if value is not None:
            out.append(tag)
            out += encode_uint64(value)
    if message.mtime is not None:
        body = _encode_mtime(message.mtime)
        out += b"\x42" + encode_uint64(len(body)) + body
    return bytes(out)


def _encode_mtime(mtime: Mtime) -> bytes:
    if not -(1 << 63) <= mtime.seconds < 1 << 63 or not 0 <= mtime.nanos <= MAX_NANOS:
        raise ValueError(f"{mtime} is not a time that UnixFS can hold")
    body = b"\x08" + encode_uint64(mtime.seconds & ((1 << 64) - 1))
    return body + (b"\x15" + mtime.nanos.to_bytes(4, "little") if mtime.nanos else b"")
