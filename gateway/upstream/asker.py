"""Asking upstreams on behalf of one request: whom, how, and what else along with it."""

from collections.abc import Collection
from typing import Final

from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.ports import Choice, Place, RetrievalTrace
from gateway.upstream.carstream import CarStream
from gateway.upstream.fetch import Fetch, RawFetch, Tools
from gateway.upstream.flight import Entry
from gateway.upstream.request import Step, is_single_block, plan_of
from gateway.upstream.shelf import Shelf
from gateway.upstream.trail import Trail

WINDOW: Final = 16
"""Blocks asked for at once when they are asked for one by one; Kubo's reader has 10, boxo's walk
of a DAG 32."""


class Asker:
    """Starts fetches for one reader.

    Args:
        tools: what fetches work with.
        mode: `car` or `block`: what is asked for first.
        place: where the client is.
        shelf: the reader's.
        trace: gets the choices.
    """

    def __init__(
        self, tools: Tools, mode: str, place: Place | None, shelf: Shelf, trace: RetrievalTrace
    ) -> None:
        self._tools = tools
        self._first = Step.CAR if mode == "car" else Step.RAW
        self._place = place
        self._shelf = shelf
        self._trace = trace
        self._is_block_wise = False
        self._failed: set[str] = set()  # for any block of this request: asked last for the others

    def ask(self, want: Want, entry: Entry, trail: Trail, *, is_root: bool) -> None:
        """Have a block fetched by the next upstream, and with it what will be wanted after it.

        Args:
            want: the block and what comes after it.
            entry: of the block; nobody brings it yet.
            trail: who failed for it.
            is_root: nothing above it is known to exist.

        Raises:
            RetrievalError: nobody is left to be asked.
        """
        pool = self._tools.pool
        self._failed |= trail.asked()
        first = Step.RAW if is_single_block(want) else self._first
        step = trail.next_step(first, self._choose, pool.is_block_wise)
        if step is None:
            raise trail.error(want.cid, pool.held(exclude=trail.asked()), is_root=is_root)
        choice, way = step
        self._note(choice)
        fetch: Fetch
        if way is Step.CAR:
            self._shelf.leave_all()  # it has gone past what an older stream would bring
            fetch = CarStream(self._tools, pool.ask(choice, way), self._shelf, plan_of(want))
        else:
            fetch = RawFetch(
                self._tools,
                pool.ask(choice, way),
                self._shelf,
                want.cid,
                is_car_useless=trail.made_car_useless(step),
            )
        fetch.start(want.cid.multihash, entry)
        self._is_block_wise = way is Step.RAW and self._is_raw_for(choice)
        self.ask_ahead(want)

    def ask_ahead(self, want: Want) -> None:
        """Have the next siblings fetched, too, when upstreams are asked block by block."""
        if not self._is_block_wise:
            return
        for cid in want.siblings[want.index + 1 : want.index + 1 + WINDOW]:
            if not self._is_coming(cid) and not self._ask_for(cid):
                return

    def _is_coming(self, cid: Cid) -> bool:
        tools, multihash = self._tools, cid.multihash
        if cid.is_identity or multihash in self._shelf or tools.store.has(cid):
            return True
        return tools.flights.find(multihash) is not None

    def _ask_for(self, cid: Cid) -> bool:
        """Have one block fetched alone; False when that is not the way to ask for now."""
        choice = self._choose(())
        if choice is None or not self._is_raw_for(choice):
            return False
        self._note(choice)
        entry = self._tools.flights.announce(cid.multihash)
        exchange = self._tools.pool.ask(choice, Step.RAW)
        RawFetch(self._tools, exchange, self._shelf, cid).start(cid.multihash, entry)
        return True

    def _choose(self, exclude: Collection[str]) -> Choice | None:
        """Choose whom to ask: before others one that has not failed in this request."""
        pool = self._tools.pool
        choice = pool.choose(self._place, self._failed.union(exclude)) if self._failed else None
        return choice or pool.choose(self._place, exclude)

    def _is_raw_for(self, choice: Choice) -> bool:
        return self._first is Step.RAW or self._tools.pool.is_block_wise(choice.upstream)

    def _note(self, choice: Choice) -> None:
        """Trace a choice; many in a row for the same reason count as one."""
        last = self._trace.choices[-1] if self._trace.choices else None
        if last is None or (last.upstream, last.reason) != (choice.upstream, choice.reason):
            self._trace.choices.append(choice)
