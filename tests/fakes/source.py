"""A retriever over blocks in a dict: what it does not hold cannot be had."""

from collections.abc import Awaitable, Callable, Iterable

from gateway.content.block import Block, identity_block
from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.errors import Attempt, NotFound
from gateway.ports import BlockSource, Place, RetrievalTrace, Retriever, Tier


class DictSource:
    """The blocks of one request. Blocks in `near` are at hand at once, the others after a wait."""

    def __init__(
        self,
        far: dict[bytes, Block],
        near: dict[bytes, Block],
        before_get: Callable[[Want], Awaitable[None]] | None = None,
    ) -> None:
        self._before_get = before_get
        self.trace = RetrievalTrace()
        self.asked: list[Cid] = []
        self.is_closed = False
        self._far = far
        self._near = near

    def peek(self, cid: Cid) -> Block | None:
        if cid.is_identity:
            return identity_block(cid)
        block = self._near.get(cid.multihash)
        if block is not None:
            self.trace.found[Tier.MEMORY] = self.trace.found.get(Tier.MEMORY, 0) + 1
        return block

    async def get(self, want: Want) -> Block:
        self.asked.append(want.cid)
        if self._before_get is not None:
            await self._before_get(want)
        block = self._far.get(want.cid.multihash)
        if block is None:
            raise NotFound(want.cid, (Attempt("far", "raw", "does not have it"),))
        self.trace.fetched += 1
        return block

    async def close(self) -> None:
        self.is_closed = True


class DictRetriever:
    """Opens sources over the same blocks; remembers them."""

    def __init__(self, blocks: Iterable[Block] = (), near: Iterable[Block] = ()) -> None:
        self.far = {block.cid.multihash: block for block in blocks}
        self.near = {block.cid.multihash: block for block in near}
        self.sessions: list[DictSource] = []
        self.before_get: Callable[[Want], Awaitable[None]] | None = None
        self.on_open: Callable[[], None] | None = None

    def open_session(
        self, place: Place | None, *, cached_only: bool = False, is_scan: bool = False
    ) -> DictSource:
        if self.on_open is not None:
            self.on_open()
        session = DictSource({} if cached_only else self.far, self.near, self.before_get)
        self.sessions.append(session)
        return session


_source: BlockSource = DictSource({}, {})
_retriever: Retriever = DictRetriever()
