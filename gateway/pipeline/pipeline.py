"""From a parsed request to a reply, top to bottom."""

from collections.abc import Callable

from gateway.content.cid import CODEC_NAMES, Cid
from gateway.content.listing import list_directory
from gateway.content.path import ContentPath, MutablePath
from gateway.content.resolve import Resolved, find_entry, resolve
from gateway.content.unixfs import (
    DirectoryEntity,
    FileEntity,
    OpaqueEntity,
    ShardEntity,
    SymlinkEntity,
)
from gateway.content.walk import Scope
from gateway.errors import BadIndex, BadRedirects, BadRequest, NoSuchLink, NotAcceptable, NotCached
from gateway.pipeline.cars import read_car
from gateway.pipeline.drive import Reader
from gateway.pipeline.files import FileReplies, range_hint
from gateway.pipeline.reply import DirectoryPage, Reply
from gateway.pipeline.websites import find_rule, rewrite
from gateway.ports import BlockStore, NameResolver, Place, Retriever
from gateway.protocol.answer import (
    Answer,
    Source,
    cached_answer,
    car_answer,
    check_preconditions,
    listing_answer,
    path_fields,
    redirect_answer,
    symlink_answer,
)
from gateway.protocol.etags import car_etag, file_etag, listing_etag, raw_etag
from gateway.protocol.file_answer import raw_answer
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.freshness import mutable_freshness
from gateway.protocol.headers import cache_status, location_text, mark_stale
from gateway.protocol.record_answer import record_answer
from gateway.protocol.redirects import Redirect, slash_redirect
from gateway.protocol.redirects_file import PAGES, REDIRECTS, Match, with_query
from gateway.protocol.request import GatewayRequest

INDEX_NAME = "index.html"


class Pipeline:
    """Answers requests for content.

    Args:
        retriever: opens the source of blocks for each request.
        store: where blocks are kept; asked only whether something is there.
        names: says what mutable paths point to.
        page: makes directory listings.
    """

    def __init__(
        self, retriever: Retriever, store: BlockStore, names: NameResolver, page: DirectoryPage
    ) -> None:
        self._retriever = retriever
        self._store = store
        self._names = names
        self._page = page
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
            return await self._record(request, before_wait)
        path, is_stale = request.path, False
        if isinstance(path, MutablePath):
            before_wait()
            found = await self._names.resolve(path)
            path, is_stale = found.path, found.is_stale
            request = request._replace(freshness=mutable_freshness(found.ttl_s))
        reply = await self._open(request, path, place, before_wait)
        if is_stale:
            reply.answer = reply.answer._replace(headers=mark_stale(reply.answer.headers))
        return reply

    async def _open(
        self,
        request: GatewayRequest,
        path: ContentPath,
        place: Place | None,
        before_wait: Callable[[], None],
    ) -> Reply:
        """Answer with the content of a path, or with what the cache says of it."""
        if request.only_if_cached:
            await self._require_root(path.root)
            if request.is_head:
                return Reply(cached_answer(request))
        source = self._retriever.open_session(place)
        try:
            return await self._follow(request, path, Reader(source, before_wait))
        except BaseException:
            await source.close()
            raise

    async def _record(self, request: GatewayRequest, before_wait: Callable[[], None]) -> Reply:
        path = request.path
        if isinstance(path, ContentPath) or isinstance(path.name, str) or path.segments:
            raise BadRequest("format", "an IPNS record is at /ipns/{key}, without a path behind it")
        before_wait()
        record = await self._names.get_record(path.name)
        return Reply(record_answer(request, path.name, record.data, record.max_age_s))

    async def _require_root(self, root: Cid) -> None:
        if root.is_identity or self._store.peek(root) is not None:
            return
        if await self._store.find(root) is None:
            raise NotCached(root)

    async def _follow(self, request: GatewayRequest, path: ContentPath, reader: Reader) -> Reply:
        """Answer with what stands at a path, or with what its website says where nothing does."""
        try:
            return await self._resolve(request, path, reader)
        except NoSuchLink:
            if not request.site.is_isolated or request.format is not ResponseFormat.UNIXFS:
                raise
            match = await find_rule(reader, path)
            if match is None:
                raise
        return await self._apply(request, path, reader, match)

    async def _apply(
        self, request: GatewayRequest, path: ContentPath, reader: Reader, match: Match
    ) -> Reply:
        """Do what a rule of the website says."""
        if match.status in REDIRECTS:
            location = location_text(with_query(match.to, request.query).encode())
            answer = redirect_answer(Redirect(location, match.status))
            return Reply(answer, None, reader.source)
        target = rewrite(path, match.to)
        if match.status not in PAGES:
            return await self._resolve(request, target, reader, is_rewritten=True)
        walk = resolve(target.root, target.segments, Scope.ENTITY)
        found = await reader.drive(walk)
        if not isinstance(found.entity, FileEntity):
            raise BadRedirects(f"{match.to[:100]!r} is not a file")
        source = Source(file_etag(found.cid), found.roots)
        page = await self._files.reply(request.plain(), reader, found.entity, source, INDEX_NAME)
        page.answer = page.answer._replace(status=match.status)
        return page

    async def _resolve(
        self,
        request: GatewayRequest,
        path: ContentPath,
        reader: Reader,
        *,
        is_rewritten: bool = False,
    ) -> Reply:
        scope, (start, stop) = Scope.ENTITY, range_hint(request)
        if request.format is ResponseFormat.RAW:
            scope, start, stop = Scope.BLOCK, 0, None
        elif request.format is ResponseFormat.CAR:
            scope, start, stop = request.car.scope, request.car.start, request.car.stop
        resolved = await reader.drive(resolve(path.root, path.segments, scope, start, stop))
        if request.format is ResponseFormat.RAW:
            return self._raw(request, reader, resolved)
        if request.format is ResponseFormat.CAR:
            return await self._car(request, path, reader, resolved)
        return await self._unixfs(request, path, reader, resolved, is_rewritten=is_rewritten)

    def _raw(self, request: GatewayRequest, reader: Reader, resolved: Resolved) -> Reply:
        source = Source(raw_etag(resolved.cid), resolved.roots)
        answer = raw_answer(request, source, resolved.block.data)
        return Reply(_with_cache_fields(answer, reader), None, reader.source)

    async def _car(
        self, request: GatewayRequest, path: ContentPath, reader: Reader, resolved: Resolved
    ) -> Reply:
        source = Source(car_etag(resolved.cid, str(path), request.car), resolved.roots)
        answer = _with_cache_fields(car_answer(request, source), reader)
        pieces = None
        if answer.status == 200 and not request.is_head:
            pieces = read_car(reader, path, request.car, resolved.cid)
        return Reply(answer, pieces, reader.source)

    async def _unixfs(
        self,
        request: GatewayRequest,
        path: ContentPath,
        reader: Reader,
        resolved: Resolved,
        *,
        is_rewritten: bool,
    ) -> Reply:
        entity = resolved.entity
        mtime = None if isinstance(entity, OpaqueEntity) else entity.mtime
        source = Source(
            file_etag(resolved.cid), resolved.roots, mtime=mtime.seconds if mtime else None
        )
        match entity:
            case FileEntity():
                name = request.filename or (path.segments or ("",))[-1]
                return await self._files.reply(request, reader, entity, source, name)
            case DirectoryEntity() | ShardEntity():
                redirect = slash_redirect(request.site, request.path, request.query)
                if redirect is not None and not is_rewritten:
                    fields = path_fields(request, source)
                    return Reply(redirect_answer(redirect, fields), None, reader.source)
                return await self._directory(request, reader, entity, source)
            case SymlinkEntity():
                answer = symlink_answer(request, source, entity.target)
                return Reply(_with_cache_fields(answer, reader), None, reader.source)
            case OpaqueEntity():
                raise _not_unixfs(entity)

    async def _directory(
        self,
        request: GatewayRequest,
        reader: Reader,
        entity: DirectoryEntity | ShardEntity,
        source: Source,
    ) -> Reply:
        index = await reader.drive(find_entry(entity, INDEX_NAME))
        if index is None:
            return self._listing(request, reader, entity, source)
        if unchanged := check_preconditions(request, source):
            return Reply(_with_cache_fields(unchanged, reader), None, reader.source)
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
        etag = listing_etag(entity.cid, self._page.template_hash)
        generated = Source(etag, source.roots, is_generated=True, mtime=source.mtime)
        answer = listing_answer(request, generated, self._page.headers)
        answer = _with_cache_fields(answer, reader)
        pieces = None
        if answer.status == 200 and not request.is_head:
            entries = reader.stream(list_directory(entity))
            pieces = self._page.render(request, entity.cid, entries)
        return Reply(answer, pieces, reader.source)


def _with_cache_fields(answer: Answer, reader: Reader) -> Answer:
    trace = reader.source.trace
    return answer.plus(cache_status(trace.found, trace.fetched))


def _not_unixfs(entity: OpaqueEntity) -> NotAcceptable:
    codec = CODEC_NAMES.get(entity.codec, f"0x{entity.codec:x}")
    return NotAcceptable(
        f"{entity.cid} is a {codec} block without UnixFS: ask for ?format=raw or ?format=car"
    )
