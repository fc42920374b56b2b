"""Replies with the bytes of a file."""

from collections.abc import AsyncGenerator, AsyncIterator

from gateway.content.read import level_below, read_file
from gateway.content.unixfs import FileEntity, Piece
from gateway.errors import RangeNotSatisfiable, RetrievalError
from gateway.pipeline.cached import require_file
from gateway.pipeline.drive import Reader, chain
from gateway.pipeline.reply import Pieces, Reply
from gateway.ports import BlockStore, RetrievalTrace, Retriever
from gateway.protocol.answer import Answer, Body, BodyBytes, BodyFile, BodyParts, Source
from gateway.protocol.block_answer import check_file_format
from gateway.protocol.file_answer import file_answer
from gateway.protocol.formats import ResponseFormat, media_type
from gateway.protocol.headers import cache_status
from gateway.protocol.media import SNIFF_BYTES, guess_type, sniff
from gateway.protocol.ranges import parse_range
from gateway.protocol.request import GatewayRequest

MAX_PRESENCE_CHECKS = 4096
"""Limit of the leaves looked up, without a read, to tell a hit from a partial hit."""

_UNKNOWN_TYPE = b"application/octet-stream"
_ENDLESS = 1 << 62  # stands for the size of a file that is not known yet


def range_hint(request: GatewayRequest) -> tuple[int, int | None]:
    """Return the bytes that the answer needs, as a Python slice, before the file's size is known.

    It is only a hint: it selects the bytes that one request to an upstream asks for.
    """
    if request.is_head:
        return 0, 1  # the root has the size, the first leaf shows the content type
    try:
        found = parse_range(request.range_header, _ENDLESS)
    except RangeNotSatisfiable:  # the path may turn out not to be a file
        return 0, 1
    if found is None:
        return 0, None
    start, stop = found[0]
    if start > _ENDLESS // 2:  # the last n bytes
        return start - _ENDLESS, None
    return start, None if stop == _ENDLESS else stop


class FileReplies:
    """Makes replies with files."""

    def __init__(self, retriever: Retriever, store: BlockStore) -> None:
        self._retriever = retriever
        self._store = store

    async def reply(
        self, request: GatewayRequest, reader: Reader, file: FileEntity, source: Source, name: str
    ) -> Reply:
        """Return a reply with `file`, once the first piece of its body is verified.

        Raises:
            NotAcceptable: the file is not of the requested format.
            PreconditionFailed, RangeNotSatisfiable: as `file_answer`.
            RetrievalError, BadBlock: the first piece cannot be retrieved.
        """
        type_ = guess_type(name) if name else None
        has_read_head = False
        if request.format is not ResponseFormat.UNIXFS and type_ != media_type(request.format):
            type_, has_read_head = sniff(await _read_head(reader, file)), True
            check_file_format(request.format, file.cid, type_)
        answer = file_answer(request, source, file.size, type_ or _UNKNOWN_TYPE)
        if type_ is None and answer.status in (200, 206):
            first_byte = answer.body.start if isinstance(answer.body, BodyFile) else 0
            type_, has_read_head = await self._sniff(reader, file, first_byte), first_byte == 0
            answer = file_answer(request, source, file.size, type_)
        if request.only_if_cached:
            await self._require(reader, file, answer.body)
        trace = reader.source.trace
        if has_read_head:
            # The body reads the blocks again that were read for the type: those are no hits.
            trace = RetrievalTrace(dict(trace.found), trace.fetched)
        return await self._with_body(reader, file, answer, trace)

    async def _require(self, reader: Reader, file: FileEntity, body: Body) -> None:
        """Check that the cache holds the body."""
        match body:
            case BodyFile(start, stop):
                await require_file(reader, self._store, file, start, stop)
            case BodyParts(parts):
                for part in parts:
                    await require_file(reader, self._store, file, part.start, part.stop)
            case _:
                pass

    async def _with_body(
        self, reader: Reader, file: FileEntity, answer: Answer, trace: RetrievalTrace
    ) -> Reply:
        body = answer.body
        if isinstance(body, BodyFile):
            answer, pieces = await _open_body(reader, file, answer, body)
        elif isinstance(body, BodyParts):
            parts = _read_parts(reader, file, body)
            pieces = chain(await anext(parts), parts)
        else:
            pieces = None
        fetched = trace.fetched
        if not fetched and pieces is not None and isinstance(body, BodyFile):
            level = level_below(file, 0, body.start, body.stop)
            fetched = not await self._store.has_all(level.cids[:MAX_PRESENCE_CHECKS])
        return Reply(answer.plus(cache_status(trace.found, fetched)), pieces, reader.source)

    async def _sniff(self, reader: Reader, file: FileEntity, first_byte: int) -> bytes:
        """Return the first bytes of the file; none if a range starts later and they need a wait."""
        if first_byte == 0:
            return sniff(await _read_head(reader, file))
        cached = Reader(self._retriever.open_session(None, cached_only=True), _do_nothing)
        try:
            return sniff(await _read_head(cached, file))
        except RetrievalError:
            return _UNKNOWN_TYPE
        finally:
            await cached.source.close()


def _do_nothing() -> None:
    """Replace the watch over a client, since nothing here waits long."""


async def _read_head(reader: Reader, file: FileEntity) -> bytes:
    pieces = _read(reader, file, 0, min(SNIFF_BYTES, file.size))
    return b"".join([piece async for piece in pieces])


def _read(reader: Reader, file: FileEntity, start: int, stop: int) -> AsyncGenerator[Piece, None]:
    return reader.stream(read_file(file, start, stop))


async def _open_body(
    reader: Reader, file: FileEntity, answer: Answer, body: BodyFile
) -> tuple[Answer, Pieces | None]:
    """Wait for the first piece, so that a failure before it still gets an error status."""
    pieces = _read(reader, file, body.start, body.stop)
    first = await anext(pieces, b"")
    if len(first) < body.stop - body.start:
        return answer, chain(first, pieces)
    await anext(pieces, None)  # ends the generator, which is cheaper than leaving it to the GC
    return Answer(answer.status, answer.headers, BodyBytes(bytes(first))), None


async def _read_parts(reader: Reader, file: FileEntity, body: BodyParts) -> AsyncIterator[Piece]:
    for part in body.parts:
        # The preamble is sent with the first bytes of the part: a reply starts with verified bytes.
        preamble: Piece = part.preamble
        async for piece in _read(reader, file, part.start, part.stop):
            if preamble:
                yield preamble
                preamble = b""
            yield piece
    yield body.epilogue
