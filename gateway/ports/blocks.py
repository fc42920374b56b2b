"""Blocks: the cache, and retrieval for a request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.content.block import Block
from gateway.content.cid import Cid
from gateway.content.walk import Want
from gateway.ports.world import Place


class Tier(StrEnum):
    """A tier of the cache; the `detail` of Cache-Status."""

    MEMORY = "memory"
    DISK = "disk"
    SHARED = "shared"


class MissReason(StrEnum):
    """Why a block was in no tier."""

    ABSENT = "absent"
    """It has not been in the cache, as far as is known."""
    EVICTED = "evicted"
    """It was in the cache a while ago."""
    PURGED = "purged"
    """An operator removed it."""
    DAMAGED = "damaged"
    """It was in the cache, but its bytes did not match its hash."""
    SLOW = "slow"
    """The disk did not answer in time."""
    UNAVAILABLE = "unavailable"
    """The disk or its index cannot be read now."""


class BlockStore(Protocol):
    """A cache of verified blocks. Production: `gateway.cache.tiered_store.TieredStore`."""

    def peek(self, cid: Cid) -> Block | None:
        """Return the block if it is in memory, else None; never waits."""
        ...

    async def find(self, cid: Cid, *, is_scan: bool = False) -> tuple[Block, Tier] | None:
        """Return the verified block and its tier; None for a miss. Never raises for bad storage.

        Args:
            cid: of the block.
            is_scan: part of a scan: a hit does not promote the block to a faster tier.
        """
        ...

    def peek_disk(self, cid: Cid, *, is_scan: bool = False) -> Block | None:
        """Return the verified block if it can be read from disk at once, else None.

        For a block that `peek` did not return. None does not mean a miss: `find` decides that.
        """
        ...

    async def find_all(
        self, cids: Sequence[Cid], *, is_scan: bool = False
    ) -> list[tuple[Block, Tier] | None]:
        """Return the result of `find` for each of several blocks, in their order.

        Cheaper than single calls, but returns the first block no earlier than the last.
        """
        ...

    def has(self, cid: Cid) -> bool:
        """Tell whether the block is probably in the cache; cheap, reads no block."""
        ...

    async def has_all(self, cids: Sequence[Cid]) -> bool:
        """Tell whether all blocks are probably in the cache; reads no large block."""
        ...

    async def keep(self, block: Block, *, is_scan: bool = False) -> None:
        """Store a verified block. Waits only while too many writes are pending; never raises.

        Args:
            block: the block.
            is_scan: part of a scan: the block need not enter the memory tier.
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
    """Its requests in flight at that time."""


@dataclass(slots=True)
class RetrievalTrace:
    """Sources of a request's blocks and the time it waited for them; updated as it goes."""

    found: dict[Tier, int] = field(default_factory=dict[Tier, int])
    """Blocks found in the cache, by tier."""
    fetched: int = 0
    """Blocks from upstreams, those of another request's fetch in flight included."""
    choices: list[Choice] = field(default_factory=list[Choice])
    waited_s: float = 0.0
    """Seconds spent waiting for blocks from upstreams."""


class BlockSource(Protocol):
    """Blocks for one request. Production: `gateway.upstream.retrieval.session.Session`."""

    trace: RetrievalTrace

    def peek(self, cid: Cid) -> Block | None:
        """Return the block if it is in memory (or an identity CID holds it), else None."""
        ...

    async def get(self, want: Want) -> Block:
        """Return the block, from the cache or an upstream.

        Raises:
            NotFound, Unavailable, DeadlineExceeded: see `gateway.errors`.
        """
        ...

    async def close(self) -> None:
        """End the session; cancels its fetches that no other request waits for."""
        ...


class Retriever(Protocol):
    """A factory of a `BlockSource` for each request.

    Production: `gateway.upstream.retrieval.session.Retrieval`.
    """

    def open_session(
        self, place: Place | None, *, cached_only: bool = False, is_scan: bool = False
    ) -> BlockSource:
        """Start the retrieval side of one request.

        Args:
            place: location of the client; None if unknown.
            cached_only: send no request to an upstream.
            is_scan: the request reads a whole DAG once, however large.
        """
        ...
