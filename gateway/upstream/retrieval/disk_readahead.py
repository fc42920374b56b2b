"""Reading ahead from the disk: the next blocks are read and hashed while this one is sent.

They are looked up some at a time: a thread that reads 1 MiB in four blocks costs two wake-ups, not
eight, and on one core a wake-up costs as much as reading a block.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.upstream.retrieval.fetch import Tools
from gateway.upstream.retrieval.in_flight import Entry, Gone, Landed
from gateway.upstream.retrieval.reader_buffer import Shelf

BATCH_BYTES: Final = 1024 * 1024
"""Looked up at once; two of it are under way or ready for a reader, or two blocks if they are
larger."""
MAX_BATCH: Final = 16  # small blocks are rows of the index, and come from memory as a rule


class ReadAhead:
    """Looks up the siblings after the one that a reader is at."""

    def __init__(self, tools: Tools, shelf: Shelf) -> None:
        self._tools = tools
        self._shelf = shelf
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
        """See `shelf.Source`: the reader is one block further."""
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
                cid: self._tools.flights.announce(cid.multihash)
                for cid in batch
                if self._is_worth_a_look(cid)
            }
            if entries:
                task = asyncio.create_task(self._look_up(entries))
                self._tools.tasks.add(task)
                task.add_done_callback(self._tools.tasks.discard)

    def _is_worth_a_look(self, cid: Cid) -> bool:
        multihash = cid.multihash
        return (
            not cid.is_identity
            and multihash not in self._shelf
            and self._tools.flights.find(multihash) is None
            and self._tools.store.has(cid)
        )

    async def _look_up(self, entries: Mapping[Cid, Entry]) -> None:
        flights = self._tools.flights
        try:
            found = await self._tools.store.find_all(tuple(entries), is_scan=self._shelf.is_scan)
            for cid, one in zip(entries, found, strict=True):
                if one is not None:
                    waited = flights.land(cid.multihash, Landed(*one))
                    if self._shelf not in waited:
                        self._shelf.put(*one, self)
        finally:
            for cid, entry in entries.items():
                if entry.owner is None:
                    flights.drop(cid.multihash, entry, Gone())
