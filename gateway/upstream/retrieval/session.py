"""Blocks for one request: from the cache, from whoever brings them already, or from an upstream."""

import asyncio
from functools import partial
from typing import Final

from typing_extensions import override

from gateway.content.block import Block, identity_block, rename
from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.errors import DeadlineExceeded, NotFound, RetrievalError
from gateway.ports import (
    BlockSource,
    BlockStore,
    Clock,
    Observer,
    Place,
    RetrievalTrace,
    Retriever,
    Tier,
)
from gateway.settings import RetrievalSettings
from gateway.upstream.balancing.holders import Presence
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.upstream.retrieval.attempts import Trail
from gateway.upstream.retrieval.disk_readahead import ReadAhead
from gateway.upstream.retrieval.dispatcher import Asker
from gateway.upstream.retrieval.fetch import Tools
from gateway.upstream.retrieval.in_flight import Entry, Gone, Landed
from gateway.upstream.retrieval.parallel_ranges import Stripes
from gateway.upstream.retrieval.range_prefetch import Players
from gateway.upstream.retrieval.reader_buffer import Shelf
from gateway.upstream.retrieval.stalls import StallWatch
from gateway.upstream.transport.client import TrustlessClient

SCAN_BYTES: Final = 8 * 1024 * 1024
"""What a scan may bring into memory. A CAR of a page is worth keeping close; one of a film would
push everybody else's blocks out, and the process would grow by the whole tier for one request."""


class Retrieval(Retriever):
    """Opens the retrieval side of requests.

    Args:
        store: where blocks are kept.
        pool: the upstreams.
        client: how they are spoken to; whoever made it closes it.
        settings: mode and deadlines.
        clock: the time.
        observer: told about blocks.
    """

    def __init__(
        self,
        store: BlockStore,
        pool: UpstreamPool,
        client: TrustlessClient,
        settings: RetrievalSettings,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self.tools = Tools(store, pool, client, observer, clock, Presence(pool, client))
        self._players = Players(self.tools)
        self._settings = settings

    @override
    def open_session(
        self, place: Place | None, *, cached_only: bool = False, is_scan: bool = False
    ) -> "Session":
        """Start the retrieval side of one request; see `ports.Retriever`."""
        session = Session(
            self.tools, self._settings, place, cached_only=cached_only, is_scan=is_scan
        )
        if self._settings.mode == "car":  # what they read ahead are CARs
            session.players = self._players
        return session

    async def close(self) -> None:
        """End all fetches. Sessions must be closed before."""
        tasks = tuple(self.tools.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Supply:
    """What a request needs as soon as it has to wait."""

    __slots__ = ("ahead", "asker", "shelf", "stripes")

    def __init__(
        self,
        tools: Tools,
        settings: RetrievalSettings,
        place: Place | None,
        trace: RetrievalTrace,
    ) -> None:
        self.shelf = Shelf()
        self.ahead = ReadAhead(tools, self.shelf)
        self.asker = Asker(tools, settings.mode, place, self.shelf, trace)
        self.stripes = Stripes(tools, self.asker, self.shelf)


class Session(BlockSource):
    """Blocks for one request; see `ports.BlockSource`. Made by `Retrieval.open_session`."""

    players: Players | None = None
    """Told what is read; None when nothing is read ahead."""

    def __init__(
        self,
        tools: Tools,
        settings: RetrievalSettings,
        place: Place | None,
        *,
        cached_only: bool = False,
        is_scan: bool = False,
    ) -> None:
        self.trace = RetrievalTrace()
        self._tools = tools
        self._settings = settings
        self._place = place
        self._deadline = tools.clock.monotonic() + settings.total_timeout
        self._cached_only = cached_only
        self._is_scan = is_scan
        self._read_bytes = 0
        self._supply: _Supply | None = None  # most requests find all they want in memory
        self._has_delivered = False
        self._has_looked = False
        self._has_routed = False
        self._has_read = False

    @override
    def peek(self, cid: Cid) -> Block | None:
        """Return the block if no wait is needed, else None."""
        if cid.is_identity:
            return identity_block(cid)
        if self._supply is not None:
            taken = self._supply.shelf.take(cid.multihash)
            if taken is not None:
                self._supply.stripes.took(len(taken[0].data))
                return self._count(*taken, cid)
        block = self._tools.store.peek(cid)
        if self.players is not None and cid.multihash in self.players.marks:
            self.players.reached(cid.multihash, self._place)
        return None if block is None else self._count(block, Tier.MEMORY, cid)

    @override
    async def get(self, want: Want) -> Block:
        """Return the block from wherever it can be had; see `ports.BlockSource.get`."""
        block = self.peek(want.cid)
        if block is not None:
            return block
        block = self._tools.store.read_now(want.cid, is_scan=self._is_long_scan)
        if block is not None:
            return self._count(block, Tier.DISK, want.cid)
        if self._cached_only:
            return await self._get_cached(want.cid)
        return await self._get_from_anywhere(want)

    async def _get_cached(self, cid: Cid) -> Block:
        found = await self._tools.store.find(cid)
        if found is None:
            raise NotFound(cid, ())
        return self._count(*found, cid)

    async def _get_from_anywhere(self, want: Want) -> Block:
        if not self._has_delivered:
            self._refuse_absent(want.cid)
        if self._supply is None:
            self._supply = _Supply(self._tools, self._settings, self._place, self.trace)
        trail = Trail()
        started = self._tools.clock.monotonic()
        try:
            async with asyncio.timeout(self._deadline - started):
                landed = await self._bring(want, trail, self._supply)
        except TimeoutError:
            raise DeadlineExceeded(want.cid, trail.attempts()) from None
        except NotFound as error:
            self._note_absence(error, want.cid)
            raise
        if landed.tier is None:
            waited_s = self._tools.clock.monotonic() - started
            self.trace.waited_s += waited_s
            self._supply.stripes.waited(want, waited_s)
            self._read(want, self._supply.asker)
        if landed.tier is Tier.DISK:
            self._supply.ahead.moved_to(want, len(landed.block.data))
        return self._count(landed.block, landed.tier, want.cid)

    @property
    def _is_long_scan(self) -> bool:
        return self._is_scan and self._read_bytes > SCAN_BYTES

    def _read(self, want: Want, asker: Asker) -> None:
        """Tell the players about the first leaf that had to be fetched."""
        if self._has_read or want.root is None or self.players is None or asker.front is None:
            return
        self._has_read = True
        self.players.read(want, asker.front.exchange.upstream.name, self._place)

    def _refuse_absent(self, cid: Cid) -> None:
        """Raise NotFound if everybody said a moment ago that they do not have a root."""
        now = self._tools.clock.monotonic()
        attempts = self._tools.absences.find(cid.multihash, now)
        if attempts is not None:
            raise NotFound(cid, attempts)

    def _note_absence(self, error: NotFound, cid: Cid) -> None:
        """Remember who said so, unless not everybody could be asked for this client."""
        if not self._tools.pool.is_bound(self._place):
            now = self._tools.clock.monotonic()
            self._tools.absences.note(cid.multihash, error.attempts, now)

    @override
    async def close(self) -> None:
        """Say that no more blocks are wanted; fetches that nobody else waits for end soon."""
        if self._supply is not None:
            self._supply.shelf.close()

    def _count(self, block: Block, tier: Tier | None, cid: Cid) -> Block:
        self._has_delivered = True
        self._read_bytes += len(block.data)
        if self._supply is not None and self._is_long_scan:
            self._supply.shelf.is_scan = True
        if tier is None:
            self.trace.fetched += 1
        else:
            self.trace.found[tier] = self.trace.found.get(tier, 0) + 1
        return rename(block, cid)

    async def _bring(self, want: Want, trail: Trail, supply: _Supply) -> Landed:
        """Wait for whoever brings the block; bring it when nobody does."""
        multihash = want.cid.multihash
        flights = self._tools.flights
        while True:
            entry = flights.find(multihash)
            if entry is None:
                entry = flights.announce(multihash)
                landed = await self._lead(want, entry, trail, supply.asker)
                if landed is not None:
                    return landed
            else:
                supply.asker.ask_ahead(want)
            overtake = partial(supply.asker.overtake, want, trail)
            with StallWatch(entry, self._tools.clock, overtake):
                outcome = await entry.wait(supply.shelf)
            if isinstance(outcome, Landed):
                return outcome
            self._take_in(outcome, want, trail, supply.asker)

    def _take_in(self, outcome: Gone, want: Want, trail: Trail, asker: Asker) -> None:
        """Learn how others failed; what is left to be asked, one of those who wait will ask.

        Raises:
            RetrievalError: nobody is left to be asked.
        """
        if outcome.failures or outcome.is_last:
            now = self._tools.clock.monotonic()
            trail.take_in(self._tools.waves.find(want.cid.multihash, now))  # in order
            trail.take_in(outcome.failures)
        if outcome.is_last and not self._tools.pool.is_bound(self._place):
            raise asker.error(want, trail, is_root=not self._has_delivered)

    async def _ask(self, want: Want, entry: Entry, trail: Trail, asker: Asker) -> None:
        """Have a block fetched; when nobody is left for it, that is remembered for a moment."""
        try:
            await self._ask_all(want, entry, trail, asker)
        except RetrievalError:
            if self._speaks_for_all and asker.is_exhausted(trail):
                now = self._tools.clock.monotonic()
                self._tools.waves.end(want.cid.multihash, now)
            raise

    async def _ask_all(self, want: Want, entry: Entry, trail: Trail, asker: Asker) -> None:
        """Have a block fetched; by strangers that a router knows when nobody else has it."""
        is_root = not self._has_delivered
        try:
            asker.ask(want, entry, trail, is_root=is_root)
        except RetrievalError:
            router = self._tools.presence.router
            if router is None or self._has_routed or not is_root:
                raise
            self._has_routed = True
            asker.holders = await router.find(want.root or want.cid)
            if not asker.holders:
                raise
            asker.ask(want, entry, trail, is_root=is_root)

    async def _look_around(self, want: Want, trail: Trail, asker: Asker) -> None:
        """Find out which cluster nodes hold what the request is for."""
        presence = self._tools.presence
        cid = want.root or want.cid
        holding = await presence.find(cid, self._place)
        asker.holders = holding.holders
        if holding.is_nowhere and presence.is_final:
            trail.note_lacking(holding.lacking, cid)
        asker.is_nowhere = holding.is_nowhere

    async def _lead(self, want: Want, entry: Entry, trail: Trail, asker: Asker) -> Landed | None:
        """Look the block up, or else have it fetched by the next upstream.

        Raises:
            RetrievalError: nobody is left to be asked.
        """
        multihash = want.cid.multihash
        outcome = Gone()
        try:
            if not trail.failures:
                found = await self._tools.store.find(want.cid, is_scan=self._is_long_scan)
                if found is not None:
                    landed = Landed(*found)
                    self._tools.flights.land(multihash, landed)
                    return landed
                self._inherit(want, trail, asker)
            if not self._has_looked:
                self._has_looked = True
                await self._look_around(want, trail, asker)
            if entry.owner is None and entry.landed is None:
                await self._ask(want, entry, trail, asker)
        except RetrievalError:
            outcome = Gone(is_last=self._speaks_for_all)
            raise
        finally:
            if entry.owner is None:
                self._tools.flights.drop(multihash, entry, outcome)
        return None

    def _inherit(self, want: Want, trail: Trail, asker: Asker) -> None:
        """Leave out whom others have asked for the block a moment ago.

        Raises:
            RetrievalError: they have asked everybody.
        """
        waves, now = self._tools.waves, self._tools.clock.monotonic()
        trail.take_in(waves.find(want.cid.multihash, now))
        if waves.is_over(want.cid.multihash, now) and self._speaks_for_all:
            raise asker.error(want, trail, is_root=not self._has_delivered)

    @property
    def _speaks_for_all(self) -> bool:
        """Whether whom this request may ask, routed strangers included, all others may."""
        has_all = not self._has_delivered or self._tools.presence.router is None
        return has_all and not self._tools.pool.is_bound(self._place)
