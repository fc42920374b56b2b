"""A request to an upstream that runs in a task of its own, for as long as somebody wants it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, final

from typing_extensions import override

from gateway.content.block import Block, verify
from gateway.content.cid import Cid
from gateway.errors import BadBlock, BlockAbsent, BlockMismatch, UpstreamError
from gateway.net.budget import HedgeBudget, RetryBudget
from gateway.ports import BlockStore, Clock, Observer, Rejection
from gateway.upstream.balancing.holders import Holders
from gateway.upstream.balancing.pool import UpstreamCall, UpstreamPool
from gateway.upstream.retrieval.attempts import Failure, failure_of
from gateway.upstream.retrieval.in_flight import Entry, Gone, InFlight, Landed
from gateway.upstream.retrieval.negative_cache import NegativeCache
from gateway.upstream.retrieval.race import Race, Runner
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from gateway.upstream.retrieval.recent_failures import RecentFailures
from gateway.upstream.transport.client import TrustlessClient
from gateway.upstream.transport.request import Step

LINGER_S: Final = 0.2
"""How long a fetch outlives its last reader: a browser that seeks closes one request and opens
the next."""
BLOCK_WISE_S: Final = 300.0  # before CARs are tried again where they were of no use


@dataclass(frozen=True, slots=True)
class FetchContext:
    """What every fetch works with."""

    store: BlockStore
    pool: UpstreamPool
    client: TrustlessClient
    observer: Observer
    clock: Clock
    holders: Holders
    in_flight: InFlight = field(default_factory=InFlight)
    negative_cache: NegativeCache = field(default_factory=NegativeCache)
    recent_failures: RecentFailures = field(default_factory=RecentFailures)
    hedges: HedgeBudget = field(default_factory=HedgeBudget)
    retries: RetryBudget = field(default_factory=RetryBudget)
    parts: set[tuple[bytes, int]] = field(default_factory=set[tuple[bytes, int]])
    """Parts of large files under way: the file's multihash, and where they begin."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    """Running fetches; the event loop itself holds them only weakly."""


class Fetch(ABC):
    """One request under way, the entries that it will settle, and the readers that count on it.

    Args:
        tools: what it works with.
        exchange: the books of the request.
        leader: the reader on whose shelf blocks go that nobody waits for.
    """

    step: Step
    is_indirect = False
    """Whether it names the block by a root or a path above it."""
    has_range = False
    """Whether the request names bytes of a file."""

    def __init__(self, context: FetchContext, exchange: UpstreamCall, leader: ReaderBuffer) -> None:
        self.context = context
        self.exchange = exchange
        self.leader: ReaderBuffer | None = leader
        self.readers_waiting = 0
        self.delivered = 0
        """Blocks that came, were right and were due."""
        self.delivered_bytes = 0
        self.received_bytes = 0
        """All of the body that came, whatever it is worth."""
        self.began_at = context.clock.monotonic()
        self.raced_at = -inf
        """When another one was asked last because this one had stalled; monotonic."""
        self.rivals: set[str] = set()
        """Who was asked for the same then."""
        self.on_delivery: Callable[[str], None] | None = None
        """Told the upstream's name when the first block has come."""
        self._entries: dict[bytes, Entry] = {}
        self._reader_buffers: set[ReaderBuffer] = set()
        self.failure: Failure | None = None
        self.on_end: Callable[[], None] | None = None
        self.race: Race | None = None
        """While others are to bring the same, and none has."""
        self._task: asyncio.Task[None] | None = None
        self._goodbye: asyncio.TimerHandle | None = None
        self.join(leader)

    @abstractmethod
    async def fetch(self) -> None:
        """Bring the blocks.

        Raises:
            UpstreamError: the upstream does not, or not all of them.
        """

    def start(self, multihash: bytes, entry: Entry) -> None:
        """Begin, with the entry of the block that is wanted first."""
        self.adopt(multihash, entry)
        self._launch()

    def start_beside(self, other: "Fetch") -> None:
        """Begin a race with a fetch that is to bring the same block."""
        if other.race is None:
            other.race = Race(other)
        self.race = other.race
        self.race.join(self)
        self._launch()

    def _launch(self) -> None:
        self._task = asyncio.create_task(self._run())
        self.context.tasks.add(self._task)
        self._task.add_done_callback(self._end)
        self.exchange.on_ejection = self._give_up

    @property
    def is_running(self) -> bool:
        """Whether more may come."""
        return self._task is not None and not self._task.done()

    @property
    def is_waiting(self) -> bool:
        """Whether it runs alone, is wanted, and nothing has come yet."""
        return (
            self.is_running
            and self.race is None
            and bool(self._reader_buffers)
            and not self.delivered
        )

    def adopt(self, multihash: bytes, entry: Entry) -> None:
        """Bring the block of an entry that nobody else brings."""
        entry.hand_to(self)
        self._entries[multihash] = entry

    def give_up(self, multihash: bytes) -> None:
        """Leave a block to another one, who adopts its entry."""
        self._entries.pop(multihash, None)

    def brings(self, multihash: bytes) -> bool:
        """Tell whether it is about to bring a block."""
        return multihash in self._entries

    @final
    async def _run(self) -> None:
        try:
            await self.fetch()
        except UpstreamError as error:
            self._note(error)

    def _note(self, error: UpstreamError) -> None:
        self.exchange.failed(error)
        self.failure = failure_of(
            error,
            self.step,
            is_indirect=self.is_indirect,
            has_progressed=self.delivered > 0,
            has_range=self.has_range,
        )

    def _give_up(self, error: UpstreamError) -> None:
        """End: the upstream was ejected, and says nothing."""
        if self._task is not None and not self._task.done():
            self._note(error)
            self._task.cancel()

    def lose(self) -> None:
        """See `race.Runner`."""
        self.race = None
        self.exchange.outrun()
        if self._task is not None:
            self._task.cancel()

    def hand_over(self, heir: Runner) -> None:
        """See `race.Runner`."""
        entries, self._entries = self._entries, {}
        for multihash, entry in entries.items():
            heir.adopt(multihash, entry)

    def _end(self, task: asyncio.Task[None]) -> None:
        """Settle what did not come. As a callback: a task cancelled early runs no `finally`."""
        self.context.tasks.discard(task)
        self.exchange.close()
        bug = None if task.cancelled() else task.exception()
        race, self.race = self.race, None
        if race is None or not race.left_by(self, self.failure):
            self._drop(race.failures if race else [self.failure] if self.failure else [], bug)
        for reader_buffer in self._reader_buffers:
            reader_buffer.workers.discard(self)
        self._reader_buffers.clear()
        self._stay()
        if self.on_end is not None:
            self.on_end()
        if bug is not None:
            context = {"message": "a fetch has failed", "exception": bug, "task": task}
            task.get_loop().call_exception_handler(context)

    def _drop(self, failures: Sequence[Failure], bug: BaseException | None) -> None:
        """Tell those who wait why nothing comes."""
        now = self.context.clock.monotonic()
        for multihash, entry in self._entries.items():
            if failures and entry.is_wanted:
                self.context.recent_failures.note(multihash, failures, now)
            self.context.in_flight.drop(multihash, entry, bug or Gone(tuple(failures)))
        self._entries.clear()

    def received(self, size_bytes: int) -> None:
        """Count bytes of the body."""
        self.received_bytes += size_bytes
        self.exchange.received(size_bytes)

    def accept(self, cid: Cid, data: bytes) -> Block:
        """Make a block of what came.

        Raises:
            BlockMismatch: the bytes are not what the CID says.
        """
        try:
            block = verify(cid, data)
        except BadBlock as error:
            self.context.observer.block_rejected(Rejection.MISMATCH, self.exchange.member.label)
            raise BlockMismatch(cid, self.exchange.upstream.name) from error
        self.context.observer.block_verified(len(data))
        return block

    async def deliver(self, block: Block) -> None:
        """Keep a block and give it to who waits for it, or to the leader's shelf."""
        multihash = block.cid.multihash
        race, self.race = self.race, None
        if race is not None:
            race.won_by(self)
        self.exchange.delivered(block)
        if not self.delivered and self.on_delivery is not None:
            self.on_delivery(self.exchange.upstream.name)
        self.delivered += 1
        self.delivered_bytes += len(block.data)
        self.context.negative_cache.forget(multihash)
        self.context.recent_failures.forget(multihash)
        is_scan = bool(self._reader_buffers) and all(
            reader_buffer.is_scan for reader_buffer in self._reader_buffers
        )
        await self.context.store.keep(block, is_scan=is_scan)
        self._entries.pop(multihash, None)
        waited = self.context.in_flight.land(multihash, Landed(block, None))
        if self.leader is not None and self.leader not in waited:
            self.leader.put(block, None, self)

    def join(self, reader_buffer: ReaderBuffer) -> None:
        """See `flight.Owner`."""
        if reader_buffer not in self._reader_buffers:
            self._reader_buffers.add(reader_buffer)
            reader_buffer.workers.add(self)
            self._stay()

    def leave(self, reader_buffer: ReaderBuffer) -> None:
        """See `reader_buffer.Worker`. When nobody is left, the fetch ends soon."""
        self._reader_buffers.discard(reader_buffer)
        if self.leader is reader_buffer:
            self.leader = None
        if not self._reader_buffers and self._task is not None and self._goodbye is None:
            self._goodbye = asyncio.get_running_loop().call_later(LINGER_S, self._task.cancel)

    def _stay(self) -> None:
        if self._goodbye is not None:
            self._goodbye.cancel()
            self._goodbye = None

    def waiting(self, change: int) -> None:
        """See `flight.Owner`."""
        self.readers_waiting += change

    def made_room(self) -> None:  # noqa: B027 (most fetches need no room)
        """See `reader_buffer.Source`."""


class RawFetch(Fetch):
    """One block on its way.

    Args:
        context: what it works with.
        exchange: the books of the request.
        leader: the reader in whose buffer the block goes when nobody waits for it.
        cid: the block.
    """

    step = Step.RAW
    is_car_useless = False
    """The upstream's CAR was of no use; when it has the block, no more CARs are asked of it for a
    while."""
    explains_cut = False
    """The upstream's CAR was cut; when it lacks the block, that is why."""

    def __init__(
        self, context: FetchContext, exchange: UpstreamCall, leader: ReaderBuffer, cid: Cid
    ) -> None:
        super().__init__(context, exchange, leader)
        self._cid = cid

    @override
    async def fetch(self) -> None:
        """Bring the block; see `Fetch.fetch`."""
        upstream = self.exchange.upstream
        try:
            data = await self.context.client.fetch_raw(upstream, self._cid, self.received)
        except BlockAbsent:
            if self.explains_cut:
                self.exchange.pardon()
            raise
        block = self.accept(self._cid, data)
        if self.is_car_useless:
            self.context.pool.go_block_wise(upstream.name, BLOCK_WISE_S)
        await self.deliver(block)
