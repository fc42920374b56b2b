"""Answers with a CAR."""

from collections.abc import AsyncIterator

from gateway.content.block import rename
from gateway.content.car import car_header, car_section
from gateway.content.car_walk import walk_car
from gateway.content.cid import Cid
from gateway.content.path import ContentPath
from gateway.content.unixfs import Piece
from gateway.pipeline.drive import Reader
from gateway.protocol.car import CarParams


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
    walk = walk_car(
        path.root, path.segments, car.scope, car.start, car.stop, is_unique=not car.dups
    )
    sent: set[bytes] = set()
    yield car_header((terminal,))
    try:
        want = next(walk)
        while True:
            block = await reader.get(want)
            if car.dups or want.cid.multihash not in sent:
                sent.add(want.cid.multihash)
                yield b"".join(car_section(rename(block, want.cid)))
            want = walk.send(block)
    except StopIteration:
        return
