"""The table of blocks under way: each is fetched once, however many want it.

An entry says that somebody will bring a block, or has announced it. Whoever wants the block waits
for the entry, which ends with the block or with `Gone`; then each of the waiting may try to bring
it, and the first one to look does. No reader depends on another one: fetches run in tasks of their
own, and a lookup that is cancelled is `Gone`.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from gateway.content.block import Block
from gateway.ports import Tier
from gateway.upstream.retrieval.attempts import Failure
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer


@dataclass(frozen=True, slots=True)
class Landed:
    """A block that came."""

    block: Block
    tier: Tier | None
    """Where it was found; None when an upstream sent it."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Whoever was to bring the block does not."""

    failures: tuple[Failure, ...] = ()
    """Why, when upstreams are at fault: one each, in the order in which they failed."""
    is_last: bool = False
    """Nobody is left to be asked: that is the answer to all who wait."""


class Owner(Protocol):
    """Who brings a block."""

    def join(self, reader_buffer: ReaderBuffer) -> None:
        """Take note that a reader waits for something that this owner brings."""
        ...

    def waiting(self, change: int) -> None:
        """Take note that more or fewer readers wait now."""
        ...


class Entry:
    """One block under way."""

    __slots__ = ("_owner", "_waiting", "landed")

    def __init__(self, owner: Owner | None) -> None:
        self.landed: Landed | None = None
        self._owner = owner
        self._waiting: dict[asyncio.Future[Landed | Gone], ReaderBuffer] = {}

    @property
    def owner(self) -> Owner | None:
        """Who brings it; None while it is looked up in the cache."""
        return self._owner

    def hand_to(self, owner: Owner) -> None:
        """Let another one bring it."""
        self._owner = owner
        owner.waiting(len(self._waiting))
        for reader_buffer in self._waiting.values():
            owner.join(reader_buffer)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for it."""
        return bool(self._waiting)

    async def wait(self, reader_buffer: ReaderBuffer) -> Landed | Gone:
        """Wait for the end of the entry on behalf of a reader."""
        if self.landed is not None:
            return self.landed
        future: asyncio.Future[Landed | Gone] = asyncio.get_running_loop().create_future()
        self._waiting[future] = reader_buffer
        if self._owner is not None:
            self._owner.waiting(1)
            self._owner.join(reader_buffer)
        try:
            return await future
        finally:
            if self._waiting.pop(future, None) is not None and self._owner is not None:
                self._owner.waiting(-1)

    def settle(self, outcome: Landed | Gone | BaseException) -> Collection[ReaderBuffer]:
        """End the entry; returns the readers that waited. An exception is a bug: they get it."""
        waiting, self._waiting = self._waiting, {}
        if isinstance(outcome, Landed):
            self.landed = outcome
        if self._owner is not None and waiting:
            self._owner.waiting(-len(waiting))
        for future in waiting:
            if future.done():
                continue  # its reader was cancelled in this very turn of the loop
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        return waiting.values()


class InFlight:
    """All blocks under way, by multihash."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, multihash: bytes) -> Entry | None:
        """Return the entry of a block, if it is under way."""
        return self._entries.get(multihash)

    def announce(self, multihash: bytes, owner: Owner | None = None) -> Entry:
        """Enter a block that is not under way yet."""
        entry = self._entries[multihash] = Entry(owner)
        return entry

    def land(self, multihash: bytes, landed: Landed) -> Collection[ReaderBuffer]:
        """Give a block to all who wait for it; returns them."""
        entry = self._entries.pop(multihash, None)
        return entry.settle(landed) if entry is not None else ()

    def drop(self, multihash: bytes, entry: Entry, outcome: Gone | BaseException) -> None:
        """End an entry without its block; nothing happens when it has ended already."""
        if self._entries.get(multihash) is entry:
            del self._entries[multihash]
            entry.settle(outcome)
