"""Operators' control of the cache: purges and pins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.content.block import Block
from gateway.content.cid import Cid


@dataclass(frozen=True, slots=True)
class Purged:
    """The result of a purge."""

    blocks: int
    bytes: int
    pinned: int
    """Blocks that stayed because they are pinned."""


class PinState(StrEnum):
    """The progress of a pin."""

    WAITING = "waiting"
    """Not begun yet."""
    FETCHING = "fetching"
    PINNED = "pinned"
    """Complete: all its blocks are on disk and stay there."""
    FAILED = "failed"
    """It will be retried."""


@dataclass(frozen=True, slots=True)
class PinRow:
    """One pin as the cache's index has it."""

    root: bytes
    """Multihash."""
    state: PinState
    reason: str
    """Why it failed; empty if it did not."""
    blocks: int
    bytes: int
    """Disk space of its blocks; those of an earlier pin count for that one only."""


class BlockControl(Protocol):
    """Operators' commands to the cache. Production: `gateway.cache.control.Control`.

    Raises:
        CacheUnavailable: all methods, if the disk tier is off or broken.
    """

    @property
    def is_shared(self) -> bool:
        """Whether a purge reaches the other workers through a shared store."""
        ...

    async def purge(self, cids: Sequence[Cid]) -> Purged:
        """Remove blocks from all tiers; pinned ones stay."""
        ...

    async def catch_up(self) -> None:
        """Wait until this process has dropped all blocks that others purged before this call."""
        ...

    async def keep(self, block: Block) -> None:
        """Store a block on disk, bypassing the admission policy; never raises."""
        ...

    async def pin_roots(self) -> Mapping[str, float]:
        """Return the pinned roots with the times of their pins (seconds since the epoch)."""
        ...

    async def change_pins(self, add: Sequence[Cid], remove: Sequence[Cid]) -> None:
        """Add and remove pinned roots."""
        ...

    async def lead_pins(self) -> bool:
        """Tell whether this process is the one that fetches the pins."""
        ...

    async def pins_version(self) -> int:
        """Return a number that changes whenever the pins change."""
        ...

    async def pins(self) -> Sequence[PinRow]:
        """Return the pins that have begun."""
        ...

    async def pin(self, root: Cid, blocks: Sequence[Block]) -> None:
        """Pin blocks for a root.

        Raises:
            PinsFull: the pins would exceed their share of the disk tier.
        """
        ...

    async def finish_pin(self, root: Cid, failure: str = "") -> None:
        """Mark a root as completely pinned, or as failed with a reason."""
        ...

    async def unpin(self, root: bytes) -> None:
        """Make the blocks of a root (by multihash) evictable again."""
        ...
