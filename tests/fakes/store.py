"""A block store that is a dict; held to the same contract as the real one."""

from collections.abc import Iterable, Sequence

from gateway.content.block import Block, rename
from gateway.content.cid import Cid
from gateway.ports import BlockStore, Tier


class DictStore:
    """Keeps every block for ever. With `is_near` they are in memory, otherwise on a disk."""

    def __init__(self, blocks: Iterable[Block] = (), *, is_near: bool = True) -> None:
        self.blocks = {block.cid.multihash: block for block in blocks}
        self._is_near = is_near

    def peek(self, cid: Cid) -> Block | None:
        return self._look_up(cid) if self._is_near else None

    async def find(self, cid: Cid, *, is_scan: bool = False) -> tuple[Block, Tier] | None:
        block = self._look_up(cid)
        if block is None:
            return None
        return block, Tier.MEMORY if self._is_near else Tier.DISK

    def peek_disk(self, cid: Cid, *, is_scan: bool = False) -> Block | None:
        return None

    async def find_all(
        self, cids: Sequence[Cid], *, is_scan: bool = False
    ) -> list[tuple[Block, Tier] | None]:
        return [await self.find(cid, is_scan=is_scan) for cid in cids]

    def _look_up(self, cid: Cid) -> Block | None:
        block = self.blocks.get(cid.multihash)
        return None if block is None else rename(block, cid)

    def has(self, cid: Cid) -> bool:
        return cid.multihash in self.blocks

    async def has_all(self, cids: Sequence[Cid]) -> bool:
        return all(map(self.has, cids))

    async def keep(self, block: Block, *, is_scan: bool = False) -> None:
        if not block.cid.is_identity:
            self.blocks[block.cid.multihash] = block


_: BlockStore = DictStore()
