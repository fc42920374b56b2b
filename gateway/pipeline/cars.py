"""Answers with a CAR."""

from collections.abc import AsyncIterator

from gateway.content.block import rename
from gateway.content.car import car_header, car_section
from gateway.content.car_walk import walk_car
from gateway.content.cid import Cid
from gateway.content.unixfs import Piece
from gateway.pipeline.drive import Reader
from gateway.protocol.request import GatewayRequest


async def read_car(reader: Reader, request: GatewayRequest, terminal: Cid) -> AsyncIterator[Piece]:
    """Yield the CAR that the request asks for, block by block.

    Args:
        reader: gives the blocks.
        request: its path and `car` say which blocks.
        terminal: CID at the end of the path; the one root in the header.

    Raises:
        RetrievalError, ContentError: as the walk; what was yielded until then is right.
    """
    path, car = request.path, request.car
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
