"""Reading ahead from the disk: the next blocks are read and hashed while this one is sent.

They are looked up some at a time: a thread that reads 1 MiB in four blocks costs two wake-ups, not
eight, and on one core a wake-up costs as much as reading a block.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.upstream.retrieval.fetch import FetchContext
from gateway.upstream.retrieval.in_flight import Entry, Gone, Landed
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer

BATCH_BYTES: Final = 1024 * 1024
"""Looked up at once; two of it are under way or ready for a reader, or two blocks if they are
larger."""
MAX_BATCH: Final = 16  # small blocks are rows of the index, and come from memory as a rule


class DiskReadahead:
    """Looks up the siblings after the one that a reader is at."""

    def __init__(self, context: FetchContext, reader_buffer: ReaderBuffer) -> None:
        self._context = context
        self._reader_buffer = reader_buffer
        self._siblings: tuple[Cid, ...] = ()
        self._position = 0
        self._next = 0
        self._batch = 1

    def moved_to(self, want: Want, size_bytes: int) -> None:
        """Look up what follows a block that was found on the disk."""
        if want.siblings is not self._siblings or want.index >= self._next:
            self._siblings = want.siblings
            self._next = want.index + 1
        self._position = want.index
        self._batch = min(max(BATCH_BYTES // max(size_bytes, 1), 1), MAX_BATCH)
        self._look_ahead()

    def made_room(self) -> None:
        """See `reader_buffer.Source`: the reader is one block further."""
        self._position += 1
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Start the next batch whenever no more than one is ahead."""
        while self._next < len(self._siblings):
            if self._next - self._position - 1 > self._batch:
                return
            batch = self._siblings[self._next : self._next + self._batch]
            self._next += len(batch)
            entries = {
                cid: self._context.in_flight.announce(cid.multihash)
                for cid in batch
                if self._is_worth_a_look(cid)
            }
            if entries:
                task = asyncio.create_task(self._look_up(entries))
                self._context.tasks.add(task)
                task.add_done_callback(self._context.tasks.discard)

    def _is_worth_a_look(self, cid: Cid) -> bool:
        multihash = cid.multihash
        return (
            not cid.is_identity
            and multihash not in self._reader_buffer
            and self._context.in_flight.find(multihash) is None
            and self._context.store.has(cid)
        )

    async def _look_up(self, entries: Mapping[Cid, Entry]) -> None:
        in_flight = self._context.in_flight
        try:
            found = await self._context.store.find_all(
                tuple(entries), is_scan=self._reader_buffer.is_scan
            )
            for cid, one in zip(entries, found, strict=True):
                if one is not None:
                    waited = in_flight.land(cid.multihash, Landed(*one))
                    if self._reader_buffer not in waited:
                        self._reader_buffer.put(*one, self)
        finally:
            for cid, entry in entries.items():
                if entry.owner is None:
                    in_flight.drop(cid.multihash, entry, Gone())
