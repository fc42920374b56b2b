"""What operators want kept, or gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.content.block import Block
from gateway.content.cid import Cid


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge took out."""

    blocks: int
    bytes: int
    pinned: int
    """Blocks that stayed, because a pin holds them."""


class PinState(StrEnum):
    """How far a pin is."""

    WAITING = "waiting"
    """Nobody has begun yet."""
    FETCHING = "fetching"
    PINNED = "pinned"
    """All of it is here, and stays."""
    FAILED = "failed"
    """It is tried again later."""


@dataclass(frozen=True, slots=True)
class PinRow:
    """One pinned root as the cache has it."""

    root: bytes
    """Multihash."""
    state: PinState
    reason: str
    """Why it failed."""
    blocks: int
    bytes: int
    """Room that its blocks take on the disk; what an earlier pin holds is counted there."""


class BlockControl(Protocol):
    """What operators order of the cache. Production: `gateway.cache.control.Control`.

    Raises:
        CacheUnavailable: from all methods, when the disk tier is off or does not work.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other processes learn of a purge through what they share with this one."""
        ...

    async def purge(self, cids: Sequence[Cid]) -> Purged:
        """Take blocks out everywhere; pinned ones stay."""
        ...

    async def catch_up(self) -> None:
        """Return when this process has dropped what other processes purged before."""
        ...

    async def keep(self, block: Block) -> None:
        """Have a block on the disk, whatever is admitted otherwise; never raises."""
        ...

    async def pin_roots(self) -> Mapping[str, float]:
        """Return the roots that must stay, and since when (seconds since the epoch)."""
        ...

    async def change_pins(self, add: Sequence[Cid], remove: Sequence[Cid]) -> None:
        """Say which roots must stay from now on, and which no longer."""
        ...

    async def lead_pins(self) -> bool:
        """Tell whether this process is the one that carries the pins out."""
        ...

    async def pins_version(self) -> int:
        """Return a number that changes when somebody changes the pins."""
        ...

    async def pins(self) -> Sequence[PinRow]:
        """Return the pins that were begun."""
        ...

    async def pin(self, root: Cid, blocks: Sequence[Block]) -> None:
        """Make blocks of a root stay.

        Raises:
            PinsFull: the pins would fill too much of the disk tier.
        """
        ...

    async def finish_pin(self, root: Cid, failure: str = "") -> None:
        """Say that all of a root stays, or why it cannot."""
        ...

    async def unpin(self, root: bytes) -> None:
        """Let the blocks of a root (by multihash) go when their time comes."""
        ...
