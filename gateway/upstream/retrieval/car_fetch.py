"""A CAR as it comes: each block is matched with what a walk over the same DAG wants next.

Nothing is taken on trust, not even the order: a block counts when it is verified and due. One that
comes early waits in a small buffer; a CAR that fills it is not in the order that was asked for, or
full of other things, and is left.
"""

import asyncio
from itertools import chain
from typing import Final

from typing_extensions import override

from gateway.content.block import Block
from gateway.content.car import CarParser
from gateway.content.car_walk import walk_car
from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.errors import BadCar, ContentError, IncompleteCar, UpstreamUnreachable
from gateway.upstream.balancing.pool import UpstreamCall
from gateway.upstream.retrieval.announce_window import AnnounceWindow
from gateway.upstream.retrieval.fetch import Fetch, FetchContext
from gateway.upstream.retrieval.in_flight import Entry, Landed
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from gateway.upstream.transport.client import Body
from gateway.upstream.transport.request import CarPlan, Step

AHEAD_BYTES: Final = 4 * 1024 * 1024
"""How far a stream reads ahead of its fastest reader; the memory that a cold fetch may cost."""
MAX_PAUSE_S: Final = 10.0
"""How long a stream waits for a slow reader before it gives its connection back. Asking for the
rest later costs a round trip; a connection held for a paused film costs everybody."""
MAX_EARLY_BYTES: Final = 4 * 1024 * 1024  # blocks that are not due yet, or never will be
BLOCK_OVERHEAD_BYTES: Final = 256  # what a block costs besides its bytes, about
TURN_BYTES: Final = 256 * 1024
"""Taken before others have a turn: hashing it is a millisecond, and the reader that waits for the
first of many blocks shall not wait for the last. A tiny block counts as `TURN_OVERHEAD_BYTES`."""
TURN_OVERHEAD_BYTES: Final = 4 * 1024


class EarlyBlocks:
    """Verified blocks that came before they were due."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, Block] = {}
        self._size_bytes = 0

    def add(self, block: Block) -> None:
        """Put a block aside.

        Raises:
            BadCar: there are too many.
        """
        self._size_bytes += len(block.data) + BLOCK_OVERHEAD_BYTES
        if self._size_bytes > MAX_EARLY_BYTES:
            raise BadCar("too many blocks in it are not due")
        self._blocks[block.cid.multihash] = block

    def take(self, multihash: bytes) -> Block | None:
        """Take a block that has become due, if it is here."""
        block = self._blocks.pop(multihash, None)
        if block is not None:
            self._size_bytes -= len(block.data) + BLOCK_OVERHEAD_BYTES
        return block


class CarStream(Fetch):
    """One CAR on its way."""

    step = Step.CAR

    def __init__(
        self, context: FetchContext, exchange: UpstreamCall, leader: ReaderBuffer, plan: CarPlan
    ) -> None:
        self.ahead_bytes = AHEAD_BYTES
        """How much may lie ready for the leader."""
        super().__init__(context, exchange, leader)
        self.is_indirect = bool(plan.segments)
        self.has_range = (plan.start, plan.stop) != (0, None)
        self._plan = plan
        self._walk = walk_car(plan.base, plan.segments, plan.scope, plan.start, plan.stop)
        self.stop_at: int | None = None
        """Where in the file others bring what follows; None when nobody does."""
        self.front: Fetch | None = None
        """Who brings what comes before this part, and has announced more than that."""
        self._want: Want | None = None
        self._early = EarlyBlocks()
        self._window = AnnounceWindow()
        self._unknown = b""  # what is due and was not found in the cache
        self._arrived = 0
        self._turn_bytes = 0
        self._first = b""  # what it was started for
        self._wake = asyncio.Event()

    @override
    def start(self, multihash: bytes, entry: Entry) -> None:
        """Begin; see `Fetch.start`. What comes first is announced before anybody else runs."""
        super().start(multihash, entry)
        self._first = multihash
        self._advance(None)

    @override
    def start_beside(self, other: Fetch) -> None:
        """Begin; see `Fetch.start_beside`."""
        super().start_beside(other)
        self._advance(None)

    @override
    async def fetch(self) -> None:
        """Bring what the plan names, in order; see `Fetch.fetch`."""
        name = self.exchange.upstream.name
        async with self.context.client.open_car(self.exchange.upstream, self._plan) as body:
            try:
                await self._receive(body)
            except BadCar as error:
                raise BadCar(error.detail, name) from error
            except UpstreamUnreachable as error:
                due = self._plan.base if self._want is None else self._want.cid
                is_cut = self._arrived > 0
                raise IncompleteCar(name, due, is_cut=is_cut) from error  # Kubo's "not here"
            if self._is_complete() and self.brings(self._first):
                raise IncompleteCar(name, "what it was asked for")

    def start_ahead(self) -> None:
        """Begin with a part that nobody waits for yet; what is in memory is passed over."""
        self._launch()
        self._advance(None)
        while self._want is not None:
            block = self.context.store.peek(self._want.cid)
            if block is None:
                return
            self._advance(block)

    @property
    def left_bytes(self) -> int:
        """How much of its part has not come yet; 0 when it has no end."""
        stop = self._plan.stop
        return 0 if stop is None else max(0, stop - self._plan.start - self.delivered_bytes)

    def will_bring(self, want: Want) -> bool:
        """Tell whether a block of the same file lies between where it is and its end."""
        due, plan = self._want, self._plan
        if due is None or plan.stop is None or want.root != plan.base or plan.segments:
            return False
        return max(plan.start, due.start) <= want.start < plan.stop

    def _is_complete(self) -> bool:
        return self._want is None

    async def _receive(self, body: Body) -> None:
        parser = CarParser()
        while not self._is_complete():
            data = await body.read()
            if not data:
                parser.finish()
                await self._conclude()
                return
            self.received(len(data))
            for cid, piece in parser.feed(data):
                await self._arrive(cid, piece)
                await self._give_way(len(piece))
                if self._is_complete():
                    await body.end()
                    return
            if self._is_pointless() or not await self._has_room():
                return

    async def _arrive(self, cid: Cid, data: bytes) -> None:
        """Take one section."""
        block = self.accept(cid, data)
        self._arrived += 1
        if not await self._skip_to(cid.multihash):
            self._early.add(block)
            return
        await self._bring(block)
        await self._bring_early()

    async def _give_way(self, size_bytes: int) -> None:
        """Let others have a turn when enough was taken since the last time."""
        self._turn_bytes += size_bytes + TURN_OVERHEAD_BYTES
        if self._turn_bytes >= TURN_BYTES:
            self._turn_bytes = 0
            await asyncio.sleep(0)

    async def _bring(self, block: Block) -> None:
        """Deliver the block that is due."""
        await self.deliver(block)
        self._advance(block)

    async def _bring_early(self) -> None:
        while self._want is not None:
            block = self._early.take(self._want.cid.multihash)
            if block is None:
                return
            await self._bring(block)

    async def _skip_to(self, multihash: bytes) -> bool:
        """Pass over what is due but in the cache, as far as to a block; tell if it is due then.

        A CAR without duplicates has each block once; the walk wants it each time.
        """
        while self._want is not None and self._want.cid.multihash != multihash:
            if not await self._skip():
                return False
        return self._want is not None

    async def _skip(self) -> bool:
        """Pass over the block that is due if it is in the cache."""
        if self._want is None or self._want.cid.multihash == self._unknown:
            return False
        multihash = self._want.cid.multihash
        found = await self.context.store.find(self._want.cid)
        if found is None:
            self._unknown = multihash
            return False
        block, tier = found
        self._entries.pop(multihash, None)
        self.context.in_flight.land(multihash, Landed(block, tier))
        self._advance(block)
        return True

    async def _conclude(self) -> None:
        """Make the best of a CAR that has ended.

        Raises:
            IncompleteCar: something is missing.
        """
        while True:
            await self._bring_early()
            if self._want is None:
                return
            if not await self._skip():
                raise IncompleteCar(self.exchange.upstream.name, self._want.cid)

    def _advance(self, block: Block | None) -> None:
        """Take the walk one step on."""
        if block is not None:
            self._window.passed(len(block.data))
        try:
            want = next(self._walk) if block is None else self._walk.send(block)
        except (StopIteration, ContentError):  # the readers will see for themselves
            want = None
        self._go_to(want)

    def _go_to(self, want: Want | None) -> None:
        """Announce what comes into reach, except for what the cache has or others bring."""
        if want is not None and self.stop_at is not None and want.root is not None:
            want = want if want.start < self.stop_at else None
        self._want = want
        if want is None:
            return
        for cid in chain((want.cid,), self._window.moved_to(want)):
            multihash = cid.multihash
            if cid.is_identity or self.brings(multihash) or self.context.store.has(cid):
                continue
            entry = self.context.in_flight.find(multihash)
            if entry is None:
                entry = self.context.in_flight.announce(multihash)
            if entry.owner is None:
                self.adopt(multihash, entry)
            elif entry.owner is self.front and self.front is not None:
                self.front.give_up(multihash)
                self.adopt(multihash, entry)

    def _is_pointless(self) -> bool:
        """Tell whether the cache has, or others bring, all that would come soon."""
        return self._window.is_clear and not self._entries and self.race is None

    async def _has_room(self) -> bool:
        """Wait until somebody can use more; False when nobody could for too long."""
        while not self._may_read():
            self._wake.clear()
            try:
                async with asyncio.timeout(MAX_PAUSE_S):
                    await self._wake.wait()
            except TimeoutError:
                return False
        return True

    def _may_read(self) -> bool:
        if self.readers_waiting:
            return True
        return self.leader is not None and self.leader.size_bytes < self.ahead_bytes

    @override
    def join(self, reader_buffer: ReaderBuffer) -> None:
        """See `flight.Owner`."""
        super().join(reader_buffer)
        # Who waits while the leader has more than enough is faster, and leads from now on.
        if self.leader is None or self.leader.size_bytes >= self.ahead_bytes:
            self.leader = reader_buffer
        if self.leader is reader_buffer:
            reader_buffer.clear(self)  # it waits for what is to come: it is past all that came

    @override
    def waiting(self, change: int) -> None:
        """See `flight.Owner`."""
        super().waiting(change)
        if change > 0:
            self._wake.set()

    @override
    def made_room(self) -> None:
        """See `reader_buffer.Source`."""
        self._wake.set()
