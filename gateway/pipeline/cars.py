"""Replies with a CAR."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from gateway.content.block import rename
from gateway.content.car import NO_ROOT, car_header, car_section
from gateway.content.car_walk import walk_car, walk_proof
from gateway.content.cid import CODEC_NAMES, DAG_PB, RAW, Cid
from gateway.content.path import ContentPath
from gateway.content.resolve import Resolved
from gateway.content.unixfs import FileEntity, Piece
from gateway.content.walk import Scope, Walk
from gateway.errors import BadRequest, NoSuchLink, NotTraversable
from gateway.pipeline.drive import Reader
from gateway.pipeline.reply import Reply
from gateway.protocol.answer import BodyCar, Source, car_answer
from gateway.protocol.car import CarParams
from gateway.protocol.etags import car_etag
from gateway.protocol.request import GatewayRequest

MAX_COPY_BYTES: Final = 64 * 1024
"""Larger blocks are sent as they are: a copy for each client that is slow to read would be
megabytes."""


async def reply_with_car(request: GatewayRequest, path: ContentPath, reader: Reader) -> Reply:
    """Answer with the CAR of what stands at a path, or of the proof that nothing does.

    Raises:
        NoSuchLink, NotTraversable: nothing stands there, as far as we can read what is on the path.
        ClientError, ContentError, RetrievalError: nothing was sent yet.
    """
    car = request.car
    try:
        resolved = await reader.resolve(path, car.scope, car.start, car.stop)
    except (NoSuchLink, NotTraversable) as error:
        if not _is_verified(error):
            raise
        return _reply_with_proof(request, path, reader)
    if car.scope is Scope.ALL:
        await reader.check_links(path, resolved)
    await require_range(reader, car, resolved)
    answer = car_answer(request, Source(car_etag(resolved.cid, str(path), car), resolved.roots))
    pieces = None
    if isinstance(answer.body, BodyCar):
        if request.only_if_cached:
            await reader.require(
                walk_car(resolved.cid, (), car.scope, car.start, car.stop, is_unique=True)
            )
        pieces = read_car(reader, path, car, resolved.cid)
    return Reply(answer, pieces, reader.source).with_cache_fields()


def _is_verified(error: NoSuchLink | NotTraversable) -> bool:
    """Tell whether the block where the path ends was read; not when its codec is unknown."""
    return isinstance(error.cid, Cid) and error.cid.codec in CODEC_NAMES


def _reply_with_proof(request: GatewayRequest, path: ContentPath, reader: Reader) -> Reply:
    """Answer with the blocks which show that nothing stands at a path.

    All of them were there a moment ago. What is proven of an immutable path stays true.
    """
    check_proof(reader, path)
    etag = car_etag(path.root, str(path), request.car)
    answer = car_answer(request, Source(etag, (path.root,)))
    has_body = isinstance(answer.body, BodyCar)
    pieces = read_proof(reader, path, request.car) if has_body else None
    return Reply(answer, pieces, reader.source, is_proof=True).with_cache_fields()


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
        reader: supplies the blocks.
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
    async for piece in _write(reader, walk, car, terminal):
        yield piece


def check_proof(reader: Reader, path: ContentPath) -> None:
    """Ask the denylist about all that may be in the proof that nothing stands at a path.

    The proof ends with all of what is last on the path, as does a CAR of that: a file below which
    the path goes on, or the names in a directory.

    Raises:
        Denied: it is blocked.
    """
    if reader.gate is not None:
        root = ContentPath(path.namespace, path.root, root_text=path.root_text)
        for end in range(len(path.segments)):
            reader.gate.check(root.below(*path.segments[:end]))


async def read_proof(reader: Reader, path: ContentPath, car: CarParams) -> AsyncIterator[Piece]:
    """Yield the CAR which proves that nothing stands at a path, block by block.

    Raises:
        RetrievalError, ContentError: as the walk; what was yielded until then is right.
    """
    walk = walk_proof(path.root, path.segments, car.scope)
    async for piece in _write(reader, walk, car, NO_ROOT):
        yield piece


async def _write(
    reader: Reader, walk: Walk[None], car: CarParams, root: Cid
) -> AsyncIterator[Piece]:
    """Yield a CAR of the blocks of a walk; `root` is the one in its header."""
    sent: set[bytes] = set()
    yield car_header((root,))
    async for want, block in reader.blocks(walk):
        if car.dups or want.cid.multihash not in sent:
            sent.add(want.cid.multihash)
            head, data = car_section(rename(block, want.cid))
            if len(data) <= MAX_COPY_BYTES:
                yield head + data
            else:
                yield head
                yield data
