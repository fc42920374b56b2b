"""The pipeline from a parsed request to a reply, top to bottom."""

from collections.abc import Callable
from typing import Final

from gateway.content.path import ContentPath, MutablePath
from gateway.content.walk import Scope
from gateway.errors import (
    BadRequest,
    NoSuchLink,
    NotCached,
    NotFound,
    NotTraversable,
    RetrievalError,
)
from gateway.pipeline.contents import ContentReplies
from gateway.pipeline.drive import Reader
from gateway.pipeline.gate import PathGate
from gateway.pipeline.reply import Pages, Reply
from gateway.pipeline.websites import apply_rule, find_rule
from gateway.ports import BlockStore, Denials, Hop, NameResolver, Place, Resolution, Retriever
from gateway.protocol.answer import cached_answer
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.freshness import mutable_freshness
from gateway.protocol.headers import mark_stale
from gateway.protocol.record_answer import record_answer
from gateway.protocol.request import GatewayRequest

_SCANS: Final = frozenset({ResponseFormat.CAR, ResponseFormat.TAR})
"""Formats of whole DAGs."""


class Pipeline:
    """Answers requests for content.

    Args:
        retriever: opens the source of blocks of each request.
        store: the cache, for look-ups without a read.
        names: resolves mutable paths.
        pages: make directory listings and previews.
        denials: the denylist; None without one.
    """

    def __init__(
        self,
        retriever: Retriever,
        store: BlockStore,
        names: NameResolver,
        pages: Pages,
        denials: Denials | None = None,
    ) -> None:
        self._denials = denials
        self._retriever = retriever
        self._names = names
        self._contents = ContentReplies(retriever, store, pages)

    async def reply(
        self, request: GatewayRequest, place: Place | None, before_wait: Callable[[], None]
    ) -> Reply:
        """Return the reply to a request; the first bytes of its body are verified.

        Args:
            request: the parsed request.
            place: the client's place; None when it is not known.
            before_wait: called before each wait for a name, the cache or an upstream.

        Raises:
            ClientError, ContentError, RetrievalError: before anything is sent.
        """
        path = request.path
        if self._denials is not None and isinstance(path, MutablePath):
            self._denials.check(path)  # before the name is resolved
        if request.format is ResponseFormat.IPNS_RECORD:
            return await self._record(request, before_wait)
        if isinstance(path, ContentPath):
            return await self._open(request, path, self._gate(), place, before_wait)
        before_wait()
        return await self._reply_named(request, path, place, before_wait)

    async def _reply_named(
        self,
        request: GatewayRequest,
        path: MutablePath,
        place: Place | None,
        before_wait: Callable[[], None],
    ) -> Reply:
        """Reply for a name; if a stale target lacks the content, resolve the name anew once."""
        found = await self._names.resolve(path, cached_only=request.only_if_cached)
        if not found.is_stale or request.only_if_cached:
            return await self._open_named(request, found, place, before_wait)
        try:
            reply = await self._open_named(request, found, place, before_wait)
        except (NoSuchLink, NotFound):
            newer = await self._names.resolve(path, is_afresh=True)
            if newer.path == found.path:
                raise
        else:
            if not reply.says_absent:
                return reply
            newer = await self._names.resolve(path, is_afresh=True)
            if newer.path == found.path:
                return reply
            await reply.close()
        return await self._open_named(request, newer, place, before_wait)

    async def _open_named(
        self,
        request: GatewayRequest,
        found: Resolution,
        place: Place | None,
        before_wait: Callable[[], None],
    ) -> Reply:
        """Reply with the content that a name points to."""
        request = request._replace(freshness=mutable_freshness(found.ttl_s))
        reply = await self._open(request, found.path, self._gate(found.hops), place, before_wait)
        if found.is_stale:
            reply.answer = reply.answer._replace(headers=mark_stale(reply.answer.headers))
        return reply

    async def _record(self, request: GatewayRequest, before_wait: Callable[[], None]) -> Reply:
        path = request.path
        if isinstance(path, ContentPath) or isinstance(path.name, str) or path.segments:
            raise BadRequest("format", "an IPNS record is at /ipns/{key}, without a further path")
        before_wait()
        record = await self._names.get_record(path.name, cached_only=request.only_if_cached)
        return Reply(record_answer(request, path.name, record.data, record.max_age_s))

    async def _open(
        self,
        request: GatewayRequest,
        path: ContentPath,
        gate: PathGate | None,
        place: Place | None,
        before_wait: Callable[[], None],
    ) -> Reply:
        """Reply with the content of a path; with `only-if-cached`, only from the cache."""
        if gate is not None:
            gate.check(path)
        is_cached_only = request.only_if_cached
        source = self._retriever.open_session(
            place, cached_only=is_cached_only, is_scan=request.format in _SCANS
        )
        reader = Reader(source, before_wait, gate)
        try:
            if is_cached_only:
                return await self._follow_cached(request, path, reader)
            return await self._follow(request, path, reader)
        except BaseException:
            await source.close()
            raise

    def _gate(self, hops: tuple[Hop, ...] = ()) -> PathGate | None:
        return None if self._denials is None else PathGate(self._denials, hops)

    async def _follow_cached(
        self, request: GatewayRequest, path: ContentPath, reader: Reader
    ) -> Reply:
        """Reply as `_follow`, from the cache; a HEAD checks only the block at the end of the path.

        Raises:
            NotCached: a block that the answer needs is not in the cache.
        """
        try:
            if request.is_head and await _leads_to_block(reader, path):
                return Reply(cached_answer(request), None, reader.source)
            return await self._follow(request, path, reader)
        except RetrievalError as error:
            raise NotCached(error.cid) from error

    async def _follow(self, request: GatewayRequest, path: ContentPath, reader: Reader) -> Reply:
        """Reply with the content at a path; if there is none, apply the site's `_redirects`."""
        try:
            return await self._contents.reply(request, path, reader)
        except (NoSuchLink, NotTraversable):
            if not request.site.is_isolated or request.format is not ResponseFormat.UNIXFS:
                raise
            match = await find_rule(reader, path)
            if match is None:
                raise
        return await apply_rule(self._contents, match, request, path, reader)


async def _leads_to_block(reader: Reader, path: ContentPath) -> bool:
    try:
        return not (await reader.resolve(path, Scope.BLOCK)).remainder
    except (NoSuchLink, NotTraversable):
        return False
