"""Films are asked for in slices, one after the other: the next one is fetched before it is wanted.

Two slices in a row of one file make a player. Then so much as it will want next is asked for, and
the first block of that is marked: when somebody reads it, the part after it is asked for, as Linux
reads files ahead. What nobody reads was no more than one part.
"""

from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from gateway.content.car_walk import walk_car
from gateway.content.cid import Cid
from gateway.content.walk import Scope, Want
from gateway.errors import ContentError
from gateway.ports import Place
from gateway.upstream.balancing.selection import ChoiceReason
from gateway.upstream.retrieval.car_fetch import CarStream
from gateway.upstream.retrieval.fetch import FetchContext
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from gateway.upstream.transport.request import CarPlan, Step

MIN_PART_BYTES: Final = 1024 * 1024  # nginx's slices and many players have this size
MAX_PART_BYTES: Final = 8 * 1024 * 1024  # what is lost when nobody goes on: 0.6 s at 100 Mbit/s
MAX_FILES: Final = 1024  # whose last slice is remembered
MAX_MARKS: Final = 1024


class Mark(NamedTuple):
    """What to fetch when a block is read."""

    file: Cid
    start: int
    part_bytes: int
    upstream: str
    """Who had what comes before it."""


def first_missing(context: FetchContext, plan: CarPlan) -> Want | None:
    """Return the first block of a part that is not in memory; None when the part has none."""
    walk = walk_car(plan.base, plan.segments, plan.scope, plan.start, plan.stop)
    try:
        want = next(walk)
        while (block := context.store.peek(want.cid)) is not None:
            want = walk.send(block)
    except (StopIteration, ContentError):
        return None
    return want


class RangePrefetch:
    """Reads ahead for whoever reads on.

    Args:
        tools: what fetches work with.
    """

    def __init__(self, context: FetchContext) -> None:
        self._context = context
        self._stops: dict[bytes, int] = {}
        """Where the last slice of a file ended, by the file's multihash."""
        self.marks: dict[bytes, Mark] = {}
        """By multihash of the block that must be read."""

    def read(self, want: Want, upstream: str, place: Place | None) -> None:
        """Take note of the first leaf of a slice that had to be fetched."""
        if want.root is None or want.stop is None or want.scope is not Scope.ENTITY:
            return
        file = want.root.multihash
        is_next = self._stops.pop(file, None) == want.start
        self._stops[file] = want.stop
        _forget_oldest(self._stops, MAX_FILES)
        if is_next:
            size = min(max(2 * (want.stop - want.start), MIN_PART_BYTES), MAX_PART_BYTES)
            self._fetch(Mark(want.root, want.stop, size, upstream), place)

    def reached(self, multihash: bytes, place: Place | None) -> None:
        """Take note that somebody reads a marked block."""
        mark = self.marks.pop(multihash, None)
        if mark is not None:
            self._fetch(mark, place)

    def _fetch(self, mark: Mark, place: Place | None) -> None:
        context, stop = self._context, mark.start + mark.part_bytes
        plan = CarPlan(mark.file, (), Scope.ENTITY, mark.start, stop)
        part = (mark.file.multihash, mark.start)
        want = first_missing(context, plan)
        if want is None or part in context.parts or context.store.has(want.cid):
            return
        choice = context.pool.choose(place, (), (mark.upstream,))
        if choice is None or choice.upstream != mark.upstream:
            return
        if context.pool.is_block_wise(choice.upstream):  # parts are CARs
            return
        self.marks[want.cid.multihash] = mark._replace(start=stop)
        _forget_oldest(self.marks, MAX_MARKS)
        context.parts.add(part)
        reader_buffer = ReaderBuffer()
        exchange = context.pool.ask(replace(choice, reason=ChoiceReason.READ_AHEAD), Step.CAR)
        stream = CarStream(context, exchange, reader_buffer, plan)
        stream.ahead_bytes = 2 * mark.part_bytes
        stream.on_end = partial(self._ended, part, reader_buffer)
        stream.start_ahead()

    def _ended(self, part: tuple[bytes, int], reader_buffer: ReaderBuffer) -> None:
        self._context.parts.discard(part)
        reader_buffer.close()


def _forget_oldest(table: dict[bytes, Any], most: int) -> None:
    while len(table) > most:
        del table[next(iter(table))]
