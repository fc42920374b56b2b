"""Asking upstreams on behalf of one request: whom, how, and what else along with it."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import partial
from typing import Final

from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.errors import RetrievalError, UpstreamSilent
from gateway.ports import Choice, Place, RetrievalTrace
from gateway.upstream.balancing.selection import ChoiceReason
from gateway.upstream.retrieval.attempts import Attempts, NextStep
from gateway.upstream.retrieval.car_fetch import CarStream
from gateway.upstream.retrieval.fetch import Fetch, FetchContext, RawFetch
from gateway.upstream.retrieval.in_flight import Entry
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from gateway.upstream.retrieval.stalls import STALL_S
from gateway.upstream.transport.request import CarPlan, Step, is_single_block, plan_of

WINDOW: Final = 16
"""Blocks asked for at once when they are asked for one by one; Kubo's reader has 10, boxo's walk
of a DAG 32."""
LATE_FACTOR: Final = 1.5
"""Times the 95th percentile: at the percentile itself the one in twenty that is a little late
uses up the budget, and nothing is left for an upstream that has stopped."""
UNKNOWN_USUAL_S: Final = 1.0  # before an upstream that was measured too little is hedged
MIN_USUAL_S: Final = 0.01  # less is our own event loop's doing


class Dispatcher:
    """Starts fetches for one reader.

    Args:
        tools: what fetches work with.
        mode: `car` or `block`: what is asked for first.
        place: where the client is.
        shelf: the reader's.
        trace: gets the choices.
    """

    def __init__(
        self,
        context: FetchContext,
        mode: str,
        place: Place | None,
        reader_buffer: ReaderBuffer,
        trace: RetrievalTrace,
    ) -> None:
        self._context = context
        self._first = Step.CAR if mode == "car" else Step.RAW
        self._place = place
        self._reader_buffer = reader_buffer
        self._trace = trace
        self._is_block_wise = False
        self.holders: Collection[str] = ()
        """Who is known to have what the request is for."""
        self.is_nowhere = False
        """No cluster node holds it: somebody has to search, and all are asked at once."""
        self.next_part: Callable[[Want], int | None] = lambda _: None
        """Returns where in the file, after what is wanted, others bring what follows."""
        self.take_on: Callable[[Want, Entry], bool] = lambda _want, _entry: False
        """Has a part of a file that is under way bring what is wanted, when it will come to it."""
        self.front: Fetch | None = None
        """Brings what the reader wants next, and all after it."""
        self._left_out: set[str] = set()
        """Upstreams that failed with a part of a file."""
        self._failed: set[str] = set()  # for any block of this request: asked last for the others

    def ask(self, want: Want, entry: Entry, attempts: Attempts) -> None:
        """Have a block fetched by the next upstream, and with it what will be wanted after it.

        When one has said that it does not have the block, all others are asked at once.

        Args:
            want: the block and what comes after it.
            entry: of the block; nobody brings it yet.
            attempts: what was tried for it.

        Raises:
            RetrievalError: nobody is left to be asked.
        """
        self._failed |= attempts.asked()
        if not attempts.failures and self.take_on(want, entry):
            return
        steps = self._next_steps(want, attempts)
        if not steps:
            raise self.error(want, attempts)
        if steps[0].step is Step.CAR:
            self._reader_buffer.leave_all()  # it has gone past what an older stream would bring
        fetch, *others = [self._make(want, step, attempts) for step in steps]
        self.front = fetch
        fetch.start(want.cid.multihash, entry)
        for other in others:
            other.start_beside(fetch)
            other.on_delivery = self._found
        if others:
            fetch.on_delivery = self._found
        else:
            self._hedge_later(fetch, want, attempts)
        first = steps[0]
        self._is_block_wise = first.step is Step.RAW and self._is_raw_for(first.choice)
        self.ask_ahead(want)

    def error(self, want: Want, attempts: Attempts) -> RetrievalError:
        """Make the error of a block that nobody gave; see `Attempts.error`."""
        pool, asked = self._context.pool, attempts.asked()
        is_complete = not attempts.has_fault or self.is_exhausted(attempts)  # retries run out
        return attempts.error(
            want.cid, pool.held(asked), pool.spent(asked), is_complete=is_complete
        )

    def is_exhausted(self, attempts: Attempts) -> bool:
        """Tell whether nobody is left, even when there may be more retries."""
        return self._choose(attempts.asked()) is None

    def _next_steps(self, want: Want, attempts: Attempts) -> list[NextStep]:
        """Decide whom to ask; nobody when all were asked, or the retries are used up."""
        context = self._context
        now = context.clock.monotonic()
        choose = self._choose
        if not attempts.failures:
            context.retries.asked(now)
            context.hedges.asked()
        elif attempts.has_fault and not context.retries.take(now):
            choose = self._choose_sound
        is_nowhere, self.is_nowhere = self.is_nowhere, False
        if (attempts.is_absence or is_nowhere) and (around := attempts.survey(choose)):
            return around
        first = Step.RAW if is_single_block(want) else self._first
        step = attempts.next_step(first, choose, context.pool.is_block_wise)
        return [] if step is None else [step]

    def _found(self, upstream: str) -> None:
        """Take note of who had what all were asked for: it is asked for the rest, too."""
        self.holders = (upstream,)

    def _make(self, want: Want, step: NextStep, attempts: Attempts) -> Fetch:
        """Make the fetch of one step, and open its books."""
        context = self._context
        self._note(step.choice)
        exchange = context.pool.ask(step.choice, step.step)
        if step.step is Step.CAR:
            stream = CarStream(context, exchange, self._reader_buffer, self._plan(want))
            stream.is_indirect |= want.cid != (want.root or want.cid)
            return stream
        fetch = RawFetch(context, exchange, self._reader_buffer, want.cid)
        fetch.is_car_useless = attempts.made_car_useless(step)
        fetch.explains_cut = attempts.was_cut(step.choice.upstream)
        return fetch

    def _plan(self, want: Want) -> CarPlan:
        """Return what a CAR is asked for: all from what is wanted to where others go on.

        The end is in the request: a stream that is cut off has lost what was on its way.
        """
        plan, until = plan_of(want), self.next_part(want)
        return plan if until is None else replace(plan, stop=until)

    def _hedge_later(self, fetch: Fetch, want: Want, attempts: Attempts) -> None:
        """Ask another one, too, when the first block takes longer than it usually does."""
        usual_s = self._context.pool.usual_s(fetch.exchange.upstream.name)
        after_s = UNKNOWN_USUAL_S if usual_s is None else max(LATE_FACTOR * usual_s, MIN_USUAL_S)

        def hedge() -> None:
            if fetch.is_waiting and not self._hedge(fetch, want, attempts):
                loop.call_later(after_s, hedge)

        loop = asyncio.get_running_loop()
        loop.call_later(after_s, hedge)

    def _hedge(self, fetch: Fetch, want: Want, attempts: Attempts) -> bool:
        """Ask another one, too; False when that may be tried again later."""
        context, slow = self._context, fetch.exchange.upstream.name
        fetch.exchange.outrun()  # it takes so long at least, and others shall not wait for it
        choice = self._choose(attempts.asked() | {slow})
        if choice is None or choice.reason == ChoiceReason.LEAST_BAD:
            return True
        context.pool.suspect(slow)
        if not context.hedges.take():
            return False
        way = Step.RAW if context.pool.is_block_wise(choice.upstream) else fetch.step
        hedged = NextStep(replace(choice, reason=ChoiceReason.HEDGED), way)
        self._make(want, hedged, attempts).start_beside(fetch)
        return True

    def overtake(self, want: Want, attempts: Attempts, slow: Fetch) -> None:
        """Ask another one, too, for what a stalled upstream does not bring.

        Who waits for the same stream finds that it was done. The request does not return to who
        has stalled.
        """
        context, name = self._context, slow.exchange.upstream.name
        now = context.clock.monotonic()
        if now - slow.raced_at < STALL_S:
            return
        choice = self._choose(attempts.asked() | {name} | slow.rivals)
        if choice is None or choice.reason == ChoiceReason.LEAST_BAD:
            return
        context.pool.suspect(name)
        if not context.hedges.take():
            return
        slow.raced_at = now
        slow.rivals.add(choice.upstream)
        self._failed.add(name)
        way = Step.RAW if context.pool.is_block_wise(choice.upstream) else slow.step
        rival = self._make(
            want, NextStep(replace(choice, reason=ChoiceReason.HEDGED), way), attempts
        )
        rival.on_delivery = partial(self._overtaken, slow, rival)
        rival.start_beside(slow)

    def _overtaken(self, slow: Fetch, rival: Fetch, _upstream: str) -> None:
        """Leave who has stalled, with all that it was to bring and does not."""
        name, now = slow.exchange.upstream.name, self._context.clock.monotonic()
        error = UpstreamSilent(name, "fell far behind its own pace")
        slow.exchange.failed(error)
        if self.front is slow:
            self.front = rival
        for worker in tuple(self._reader_buffer.workers):
            if isinstance(worker, Fetch) and worker is not slow:
                books = worker.exchange
                is_stuck = books.upstream.name == name and now - books.heard_at >= STALL_S
                if is_stuck and books.on_ejection is not None:
                    books.on_ejection(error)

    def ask_ahead(self, want: Want) -> None:
        """Have the next siblings fetched, too, when upstreams are asked block by block."""
        if not self._is_block_wise:
            return
        for cid in want.siblings[want.index + 1 : want.index + 1 + WINDOW]:
            if not self._is_coming(cid) and not self._ask_for(cid):
                return

    def _is_coming(self, cid: Cid) -> bool:
        context, multihash = self._context, cid.multihash
        if cid.is_identity or multihash in self._reader_buffer or context.store.has(cid):
            return True
        return context.in_flight.find(multihash) is not None

    def _ask_for(self, cid: Cid) -> bool:
        """Have one block fetched alone; False when that is not the way to ask for now."""
        choice = self._choose(())
        if choice is None or not self._is_raw_for(choice):
            return False
        self._note(choice)
        entry = self._context.in_flight.announce(cid.multihash)
        exchange = self._context.pool.ask(choice, Step.RAW)
        RawFetch(self._context, exchange, self._reader_buffer, cid).start(cid.multihash, entry)
        return True

    def _choose(self, exclude: Collection[str]) -> Choice | None:
        """Choose whom to ask: before others one that has not failed in this request."""
        pool = self._context.pool
        choice = None
        if self._failed:
            choice = pool.choose(self._place, self._failed.union(exclude), self.holders)
        return choice or pool.choose(self._place, exclude, self.holders)

    def _choose_sound(self, exclude: Collection[str]) -> Choice | None:
        """Choose whom to ask when there are many retries: nobody who has failed lately."""
        exclude = set(exclude)
        while (choice := self._choose(exclude)) is not None:
            if self._context.pool.is_sound(choice.upstream):
                return choice
            exclude.add(choice.upstream)
        return None

    def choose_free(self, busy: Iterable[str]) -> Choice | None:
        """Choose whom to ask for a part of a file: an equal of who brings the front of it."""
        pool, front = self._context.pool, self.front
        if front is None or self._first is Step.RAW:  # parts are CARs, and mode says blocks
            return None
        name = front.exchange.upstream.name
        exclude = {*busy, *self._left_out, *self._failed}
        if front.is_running:
            exclude.add(name)
        choice = pool.choose(self._place, exclude, self.holders)
        if choice is None or choice.reason == ChoiceReason.LEAST_BAD:
            return None
        is_equal = pool.tier(choice.upstream) == front.exchange.upstream.tier
        has_it = not self.holders or choice.upstream in self.holders
        if not is_equal or not has_it or pool.is_block_wise(choice.upstream):
            return None
        part = replace(choice, reason=ChoiceReason.PART)
        self._note(part)
        return part

    def stop_front(self, position: int, ahead_bytes: int) -> None:
        """Have others bring what follows from a byte of the file on, and so much of it at once."""
        if isinstance(self.front, CarStream):
            self.front.stop_at = position
            self.front.ahead_bytes = ahead_bytes

    def leave_out(self, upstream: str) -> None:
        """Ask an upstream for no more parts."""
        self._left_out.add(upstream)

    def _is_raw_for(self, choice: Choice) -> bool:
        return self._first is Step.RAW or self._context.pool.is_block_wise(choice.upstream)

    def _note(self, choice: Choice) -> None:
        """Trace a choice; many in a row for the same reason count as one."""
        last = self._trace.choices[-1] if self._trace.choices else None
        if last is None or (last.upstream, last.reason) != (choice.upstream, choice.reason):
            self._trace.choices.append(choice)
