"""Answers with a CAR."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from gateway.content.block import rename
from gateway.content.car import car_header, car_section
from gateway.content.car_walk import walk_car
from gateway.content.cid import DAG_PB, RAW, Cid
from gateway.content.path import ContentPath
from gateway.content.resolve import Resolved
from gateway.content.unixfs import FileEntity, Piece
from gateway.errors import BadRequest
from gateway.pipeline.drive import Reader
from gateway.protocol.car import CarParams

MAX_COPY_BYTES: Final = 64 * 1024
"""Larger blocks are sent as they are: a copy for each client that is slow to read would be
megabytes."""


async def require_range(reader: Reader, car: CarParams, resolved: Resolved) -> None:
    """Check that some of the bytes that are asked for are in the file, if it is one.

    Raises:
        BadRequest: the range lies outside of it (trustless-gateway.md asks for 400).
        BadBlock: a malformed file.
    """
    if (car.start, car.stop) == (0, None) or resolved.cid.codec not in (RAW, DAG_PB):
        return
    file = await reader.open(resolved)
    if isinstance(file, FileEntity) and file.size:
        start, stop, _ = slice(car.start, car.stop).indices(file.size)
        if start >= stop:
            raise BadRequest("entity-bytes", f"nothing of it is in the {file.size} bytes")


async def read_car(
    reader: Reader, path: ContentPath, car: CarParams, terminal: Cid
) -> AsyncIterator[Piece]:
    """Yield a CAR, block by block.

    Args:
        reader: gives the blocks.
        path: the blocks on it come first.
        car: which blocks of what stands at its end.
        terminal: CID at the end of the path; the one root in the header.

    Raises:
        RetrievalError, ContentError: as the walk; what was yielded until then is right.
    """
    check = None if reader.gate is None else partial(reader.gate.check_below, path)
    walk = walk_car(
        path.root,
        path.segments,
        car.scope,
        car.start,
        car.stop,
        is_unique=not car.dups,
        check=check,
    )
    sent: set[bytes] = set()
    yield car_header((terminal,))
    async for want, block in reader.blocks(walk):
        if car.dups or want.cid.multihash not in sent:
            sent.add(want.cid.multihash)
            head, data = car_section(rename(block, want.cid))
            if len(data) <= MAX_COPY_BYTES:
                yield head + data
            else:
                yield head
                yield data
