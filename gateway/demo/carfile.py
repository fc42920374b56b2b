"""Random access to the blocks of a CAR file on disk, by multihash.

CARv1: https://ipld.io/specs/transport/car/carv1/.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from gateway.content.block import Block, identity_block, verify
from gateway.content.cid import Cid, decode_cid
from gateway.content.multibase import MAX_CHARACTERS
from gateway.content.varint import decode_varint
from gateway.errors import BadCar, BadCid, BlockAbsent

_HEAD_BYTES = 10 + MAX_CHARACTERS
"""Enough of a section to hold its length and its CID."""


class CarFile:
    """A CAR file whose blocks are read on demand; only their offsets are in memory.

    Raises:
        BadCar: the file is malformed or truncated.
        OSError: it cannot be opened or read.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            self._sections = self._index()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._sections)

    def __contains__(self, cid: Cid) -> bool:
        return cid.is_identity or cid.multihash in self._sections

    def get(self, cid: Cid) -> Block:
        """Return a verified block.

        Raises:
            BlockAbsent: the file does not have it.
            BadBlock: the bytes in the file do not match the CID.
        """
        if cid.is_identity:
            return identity_block(cid)
        section = self._sections.get(cid.multihash)
        if section is None:
            raise BlockAbsent(self._file.name, cid)
        _, start, stop = section
        return self._read(cid, start, stop)

    def read_all(self) -> Iterator[Block]:
        """Read every block, in the order of the file.

        Raises:
            BadBlock: at the first one whose bytes do not match its CID.
        """
        for cid, start, stop in self._sections.values():
            yield self._read(cid, start, stop)

    def _read(self, cid: Cid, start: int, stop: int) -> Block:
        return verify(cid, os.pread(self._file.fileno(), stop - start, start))

    def _index(self) -> dict[bytes, tuple[Cid, int, int]]:
        """Return the CID and the offsets of start and end of its data for each multihash."""
        end = os.fstat(self._file.fileno()).st_size
        sections: dict[bytes, tuple[Cid, int, int]] = {}
        try:
            position = sum(self._length_at(0))
            while position < end:
                size, head = self._length_at(position)
                cid, body = decode_cid(self._head_at(position + head))
                start, position = position + head + body, position + head + size
                sections.setdefault(cid.multihash, (cid, start, position))
        except BadCid as exc:
            raise BadCar(exc.reason, self._file.name) from exc
        if position != end:
            raise BadCar("it ends in the middle of a section", self._file.name)
        return sections

    def _length_at(self, position: int) -> tuple[int, int]:
        """Return the length of a section in bytes, and the length of that varint."""
        return decode_varint(self._head_at(position))

    def _head_at(self, position: int) -> bytes:
        return os.pread(self._file.fileno(), _HEAD_BYTES, position)
