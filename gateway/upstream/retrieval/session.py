"""Blocks for one request: from the cache, from whoever brings them already, or from an upstream."""

import asyncio
from collections.abc import Collection
from functools import partial
from typing import Final

from typing_extensions import override

from gateway.content.block import Block, identity_block, rename
from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.errors import DeadlineExceeded, NotFound, RetrievalError
from gateway.ports import (
    BlockSource,
    Place,
    RetrievalTrace,
    Retriever,
    Tier,
)
from gateway.settings import RetrievalSettings
from gateway.upstream.retrieval.attempts import Attempts
from gateway.upstream.retrieval.disk_readahead import DiskReadahead
from gateway.upstream.retrieval.dispatcher import Dispatcher
from gateway.upstream.retrieval.fetch import FetchContext
from gateway.upstream.retrieval.in_flight import Entry, Gone, Landed
from gateway.upstream.retrieval.parallel_ranges import ParallelRanges
from gateway.upstream.retrieval.range_prefetch import RangePrefetch
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from gateway.upstream.retrieval.stalls import StallWatch

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

    def __init__(self, context: FetchContext, settings: RetrievalSettings) -> None:
        self.context = context
        self._prefetch = RangePrefetch(context)
        self._settings = settings

    @override
    def open_session(
        self, place: Place | None, *, cached_only: bool = False, is_scan: bool = False
    ) -> "Session":
        """Start the retrieval side of one request; see `ports.Retriever`."""
        session = Session(
            self.context, self._settings, place, cached_only=cached_only, is_scan=is_scan
        )
        if self._settings.mode == "car":  # what they read ahead are CARs
            session.prefetch = self._prefetch
        return session

    async def close(self) -> None:
        """End all fetches. Sessions must be closed before."""
        tasks = tuple(self.context.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Supply:
    """What a request needs as soon as it has to wait."""

    __slots__ = ("ahead", "dispatcher", "parallel_ranges", "reader_buffer")

    def __init__(
        self,
        context: FetchContext,
        settings: RetrievalSettings,
        place: Place | None,
        trace: RetrievalTrace,
    ) -> None:
        self.reader_buffer = ReaderBuffer()
        self.ahead = DiskReadahead(context, self.reader_buffer)
        self.dispatcher = Dispatcher(context, settings.mode, place, self.reader_buffer, trace)
        self.parallel_ranges = ParallelRanges(context, self.dispatcher, self.reader_buffer)


class Session(BlockSource):
    """Blocks for one request; see `ports.BlockSource`. Made by `Retrieval.open_session`."""

    prefetch: RangePrefetch | None = None
    """Told what is read; None when nothing is read ahead."""

    def __init__(
        self,
        context: FetchContext,
        settings: RetrievalSettings,
        place: Place | None,
        *,
        cached_only: bool = False,
        is_scan: bool = False,
    ) -> None:
        self.trace = RetrievalTrace()
        self._context = context
        self._settings = settings
        self._place = place
        self._deadline = context.clock.monotonic() + settings.total_timeout
        self._cached_only = cached_only
        self._is_scan = is_scan
        self._read_bytes = 0
        self._supply: _Supply | None = None  # most requests find all they want in memory
        self._has_looked = False
        self._routed = b""  # the block that the router was asked about last
        self._has_read = False

    @override
    def peek(self, cid: Cid) -> Block | None:
        """Return the block if no wait is needed, else None."""
        if cid.is_identity:
            return identity_block(cid)
        if self._supply is not None:
            taken = self._supply.reader_buffer.take(cid.multihash)
            if taken is not None:
                self._supply.parallel_ranges.took(len(taken[0].data))
                return self._count(*taken, cid)
        block = self._context.store.peek(cid)
        if self.prefetch is not None and cid.multihash in self.prefetch.marks:
            self.prefetch.reached(cid.multihash, self._place)
        return None if block is None else self._count(block, Tier.MEMORY, cid)

    @override
    async def get(self, want: Want) -> Block:
        """Return the block from wherever it can be had; see `ports.BlockSource.get`."""
        block = self.peek(want.cid)
        if block is not None:
            return block
        block = self._context.store.peek_disk(want.cid, is_scan=self._is_long_scan)
        if block is not None:
            return self._count(block, Tier.DISK, want.cid)
        if self._cached_only:
            return await self._get_cached(want.cid)
        return await self._get_from_anywhere(want)

    async def _get_cached(self, cid: Cid) -> Block:
        found = await self._context.store.find(cid)
        if found is None:
            raise NotFound(cid, ())
        return self._count(*found, cid)

    async def _get_from_anywhere(self, want: Want) -> Block:
        self._refuse_absent(want.cid)
        if self._supply is None:
            self._supply = _Supply(self._context, self._settings, self._place, self.trace)
        attempts = Attempts()
        started = self._context.clock.monotonic()
        try:
            async with asyncio.timeout(self._deadline - started):
                landed = await self._bring(want, attempts, self._supply)
        except TimeoutError:
            raise DeadlineExceeded(want.cid, attempts.attempts()) from None
        except NotFound as error:
            self._note_absence(error, want.cid)
            raise
        if landed.tier is None:
            waited_s = self._context.clock.monotonic() - started
            self.trace.waited_s += waited_s
            self._supply.parallel_ranges.waited(want, waited_s)
            self._read(want, self._supply.dispatcher)
        if landed.tier is Tier.DISK:
            self._supply.ahead.moved_to(want, len(landed.block.data))
        return self._count(landed.block, landed.tier, want.cid)

    @property
    def _is_long_scan(self) -> bool:
        return self._is_scan and self._read_bytes > SCAN_BYTES

    def _read(self, want: Want, dispatcher: Dispatcher) -> None:
        """Tell the players about the first leaf that had to be fetched."""
        if self._has_read or want.root is None or self.prefetch is None or dispatcher.front is None:
            return
        self._has_read = True
        self.prefetch.read(want, dispatcher.front.exchange.upstream.name, self._place)

    def _refuse_absent(self, cid: Cid) -> None:
        """Raise NotFound if everybody said a moment ago that they do not have a block."""
        now = self._context.clock.monotonic()
        attempts = self._context.negative_cache.find(cid.multihash, now)
        if attempts is not None:
            raise NotFound(cid, attempts)

    def _note_absence(self, error: NotFound, cid: Cid) -> None:
        """Remember who said so, unless not everybody could be asked for this client."""
        if not self._context.pool.is_bound(self._place):
            now = self._context.clock.monotonic()
            self._context.negative_cache.note(cid.multihash, error.attempts, now)

    @override
    async def close(self) -> None:
        """Say that no more blocks are wanted; fetches that nobody else waits for end soon."""
        if self._supply is not None:
            self._supply.reader_buffer.close()

    def _count(self, block: Block, tier: Tier | None, cid: Cid) -> Block:
        self._read_bytes += len(block.data)
        if self._supply is not None and self._is_long_scan:
            self._supply.reader_buffer.is_scan = True
        if tier is None:
            self.trace.fetched += 1
        else:
            self.trace.found[tier] = self.trace.found.get(tier, 0) + 1
        return rename(block, cid)

    async def _bring(self, want: Want, attempts: Attempts, supply: _Supply) -> Landed:
        """Wait for whoever brings the block; bring it when nobody does."""
        multihash = want.cid.multihash
        in_flight = self._context.in_flight
        while True:
            entry = in_flight.find(multihash)
            if entry is None:
                entry = in_flight.announce(multihash)
                landed = await self._lead(want, entry, attempts, supply.dispatcher)
                if landed is not None:
                    return landed
            else:
                supply.dispatcher.ask_ahead(want)
            overtake = partial(supply.dispatcher.overtake, want, attempts)
            with StallWatch(entry, self._context.clock, overtake):
                outcome = await entry.wait(supply.reader_buffer)
            if isinstance(outcome, Landed):
                return outcome
            self._take_in(outcome, want, attempts, supply.dispatcher)

    def _take_in(
        self, outcome: Gone, want: Want, attempts: Attempts, dispatcher: Dispatcher
    ) -> None:
        """Learn how others failed; what is left to be asked, one of those who wait will ask.

        Raises:
            RetrievalError: nobody is left to be asked.
        """
        if outcome.failures or outcome.is_last:
            now = self._context.clock.monotonic()
            attempts.take_in(
                self._context.recent_failures.find(want.cid.multihash, now)
            )  # in order
            attempts.take_in(outcome.failures)
        if outcome.is_last and not self._context.pool.is_bound(self._place):
            raise dispatcher.error(want, attempts)

    async def _ask(
        self, want: Want, entry: Entry, attempts: Attempts, dispatcher: Dispatcher
    ) -> None:
        """Have a block fetched; that nobody is left for it is remembered for a moment."""
        try:
            await self._ask_all(want, entry, attempts, dispatcher)
        except RetrievalError:
            self._share_failure(want.cid, is_final=dispatcher.is_exhausted(attempts))
            raise

    def _share_failure(self, cid: Cid, *, is_final: bool) -> None:
        """Let others rest who want a block that nobody delivers; not whose content just came.

        A download that was cut behind blocks that upstreams delivered is resumed at once.
        """
        recent_failures = self._context.recent_failures
        if self.trace.fetched:
            recent_failures.forget(cid.multihash)
        elif is_final and self._speaks_for_all:
            recent_failures.end(cid.multihash, self._context.clock.monotonic())

    async def _ask_all(
        self, want: Want, entry: Entry, attempts: Attempts, dispatcher: Dispatcher
    ) -> None:
        """Have a block fetched; by strangers that a router knows when nobody else has it."""
        try:
            dispatcher.ask(want, entry, attempts)
        except RetrievalError:
            strangers = await self._find_strangers(want, attempts)
            if not strangers:
                raise
            dispatcher.holders = strangers
            dispatcher.ask(want, entry, attempts)

    async def _find_strangers(self, want: Want, attempts: Attempts) -> Collection[str]:
        """Ask the router, once for each block: who has it, or else who has the file that it is of.

        Not all who provide a file provide each of its blocks.
        """
        router = self._context.holders.router
        if router is None or self._routed == want.cid.multihash:
            return ()
        self._routed = want.cid.multihash
        for cid in dict.fromkeys((want.cid, want.root or want.cid)):
            found = await router.find(cid)
            if not attempts.asked().issuperset(found):
                return found
        return ()

    async def _look_around(self, want: Want, attempts: Attempts, dispatcher: Dispatcher) -> None:
        """Find out which cluster nodes hold what the request is for."""
        holders = self._context.holders
        cid = want.root or want.cid
        holding = await holders.find(cid, self._place)
        if holding.is_nowhere and cid != want.cid:  # a part may be where the whole is not
            cid = want.cid
            holding = await holders.find(cid, self._place)
        dispatcher.holders = holding.holders
        if holding.is_nowhere and holders.is_final:
            attempts.note_lacking(holding.lacking, cid)
        dispatcher.is_nowhere = holding.is_nowhere

    async def _lead(
        self, want: Want, entry: Entry, attempts: Attempts, dispatcher: Dispatcher
    ) -> Landed | None:
        """Look the block up, or else have it fetched by the next upstream.

        Raises:
            RetrievalError: nobody is left to be asked.
        """
        multihash = want.cid.multihash
        outcome = Gone()
        try:
            if not attempts.failures:
                found = await self._context.store.find(want.cid, is_scan=self._is_long_scan)
                if found is not None:
                    landed = Landed(*found)
                    self._context.in_flight.land(multihash, landed)
                    return landed
                self._inherit(want, attempts, dispatcher)
            if not self._has_looked:
                self._has_looked = True
                await self._look_around(want, attempts, dispatcher)
            if entry.owner is None and entry.landed is None:
                await self._ask(want, entry, attempts, dispatcher)
        except RetrievalError:
            outcome = Gone(is_last=self._speaks_for_all)
            raise
        finally:
            if entry.owner is None:
                self._context.in_flight.drop(multihash, entry, outcome)
        return None

    def _inherit(self, want: Want, attempts: Attempts, dispatcher: Dispatcher) -> None:
        """Leave out whom others have asked for the block a moment ago.

        Raises:
            RetrievalError: they have asked everybody.
        """
        recent_failures, now = self._context.recent_failures, self._context.clock.monotonic()
        attempts.take_in(recent_failures.find(want.cid.multihash, now))
        if recent_failures.is_over(want.cid.multihash, now) and self._speaks_for_all:
            raise dispatcher.error(want, attempts)

    @property
    def _speaks_for_all(self) -> bool:
        """Whether whom this request may ask, routed strangers included, all others may."""
        return not self._context.pool.is_bound(self._place)
