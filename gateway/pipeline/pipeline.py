"""From a parsed request to a reply, top to bottom."""

from collections.abc import Callable

from gateway.content.cid import CODEC_NAMES
from gateway.content.listing import list_directory
from gateway.content.resolve import Resolved, find_entry, resolve
from gateway.content.unixfs import (
    DirectoryEntity,
    FileEntity,
    OpaqueEntity,
    ShardEntity,
    SymlinkEntity,
)
from gateway.content.walk import Scope
from gateway.errors import BadIndex, BadRequest, NotAcceptable, NotCached
from gateway.pipeline.cars import read_car
from gateway.pipeline.documents import reply_with_block, reply_with_document, require_block
from gateway.pipeline.drive import Reader
from gateway.pipeline.files import FileReplies, range_hint
from gateway.pipeline.reply import Pages, Reply
from gateway.pipeline.tars import reply_with_tar
from gateway.ports import BlockStore, Place, Retriever
from gateway.protocol.answer import (
    BodyCar,
    BodyListing,
    Source,
    cached_answer,
    car_answer,
    check_preconditions,
    listing_answer,
    path_fields,
    redirect_answer,
    symlink_answer,
)
from gateway.protocol.block_answer import choose_block_format, require_default
from gateway.protocol.etags import car_etag, file_etag, listing_etag
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.headers import GENERATED
from gateway.protocol.redirects import slash_redirect
from gateway.protocol.request import GatewayRequest

INDEX_NAME = "index.html"


class Pipeline:
    """Answers requests for content.

    Args:
        retriever: opens the source of blocks for each request.
        store: where blocks are kept; asked only whether something is there.
        pages: make directory listings and previews.
    """

    def __init__(self, retriever: Retriever, store: BlockStore, pages: Pages) -> None:
        self._retriever = retriever
        self._store = store
        self._pages = pages
        self._files = FileReplies(retriever, store)

    async def reply(
        self, request: GatewayRequest, place: Place | None, before_wait: Callable[[], None]
    ) -> Reply:
        """Take one request to its reply; the first bytes of the body are verified by then.

        Args:
            request: what is asked for.
            place: where the client is, as far as it is known.
            before_wait: called before each wait for the cache or an upstream.

        Raises:
            ClientError, ContentError, RetrievalError: nothing was sent yet.
        """
        if request.format is ResponseFormat.IPNS_RECORD:
            raise BadRequest("format", "ipns-record is one of names: /ipns/{name}")
        if request.only_if_cached:
            await self._require_root(request)
            if request.is_head:
                return Reply(cached_answer(request))
        source = self._retriever.open_session(place)
        try:
            return await self._resolve(request, Reader(source, before_wait))
        except BaseException:
            await source.close()
            raise

    async def _require_root(self, request: GatewayRequest) -> None:
        root = request.path.root
        if root.is_identity or self._store.peek(root) is not None:
            return
        if await self._store.find(root) is None:
            raise NotCached(root)

    async def _resolve(self, request: GatewayRequest, reader: Reader) -> Reply:
        path, wanted = request.path, _wanted(request)
        resolved = await reader.drive(resolve(path.root, path.segments, *wanted))
        if request.format is ResponseFormat.CAR:
            return await self._car(request, reader, resolved)
        require_block(resolved)
        if request.format is ResponseFormat.RAW:
            return reply_with_block(request, reader, resolved, request.format)
        if request.format is ResponseFormat.TAR:
            return await reply_with_tar(request, reader, resolved)
        format_ = choose_block_format(request.format, resolved.cid)
        if format_ is None:
            return await self._unixfs(request, reader, resolved)
        return reply_with_document(request, reader, resolved, format_, self._pages.document)

    async def _car(self, request: GatewayRequest, reader: Reader, resolved: Resolved) -> Reply:
        source = Source(car_etag(resolved.cid, str(request.path), request.car), resolved.roots)
        answer = car_answer(request, source)
        pieces = None
        if isinstance(answer.body, BodyCar):
            pieces = read_car(reader, request, resolved.cid)
        return Reply(answer, pieces, reader.source).with_cache_fields()

    async def _unixfs(self, request: GatewayRequest, reader: Reader, resolved: Resolved) -> Reply:
        entity = resolved.entity
        mtime = None if isinstance(entity, OpaqueEntity) else entity.mtime
        source = Source(
            file_etag(resolved.cid), resolved.roots, mtime=mtime.seconds if mtime else None
        )
        if not isinstance(entity, FileEntity):
            require_default(request.format, entity.cid)
        match entity:
            case FileEntity():
                name = request.filename or (request.path.segments or ("",))[-1]
                return await self._files.reply(request, reader, entity, source, name)
            case DirectoryEntity() | ShardEntity():
                return await self._directory(request, reader, entity, source)
            case SymlinkEntity():
                answer = symlink_answer(request, source, entity.target)
                return Reply(answer, None, reader.source).with_cache_fields()
            case OpaqueEntity():
                raise _not_unixfs(entity)

    async def _directory(
        self,
        request: GatewayRequest,
        reader: Reader,
        entity: DirectoryEntity | ShardEntity,
        source: Source,
    ) -> Reply:
        if redirect := slash_redirect(request.path, request.query):
            fields = path_fields(request, source)
            return Reply(redirect_answer(redirect, fields), None, reader.source)
        index = await reader.drive(find_entry(entity, INDEX_NAME))
        if index is None:
            return self._listing(request, reader, entity, source)
        if unchanged := check_preconditions(request, source):
            return Reply(unchanged, None, reader.source).with_cache_fields()
        found = await reader.drive(resolve(index, (), Scope.ENTITY, *range_hint(request)))
        file = found.entity
        if not isinstance(file, FileEntity):
            raise BadIndex(entity.cid)
        return await self._files.reply(request, reader, file, source, INDEX_NAME)

    def _listing(
        self,
        request: GatewayRequest,
        reader: Reader,
        entity: DirectoryEntity | ShardEntity,
        source: Source,
    ) -> Reply:
        page = self._pages.directory
        etag = listing_etag(entity.cid, page.template_hash)
        generated = Source(etag, source.roots, GENERATED, source.mtime)
        answer = listing_answer(request, generated, page.headers)
        pieces = None
        if isinstance(answer.body, BodyListing):
            entries = reader.stream(list_directory(entity))
            pieces = page.render(request, entity.cid, entries)
        return Reply(answer, pieces, reader.source).with_cache_fields()


def _wanted(request: GatewayRequest) -> tuple[Scope, int, int | None]:
    """Return what will be wanted of the thing at the end of the path: scope, and bytes of it."""
    match request.format:
        case ResponseFormat.CAR:
            return request.car.scope, request.car.start, request.car.stop
        case ResponseFormat.TAR if not request.is_head:
            return Scope.ALL, 0, None
        case ResponseFormat.UNIXFS | ResponseFormat.JSON | ResponseFormat.CBOR:
            return Scope.ENTITY, *range_hint(request)
        case _:
            return Scope.BLOCK, 0, None


def _not_unixfs(entity: OpaqueEntity) -> NotAcceptable:
    codec = CODEC_NAMES.get(entity.codec, f"0x{entity.codec:x}")
    return NotAcceptable(
        f"{entity.cid} is a {codec} block without UnixFS: ask for ?format=raw or ?format=car"
    )
