"""Replies with the content at an immutable path, in the requested format."""

from gateway.content.car_walk import walk_car
from gateway.content.cid import CODEC_NAMES
from gateway.content.listing import list_directory
from gateway.content.path import ContentPath
from gateway.content.resolve import Resolved, find_entry, resolve
from gateway.content.unixfs import (
    DirectoryEntity,
    FileEntity,
    OpaqueEntity,
    ShardEntity,
    SymlinkEntity,
)
from gateway.content.walk import Scope
from gateway.errors import BadIndex, BadRedirects, NotAcceptable
from gateway.pipeline.cars import reply_with_car
from gateway.pipeline.documents import reply_with_block, reply_with_document, require_block
from gateway.pipeline.drive import Reader
from gateway.pipeline.files import FileReplies, range_hint
from gateway.pipeline.reply import Pages, Reply
from gateway.pipeline.tars import reply_with_tar
from gateway.ports import BlockStore, Retriever
from gateway.protocol.answer import (
    BodyListing,
    Source,
    check_preconditions,
    listing_answer,
    path_fields,
    redirect_answer,
    symlink_answer,
)
from gateway.protocol.block_answer import choose_block_format, require_default
from gateway.protocol.etags import file_etag, listing_etag
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.redirects import Redirect, slash_redirect
from gateway.protocol.request import GatewayRequest

INDEX_NAME = "index.html"


class ContentReplies:
    """Makes replies with content.

    Args:
        retriever: opens sources of blocks.
        store: the cache, for look-ups without a read.
        pages: make directory listings and previews.
    """

    def __init__(self, retriever: Retriever, store: BlockStore, pages: Pages) -> None:
        self._pages = pages
        self._files = FileReplies(retriever, store)

    async def reply(
        self,
        request: GatewayRequest,
        path: ContentPath,
        reader: Reader,
        *,
        is_rewritten: bool = False,
    ) -> Reply:
        """Return a reply with the content at `path`; the first bytes of its body are verified.

        Args:
            request: the request, with its format, ranges and preconditions.
            path: path of the content.
            reader: supplies the blocks.
            is_rewritten: whether `path` differs from the requested path and must stay hidden.

        Raises:
            ClientError, ContentError, RetrievalError: before anything is sent.
        """
        if request.format is ResponseFormat.CAR:
            return await reply_with_car(request, path, reader)
        scope, start, stop = _wanted(request)
        resolved = await reader.resolve(path, scope, start, stop)
        if request.format is ResponseFormat.TAR:
            await reader.check_links(path, resolved)
        require_block(resolved)
        if request.format is ResponseFormat.RAW:
            return reply_with_block(request, reader, resolved, request.format)
        if request.format is ResponseFormat.TAR:
            return await reply_with_tar(request, path, reader, resolved)
        format_ = choose_block_format(request.format, resolved.cid)
        if format_ is not None:
            page = self._pages.document
            return await reply_with_document(request, reader, resolved, format_, page)
        redirect = slash_redirect(request.site, request.path, request.query)
        slash = None if is_rewritten else redirect
        return await self._unixfs(request, path, reader, resolved, slash)

    async def reply_with_page(
        self, request: GatewayRequest, path: ContentPath, reader: Reader, status: int
    ) -> Reply:
        """Return a reply with the whole error page at `path`, without ranges or preconditions.

        Raises:
            BadRedirects: the page is not a file.
            ClientError, ContentError, RetrievalError: as `reply`.
        """
        found = await reader.resolve(path, Scope.ENTITY)
        file = await reader.open(found)
        if not isinstance(file, FileEntity):
            raise BadRedirects(f"the page for {status} is not a file")
        source = Source(file_etag(found.cid), found.roots)
        page = await self._files.reply(request.plain(), reader, file, source, INDEX_NAME)
        page.answer = page.answer._replace(status=status)
        return page

    async def _unixfs(
        self,
        request: GatewayRequest,
        path: ContentPath,
        reader: Reader,
        resolved: Resolved,
        slash: Redirect | None,
    ) -> Reply:
        """Reply with a file, a directory or a symlink; `slash` is the redirect for a directory."""
        entity = await reader.open(resolved)
        source = _source_of(resolved)
        if not isinstance(entity, FileEntity):
            require_default(request.format, entity.cid)
        match entity:
            case FileEntity():
                name = request.filename or (path.segments or ("",))[-1]
                return await self._files.reply(request, reader, entity, source, name)
            case DirectoryEntity() | ShardEntity() if slash is not None:
                answer = redirect_answer(slash, path_fields(request, source))
                return Reply(answer, None, reader.source)
            case DirectoryEntity() | ShardEntity():
                return await self._directory(request, path, reader, entity, source)
            case SymlinkEntity():
                answer = symlink_answer(request, source, entity.target)
                return Reply(answer, None, reader.source).with_cache_fields()
            case OpaqueEntity():
                raise _not_unixfs(entity)

    async def _directory(
        self,
        request: GatewayRequest,
        path: ContentPath,
        reader: Reader,
        entity: DirectoryEntity | ShardEntity,
        source: Source,
    ) -> Reply:
        index = await reader.drive(find_entry(entity, INDEX_NAME))
        if index is None:
            return await self._listing(request, reader, entity, source)
        if reader.gate is not None:
            reader.gate.check(path.below(INDEX_NAME))
        if unchanged := check_preconditions(request, source):
            return Reply(unchanged, None, reader.source).with_cache_fields()
        found = await reader.drive(resolve(index, (), Scope.ENTITY, *range_hint(request)))
        file = await reader.open(found)
        if not isinstance(file, FileEntity):
            raise BadIndex(entity.cid)
        return await self._files.reply(request, reader, file, source, INDEX_NAME)

    async def _listing(
        self,
        request: GatewayRequest,
        reader: Reader,
        entity: DirectoryEntity | ShardEntity,
        source: Source,
    ) -> Reply:
        page = self._pages.directory
        etag = listing_etag(entity.cid, page.template_hash)
        generated = Source(etag, source.roots, is_generated=True, mtime=source.mtime)
        answer = listing_answer(request, generated, page.headers)
        pieces = None
        if isinstance(answer.body, BodyListing):
            if request.only_if_cached:
                await reader.require(walk_car(entity.cid, (), Scope.ENTITY))
            entries = reader.stream(list_directory(entity))
            pieces = page.render(request, entity.cid, entries)
        return Reply(answer, pieces, reader.source).with_cache_fields()


def _source_of(resolved: Resolved) -> Source:
    entity = resolved.entity
    mtime = None if isinstance(entity, OpaqueEntity) else entity.mtime
    seconds = mtime.seconds if mtime else None
    return Source(file_etag(resolved.cid), resolved.roots, mtime=seconds)


def _wanted(request: GatewayRequest) -> tuple[Scope, int, int | None]:
    """Return `(scope, start, stop)` of what the answer needs at the end of the path."""
    match request.format:
        case ResponseFormat.TAR if not request.is_head:
            return Scope.ALL, 0, None
        case ResponseFormat.UNIXFS | ResponseFormat.JSON | ResponseFormat.CBOR:
            return Scope.ENTITY, *range_hint(request)
        case _:
            return Scope.BLOCK, 0, None


def _not_unixfs(entity: OpaqueEntity) -> NotAcceptable:
    codec = CODEC_NAMES.get(entity.codec, f"0x{entity.codec:x}")
    return NotAcceptable(
        f"{entity.cid} is a {codec} block without UnixFS: request ?format=raw or ?format=car"
    )
