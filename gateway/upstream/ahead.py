"""Reading ahead from the disk: the next blocks are read and hashed while this one is sent."""

import asyncio
from typing import Final

from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.upstream.fetch import Tools
from gateway.upstream.flight import Entry, Gone, Landed
from gateway.upstream.shelf import Shelf

DEPTH: Final = 4  # blocks; more readers than cores gain nothing


class ReadAhead:
    """Looks up the siblings after the one that a reader is at."""

    def __init__(self, tools: Tools, shelf: Shelf) -> None:
        self._tools = tools
        self._shelf = shelf
        self._siblings: tuple[Cid, ...] = ()
        self._position = 0
        self._next = 0

    def moved_to(self, want: Want) -> None:
        """Look up what follows a block that was found on the disk."""
        if want.siblings is not self._siblings or want.index >= self._next:
            self._siblings = want.siblings
            self._next = want.index + 1
        self._position = want.index
        self._look_ahead()

    def made_room(self) -> None:
        """See `shelf.Source`: the reader is one block further."""
        self._position += 1
        self._look_ahead()

    def _look_ahead(self) -> None:
        end = min(self._position + 1 + DEPTH, len(self._siblings))
        while self._next < end:
            cid = self._siblings[self._next]
            self._next += 1
            multihash = cid.multihash
            if multihash in self._shelf or self._tools.flights.find(multihash) is not None:
                continue
            if not cid.is_identity and self._tools.store.has(cid):
                entry = self._tools.flights.announce(multihash)
                task = asyncio.create_task(self._look_up(cid, entry))
                self._tools.tasks.add(task)
                task.add_done_callback(self._tools.tasks.discard)

    async def _look_up(self, cid: Cid, entry: Entry) -> None:
        flights = self._tools.flights
        try:
            found = await self._tools.store.find(cid, is_scan=self._shelf.is_scan)
            if found is not None:
                block, tier = found
                waited = flights.land(cid.multihash, Landed(block, tier))
                if self._shelf not in waited:
                    self._shelf.put(block, tier, self)
        finally:
            if entry.owner is None:
                flights.drop(cid.multihash, entry, Gone())
