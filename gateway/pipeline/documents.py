"""Replies with one block: its bytes, or a preview page of the document in it."""

from functools import partial

from gateway.content.document import DECODERS, open_document
from gateway.content.resolve import Resolved
from gateway.errors import BadBlock, Unsupported
from gateway.offload import run_offloaded
from gateway.pipeline.drive import Reader
from gateway.pipeline.reply import DocumentPage, Reply
from gateway.protocol.answer import Source
from gateway.protocol.block_answer import block_answer, preview_answer
from gateway.protocol.etags import block_etag, preview_etag
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.request import GatewayRequest


def reply_with_block(
    request: GatewayRequest, reader: Reader, resolved: Resolved, format_: ResponseFormat
) -> Reply:
    """Return a reply with the bytes of the block, as the media type of `format_`.

    Raises:
        PreconditionFailed, RangeNotSatisfiable: as `block_answer`.
    """
    source = Source(block_etag(resolved.cid, format_), resolved.roots)
    answer = block_answer(request, source, resolved.block.data, format_)
    return Reply(answer, None, reader.source).with_cache_fields()


async def reply_with_document(
    request: GatewayRequest,
    reader: Reader,
    resolved: Resolved,
    format_: ResponseFormat,
    page: DocumentPage,
) -> Reply:
    """Return a reply with a document: a page for browsers that name no format, else its bytes.

    A block that cannot be decoded has no page, but its bytes match its CID: they are sent.

    Raises:
        PreconditionFailed, RangeNotSatisfiable: as `block_answer`.
    """
    wants_page = request.wants_html and not request.download
    is_shown = request.format is ResponseFormat.UNIXFS and resolved.cid.codec in DECODERS
    if not wants_page or not is_shown:
        return reply_with_block(request, reader, resolved, format_)
    try:
        value = await reader.look(resolved.block, open_document)
    except BadBlock:
        return reply_with_block(request, reader, resolved, format_)
    etag = preview_etag(resolved.cid, page.template_hash)
    data = await run_offloaded(partial(page.render, request, resolved.cid, value))
    answer = preview_answer(
        request, Source(etag, resolved.roots, is_generated=True), page.headers, data
    )
    return Reply(answer, None, reader.source).with_cache_fields()


def require_block(resolved: Resolved) -> None:
    """Check that the path ends at a block.

    Raises:
        Unsupported: it ends inside a block.
    """
    if resolved.remainder:
        rest = "/".join(resolved.remainder)
        raise Unsupported(
            f"{rest!r} is inside the block {resolved.cid}: request the block or a CAR"
        )
