"""Replies of the pipeline, and the pages that it needs for them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple, Protocol

from gateway.content.cid import Cid
from gateway.content.ipld import Value
from gateway.content.listing import DirectoryEntry
from gateway.content.unixfs import Piece
from gateway.ports import BlockSource, RetrievalTrace
from gateway.protocol.answer import Answer
from gateway.protocol.headers import Headers, cache_status
from gateway.protocol.request import GatewayRequest

Pieces = AsyncIterator[Piece]
"""The verified pieces of a body, in order and of any size."""


@dataclass(slots=True)
class Reply:
    """An answer with its body and the trace of its blocks."""

    answer: Answer
    pieces: Pieces | None = None
    """The body; None when the answer itself holds it."""
    source: BlockSource | None = None
    """The source of blocks, open until the body is sent; None when no block is needed."""
    is_proof: bool = False
    """Whether it is the proof that nothing stands at the path."""

    @property
    def says_absent(self) -> bool:
        """Whether it says that nothing stands at the path."""
        return self.is_proof or self.answer.status == HTTPStatus.NOT_FOUND

    @property
    def trace(self) -> RetrievalTrace | None:
        """Where the blocks came from; grows while the body is sent."""
        return None if self.source is None else self.source.trace

    def with_cache_fields(self) -> "Reply":
        """Return the same reply with `Cache-Status`, made from the blocks read so far."""
        trace = self.trace
        if trace is None:
            return self
        fields = cache_status(trace.found, trace.fetched)
        return Reply(self.answer.plus(fields), self.pieces, self.source, self.is_proof)

    async def close(self) -> None:
        """Close the source of blocks."""
        if self.source is not None:
            await self.source.close()


class DirectoryPage(Protocol):
    """Makes the page of a directory. Production: `gateway.web.pages.listing.ListingPage`."""

    template_hash: str
    """Changes with the look of the page; a part of its ETag."""
    headers: Headers
    """Fields of the page itself, such as its Content-Security-Policy."""

    def render(
        self, request: GatewayRequest, cid: Cid, entries: AsyncIterator[DirectoryEntry]
    ) -> Pieces:
        """Yield the page in pieces, as the entries come."""
        ...


class DocumentPage(Protocol):
    """Makes the page of a document. Production: `gateway.web.pages.document.PreviewPage`."""

    template_hash: str
    """Changes with the look of the page; a part of its ETag."""
    headers: Headers
    """Fields of the page itself, such as its Content-Security-Policy."""

    def render(self, request: GatewayRequest, cid: Cid, value: Value) -> bytes:
        """Return the page of the document `cid`; of a bounded size."""
        ...


class Pages(NamedTuple):
    """The pages that the gateway makes of content."""

    directory: DirectoryPage
    document: DocumentPage
