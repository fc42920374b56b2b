"""Blocks: kept close, and brought from elsewhere for a request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.content.block import Block
from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.ports.world import Place


class Tier(StrEnum):
    """Where a block was found; the `detail` of Cache-Status."""

    MEMORY = "memory"
    DISK = "disk"
    SHARED = "shared"


class MissReason(StrEnum):
    """Why a block was in no tier."""

    ABSENT = "absent"
    """It was not here, as far as anybody remembers."""
    EVICTED = "evicted"
    """It was here a while ago."""
    PURGED = "purged"
    """An operator took it out."""
    DAMAGED = "damaged"
    """It was here, but its bytes were wrong."""
    SLOW = "slow"
    """The disk did not answer in time."""
    UNAVAILABLE = "unavailable"
    """The disk or its index cannot be read now."""


class BlockStore(Protocol):
    """Verified blocks kept close. Production: `gateway.cache.tiered_store.TieredStore`."""

    def peek(self, cid: Cid) -> Block | None:
        """Return the block if it can be had without waiting (memory), else None."""
        ...

    async def find(self, cid: Cid, *, is_scan: bool = False) -> tuple[Block, Tier] | None:
        """Return the verified block and where it was, or None. Never raises for bad storage.

        Args:
            cid: of the block.
            is_scan: it is read in passing: it need not come closer for that.
        """
        ...

    def peek_disk(self, cid: Cid, *, is_scan: bool = False) -> Block | None:
        """Return the verified block if it is on the disk and reading it takes no wait.

        For a block that `peek` did not give. None says nothing about it: `find` knows more.
        """
        ...

    async def find_all(
        self, cids: Sequence[Cid], *, is_scan: bool = False
    ) -> list[tuple[Block, Tier] | None]:
        """Return what `find` returns for each of several blocks, in their order.

        Cheaper than finding them one by one, but the first is not there before the last.
        """
        ...

    def has(self, cid: Cid) -> bool:
        """Tell, cheaply and without reading it, whether the block is probably kept."""
        ...

    async def has_all(self, cids: Sequence[Cid]) -> bool:
        """Tell, without reading large blocks, whether all of them are probably kept."""
        ...

    async def keep(self, block: Block, *, is_scan: bool = False) -> None:
        """Keep a verified block. Waits only when too many writes are pending; never raises.

        Args:
            block: what to keep.
            is_scan: it came in passing: it need not be kept close.
        """
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision of the upstream selection, with its reason."""

    upstream: str
    reason: str
    """A word of `gateway.upstream.balancing.selection.ChoiceReason`."""
    distance_km: float | None = None
    ttfb_ms: float | None = None
    """Expected time to the first byte; None when it was never measured."""
    in_flight: int = 0
    """Requests that it had under way."""


@dataclass(slots=True)
class RetrievalTrace:
    """What a request cost and where its blocks came from; filled in as it goes."""

    found: dict[Tier, int] = field(default_factory=dict[Tier, int])
    """Blocks found in the cache, by tier."""
    fetched: int = 0
    """Blocks that came from an upstream for this request (waiting for another's fetch counts)."""
    choices: list[Choice] = field(default_factory=list[Choice])
    waited_s: float = 0.0
    """Seconds spent waiting for blocks that came from an upstream."""


class BlockSource(Protocol):
    """Blocks for one request. Production: `gateway.upstream.retrieval.session.Session`."""

    trace: RetrievalTrace

    def peek(self, cid: Cid) -> Block | None:
        """Return the block if it is in memory (or in the CID itself), else None."""
        ...

    async def get(self, want: Want) -> Block:
        """Return the block, from the cache or an upstream.

        Raises:
            NotFound, Unverifiable, DeadlineExceeded: as `gateway.errors` says.
        """
        ...

    async def close(self) -> None:
        """Say that no more blocks are wanted; fetches that nobody else waits for end."""
        ...


class Retriever(Protocol):
    """Opens a `BlockSource` for each request.

    Production: `gateway.upstream.retrieval.session.Retrieval`.
    """

    def open_session(
        self, place: Place | None, *, cached_only: bool = False, is_scan: bool = False
    ) -> BlockSource:
        """Start the retrieval side of one request.

        Args:
            place: where the client is.
            cached_only: ask no upstream.
            is_scan: the request goes through a whole DAG, however large, once.
        """
        ...
