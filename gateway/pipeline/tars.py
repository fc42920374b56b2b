"""Replies with a TAR."""

from collections.abc import AsyncGenerator
from functools import partial

from gateway.content.car_walk import walk_car
from gateway.content.effort import is_long
from gateway.content.path import ContentPath
from gateway.content.resolve import Resolved
from gateway.content.tar import walk_tar
from gateway.content.unixfs import OpaqueEntity, Piece
from gateway.pipeline.drive import Reader, chain
from gateway.pipeline.reply import Reply
from gateway.protocol.answer import BodyTar, Source, tar_answer
from gateway.protocol.etags import tar_etag
from gateway.protocol.request import GatewayRequest


async def reply_with_tar(
    request: GatewayRequest, path: ContentPath, reader: Reader, resolved: Resolved
) -> Reply:
    """Return a reply with a TAR, once its first piece is made.

    Raises:
        NotArchivable, BadBlock: as `walk_tar`, before anything is sent.
        PreconditionFailed: as `tar_answer`.
    """
    entity = await reader.open(resolved)
    if request.only_if_cached and not request.is_head:
        await reader.require(walk_car(resolved.cid, is_unique=True))
    check = None if reader.gate is None else partial(reader.gate.check_below, path)
    steps = walk_tar(entity, str(resolved.cid), check)
    is_slow = is_long(resolved.cid, resolved.block.data)  # each name in it is looked at
    pieces: AsyncGenerator[Piece, None] = reader.stream(steps, is_slow_to_start=is_slow)
    first = await anext(pieces)
    mtime = None if isinstance(entity, OpaqueEntity) else entity.mtime
    source = Source(tar_etag(resolved.cid), resolved.roots, mtime=mtime.seconds if mtime else None)
    answer = tar_answer(request, source)
    if not isinstance(answer.body, BodyTar):
        await pieces.aclose()
        return Reply(answer, None, reader.source).with_cache_fields()
    return Reply(answer, chain(first, pieces), reader.source).with_cache_fields()
