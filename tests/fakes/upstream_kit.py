"""Everything between a request and its upstreams, put together as in production."""

from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from gateway.content.block import Block
from gateway.content.build import Built, Profile, build_file, collect
from gateway.content.cid import Cid
from gateway.content.read import read_file
from gateway.content.resolve import Resolved, resolve
from gateway.content.unixfs import FileEntity, Piece
from gateway.content.walk import Scope, Walk, Want
from gateway.net.public_address import is_public
from gateway.ports import BlockStore, Place
from gateway.settings import RetrievalSettings, SelectionSettings, UpstreamSettings
from gateway.upstream.balancing.holders import Holders
from gateway.upstream.balancing.pool import DEFAULT_POLICY, UpstreamPool
from gateway.upstream.retrieval.fetch import FetchContext
from gateway.upstream.retrieval.session import Retrieval, Session
from gateway.upstream.transport.client import SYSTEM, Hosts, TrustlessClient
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import DictStore

PATIENT = RetrievalSettings(first_byte_timeout=10, idle_timeout=10, total_timeout=15)
"""For upstreams that answer: a busy machine must not look like a silent upstream."""
QUICK = RetrievalSettings(first_byte_timeout=0.4, idle_timeout=0.4, total_timeout=15)
"""For upstreams that do not."""
SMALL = Profile(chunk_bytes=1024, max_links=4, raw_leaves=True, cid_version=1)
"""Many blocks and levels in a few kilobytes."""


class NoStore(DictStore):
    """A cache whose tiers are all off."""

    async def keep(self, block: Block, *, is_scan: bool = False) -> None:
        """Forget it."""


class Sample:
    """A file and its blocks."""

    def __init__(self, content: bytes, profile: Profile = SMALL) -> None:
        self.content = content
        self.built: Built
        self.built, self.blocks = collect(build_file(content, profile))

    @property
    def cid(self) -> Cid:
        return self.built.cid


def sample(size: int = 20_000, profile: Profile = SMALL) -> Sample:
    """Make a file in which no two blocks are the same."""
    return Sample(b"".join(n.to_bytes(8, "big") for n in range(size // 8)), profile)


class Kit:
    """A `Retrieval` with all that it needs; use as `async with`."""

    def __init__(
        self,
        *upstreams: UpstreamSettings,
        settings: RetrievalSettings = PATIENT,
        store: BlockStore | None = None,
        policy: SelectionSettings = DEFAULT_POLICY,
        may_be: Callable[[str], bool] = is_public,
        hosts: Hosts = SYSTEM,
        holders: Callable[[UpstreamPool, TrustlessClient], Holders] = Holders,
    ) -> None:
        self.clock = FakeClock()
        self.observer = RecordingObserver()
        self.store: BlockStore = DictStore() if store is None else store
        self.pool = UpstreamPool(upstreams, self.clock, self.observer, policy)
        self.client = TrustlessClient(settings, self.clock, may_be, hosts)
        self.context = FetchContext(
            self.store,
            self.pool,
            self.client,
            self.observer,
            self.clock,
            holders(self.pool, self.client),
        )
        self.retrieval = Retrieval(self.context, settings)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self.client.close)
        self._stack.push_async_callback(self.retrieval.close)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def blocks(self) -> dict[bytes, Block]:
        """What the store holds, which is a fake."""
        assert isinstance(self.store, DictStore)
        return self.store.blocks

    def state(self, upstream: str) -> str:
        """Return the state of an upstream as operators see it."""
        return next(str(row["state"]) for row in self.pool.rows() if row["name"] == upstream)

    def failures(self, upstream: str) -> dict[str, int]:
        """Return what an upstream failed in, by kind."""
        row = next(row for row in self.pool.rows() if row["name"] == upstream)
        failures: dict[str, int] = row["failures"]
        return failures

    async def read(
        self,
        cid: Cid,
        segments: tuple[str, ...] = (),
        start: int = 0,
        stop: int | None = None,
        place: Place | None = None,
    ) -> bytes:
        """Read a file, or a part of it, as one request."""
        session = self.retrieval.open_session(place)
        try:
            return await read(session, cid, segments, start, stop)
        finally:
            await session.close()


async def drive(session: Session, walk: Walk[Resolved]) -> Resolved:
    """Run a walk with the blocks of a session."""
    try:
        want = next(walk)
        while True:
            want = walk.send(await session.get(want))
    except StopIteration as stop:
        resolved: Resolved = stop.value
        return resolved


async def read(
    session: Session,
    cid: Cid,
    segments: tuple[str, ...] = (),
    start: int = 0,
    stop: int | None = None,
) -> bytes:
    """Read a file with the blocks of a session."""
    return b"".join([p async for p in pieces_of(session, cid, segments, start, stop)])


async def pieces_of(
    session: Session,
    cid: Cid,
    segments: tuple[str, ...] = (),
    start: int = 0,
    stop: int | None = None,
) -> AsyncIterator[Piece]:
    """Yield the pieces of a file as they come."""
    resolved = await drive(session, resolve(cid, segments, Scope.ENTITY, start, stop))
    assert isinstance(resolved.entity, FileEntity)
    steps = read_file(resolved.entity, start, stop)
    step = next(steps, None)
    while step is not None:
        if isinstance(step, Want):
            step = _send(steps, await session.get(step))
        else:
            yield step
            step = next(steps, None)


def _send(steps: Generator[Want | Piece, Block | None, None], block: Block) -> Want | Piece | None:
    try:
        return steps.send(block)
    except StopIteration:
        return None
