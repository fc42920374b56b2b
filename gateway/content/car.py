"""CAR version 1, read and written as a stream: https://ipld.io/specs/transport/car/carv1/.

`CarParser` returns blocks unverified, as they are in the stream.
"""

from collections.abc import Sequence
from typing import Final

from gateway.content.block import MAX_BLOCK_BYTES, Block
from gateway.content.car_header import decode_header, encode_header
from gateway.content.cid import Cid, decode_cid, parse_cid
from gateway.content.multihash import MAX_IDENTITY_BYTES
from gateway.content.varint import MAX_BYTES, decode_varint, encode_varint
from gateway.errors import BadCar, BadCid

MAX_HEADER_BYTES: Final = 32 * 1024  # 700 roots; go-car allows 32 MiB
MAX_CID_BYTES: Final = 4 * MAX_BYTES + MAX_IDENTITY_BYTES  # four varints and the longest digest
MAX_SECTION_BYTES: Final = MAX_CID_BYTES + MAX_BLOCK_BYTES

NO_ROOT: Final = parse_cid("bafkqaaa")
"""The root in the header of a CAR which proves that nothing stands at a path; as in boxo, since
the header has to have one: https://github.com/ipfs/boxo/issues/440."""

_SMALL_PIECE_BYTES = 4096  # smaller pieces are joined as they arrive: a view alone takes 200 bytes


class CarParser:
    """Parses a CAR from pieces of any size; holds at most one section.

    The result does not depend on where the pieces are cut. A defect raises `BadCar` after all
    sections in front of it have been returned, if necessary in the next call.
    """

    def __init__(self) -> None:
        self.roots: tuple[Cid, ...] | None = None
        """The roots in the header, once it has arrived; untrusted."""
        self._rest = b""  # of the last piece: a length or a CID that does not end in it
        self._is_open = False  # inside of the header or of a block
        self._cid: Cid | None = None  # of the block; None is the header
        self._body: list[bytes | bytearray | memoryview] = []
        self._missing = 0
        self._error: BadCar | None = None

    def feed(self, data: bytes) -> list[tuple[Cid, bytes]]:
        """Return the sections that end in `data`, unverified.

        Raises:
            BadCar: not a CARv1, or one that is over a limit.
        """
        self._raise_error()
        sections: list[tuple[Cid, bytes]] = []
        try:
            self._feed(self._rest + data if self._rest else data, sections)
        except BadCar as exc:
            self._error = exc
            if not sections:
                raise
        return sections

    def finish(self) -> None:
        """Check that the stream ended after a section.

        Raises:
            BadCar: the stream ended inside the header or a section.
        """
        self._raise_error()
        if self.roots is None:
            raise BadCar("it ends inside its header")
        if self._rest or self._is_open:
            raise BadCar("it ends inside a section")

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _feed(self, data: bytes, sections: list[tuple[Cid, bytes]]) -> None:
        position = 0
        self._rest = b""
        while True:
            if not self._is_open:
                start = self._open(data, position)
                if start is None:
                    self._rest = data[position:]
                    return
                position = start
            end = position + self._missing
            if end > len(data):
                self._keep(data, position)
                return
            self._close(self._take(data, position, end), sections)
            position = end

    def _open(self, data: bytes, position: int) -> int | None:
        """Read the length, and the CID of a block; None when `data` ends inside of them."""
        found = _find_length(data, position)
        if found is None:
            return None
        length, position = found
        if self.roots is None:
            _check_length(length, MAX_HEADER_BYTES, "header")
            self._missing = length
        else:
            _check_length(length, MAX_SECTION_BYTES, "section")
            end = position + min(length, MAX_CID_BYTES)
            if end > len(data):
                return None
            self._cid, size = _decode_cid(data[position:end])
            _check_length(length - size, MAX_BLOCK_BYTES, "block", least=0)
            self._missing = length - size
            position += size
        self._is_open = True
        return position

    def _keep(self, data: bytes, start: int) -> None:
        """Keep a part of a body that does not end in this piece."""
        part = memoryview(data)[start:]
        self._missing -= len(part)
        if len(part) >= _SMALL_PIECE_BYTES:
            self._body.append(part)
        elif self._body and isinstance(last := self._body[-1], bytearray):
            last += part
        else:
            self._body.append(bytearray(part))

    def _take(self, data: bytes, start: int, end: int) -> bytes:
        if not self._body:
            return data[start:end]
        self._body.append(memoryview(data)[start:end])
        whole = b"".join(self._body)
        self._body.clear()
        return whole

    def _close(self, body: bytes, sections: list[tuple[Cid, bytes]]) -> None:
        self._is_open = False
        if self._cid is None:
            self.roots = decode_header(body)
        else:
            sections.append((self._cid, body))


def _find_length(data: bytes, position: int) -> tuple[int, int] | None:
    """Decode the length at `position`; None when `data` ends inside of it."""
    for end in range(position, min(len(data), position + MAX_BYTES)):
        if data[end] < 0x80:
            break
    else:
        if len(data) - position < MAX_BYTES:
            return None
    try:
        return decode_varint(data, position)
    except BadCid as exc:
        raise BadCar(f"it has a malformed length: {exc.reason}") from exc


def _check_length(length: int, most: int, kind: str, least: int = 1) -> None:
    if not least <= length <= most:
        raise BadCar(f"a {kind} of {length} bytes; from {least} to {most} are allowed")


def _decode_cid(data: bytes) -> tuple[Cid, int]:
    try:
        return decode_cid(data)
    except BadCid as exc:
        raise BadCar(f"a section with an {exc}") from exc


def car_header(roots: Sequence[Cid]) -> bytes:
    """Return the header of a CAR, with its length in front."""
    header = encode_header(roots)
    return encode_varint(len(header)) + header


def car_section(block: Block) -> list[bytes]:
    """Return the section of a block: length and CID, then the data, which is not copied."""
    cid = block.cid.encode()
    return [encode_varint(len(cid) + len(block.data)) + cid, block.data]
