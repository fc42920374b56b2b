"""One large file from several upstreams at once.

A reader that waits most of the time has an upstream that is slower than it is. Then parts of the
file that lie ahead are asked of other upstreams, each as a CAR of its own (`entity-bytes`); whoever
has finished a part gets the next one. The reader takes the parts in order, and what lies ready for
it is bounded.
"""

from bisect import bisect_right
from collections.abc import Iterator
from functools import partial
from typing import Final

from gateway.content.walk import Scope, Want
from gateway.ports import Choice
from gateway.upstream.retrieval.car_fetch import CarStream
from gateway.upstream.retrieval.dispatcher import Dispatcher
from gateway.upstream.retrieval.fetch import FetchContext
from gateway.upstream.retrieval.in_flight import Entry
from gateway.upstream.retrieval.range_prefetch import first_missing
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from gateway.upstream.transport.request import CarPlan, Step

STRIPE_BYTES: Final = 4 * 1024 * 1024
"""0.3 s at 100 Mbit/s: long against a round trip, short against a file. Parts begin at multiples
of it, where leaves of all usual sizes begin, too."""
AHEAD_STRIPES: Final = 6  # of one reader, under way or ready: the memory that a fast film may cost
MIN_REST_BYTES: Final = 2 * STRIPE_BYTES  # what is left of a file that is worth a second upstream
MIN_SEEN_S: Final = 0.1  # before it is judged who waits for whom
MIN_WAITING: Final = 0.6  # of this time
NEXT_AT_BYTES: Final = 1024 * 1024
"""So much before the end of a part its upstream is asked for the next one: 80 ms at 100 Mbit/s, so
that the round trip is not lost."""


class ParallelRanges:
    """Fetches parts of a file ahead of one reader.

    Args:
        tools: what fetches work with.
        asker: chooses upstreams for the reader.
        shelf: the reader's.
    """

    def __init__(
        self, context: FetchContext, dispatcher: Dispatcher, reader_buffer: ReaderBuffer
    ) -> None:
        self._context = context
        self._dispatcher = dispatcher
        self._reader_buffer = reader_buffer
        self._want: Want | None = None
        self._began_at = 0.0
        self._waited_s = 0.0
        self._position = 0
        """Up to where the reader has taken the file, about."""
        self._next = 0
        """Where the next part begins; 0 while there are none."""
        self._running: dict[CarStream, str] = {}
        self._starts: list[int] = []
        """Where parts begin that were asked for, in order."""
        dispatcher.next_part = self._next_part
        dispatcher.take_on = self._take_on

    def waited(self, want: Want, waited_s: float) -> None:
        """Take note that the reader had to wait for a leaf of a file."""
        if want.scope is not Scope.ENTITY or want.root is None or want.stop is None:
            return
        now = self._context.clock.monotonic()
        if self._want is None or self._want.root != want.root:
            self._began_at, self._waited_s, self._next = now - waited_s, 0.0, 0
            self._starts.clear()
        self._want = want
        self._position = want.start
        self._waited_s += waited_s
        if self._next:
            self._fill()
        elif self._is_starved(now) and want.stop - want.start >= MIN_REST_BYTES:
            self._next = (want.start // STRIPE_BYTES + 1) * STRIPE_BYTES
            if self._next - want.start < STRIPE_BYTES // 2:
                self._next += STRIPE_BYTES  # the front is there before any other one could be
            self._fill()

    def took(self, size_bytes: int) -> None:
        """Take note that the reader took something that lay ready."""
        self._position += size_bytes
        if self._next:
            self._fill()

    def _next_part(self, want: Want) -> int | None:
        """Return where the first part begins that lies after what is wanted."""
        if self._want is None or want.root != self._want.root:
            return None
        index = bisect_right(self._starts, want.start)
        return self._starts[index] if index < len(self._starts) else None

    def _take_on(self, want: Want, entry: Entry) -> bool:
        """Have a part bring what it will come to, and has not announced.

        A reader that follows a part closely has the node above the next leaves before the part
        does, when the part after it has brought that node.
        """
        for stream in self._running:
            if stream.is_running and stream.will_bring(want):
                stream.adopt(want.cid.multihash, entry)
                return True
        return False

    def _is_starved(self, now: float) -> bool:
        seen_s = now - self._began_at
        return seen_s >= MIN_SEEN_S and self._waited_s >= MIN_WAITING * seen_s

    def _fill(self) -> None:
        """Give the next parts to whoever is free, as far as they may lie ahead."""
        want = self._want
        if want is None or want.root is None or want.stop is None or self._reader_buffer.is_closed:
            return
        limit = min(want.stop, self._position + AHEAD_STRIPES * STRIPE_BYTES)
        while self._next < limit:
            plan = CarPlan(
                want.root, (), Scope.ENTITY, self._next, min(self._next + STRIPE_BYTES, want.stop)
            )
            if self._is_coming(plan):
                self._next += STRIPE_BYTES
                continue
            choice = self._dispatcher.choose_free(self._busy())
            if choice is None:
                return
            if not self._starts:
                self._dispatcher.stop_front(self._next, AHEAD_STRIPES * STRIPE_BYTES)
            self._starts.append(self._next)
            self._next += STRIPE_BYTES
            self._start(choice, plan)

    def _is_coming(self, plan: CarPlan) -> bool:
        """Tell whether a part is under way for another reader, or begins with what is here."""
        if (plan.base.multihash, plan.start) in self._context.parts:
            return True
        want = first_missing(self._context, plan)
        return (
            want is None
            or self._context.store.has(want.cid)
            or want.cid.multihash in self._reader_buffer
        )

    def _busy(self) -> Iterator[str]:
        """Yield the upstreams that have enough to do."""
        for stream, name in self._running.items():
            if stream.left_bytes > NEXT_AT_BYTES:
                yield name

    def _start(self, choice: Choice, plan: CarPlan) -> None:
        exchange = self._context.pool.ask(choice, Step.CAR)
        stream = CarStream(self._context, exchange, self._reader_buffer, plan)
        stream.ahead_bytes = AHEAD_STRIPES * STRIPE_BYTES
        stream.front = self._dispatcher.front
        part = (plan.base.multihash, plan.start)
        self._context.parts.add(part)
        stream.on_end = partial(self._ended, stream, part)
        self._running[stream] = choice.upstream
        self._reader_buffer.kept.add(stream)
        stream.start_ahead()

    def _ended(self, stream: CarStream, part: tuple[bytes, int]) -> None:
        self._context.parts.discard(part)
        name = self._running.pop(stream, None)
        self._reader_buffer.kept.discard(stream)
        if name is not None and stream.failure is not None:
            self._dispatcher.leave_out(name)
        self._fill()
