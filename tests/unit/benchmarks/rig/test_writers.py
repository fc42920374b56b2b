from typing_extensions import override

from benchmarks.data.blocks import numbered
from benchmarks.rig.writers import Found, block_for, check
from gateway.content.block import Block
from gateway.content.cid import Cid
from gateway.ports import Tier
from tests.fakes.store import DictStore


class Liar(DictStore):
    """Has one block for every CID."""

    @override
    async def find(self, cid: Cid, *, is_scan: bool = False) -> tuple[Block, Tier] | None:
        return block_for(1), Tier.DISK


async def test_check_counts_what_is_there() -> None:
    store = DictStore()
    await store.keep(block_for(3))
    assert await check(store, range(8)) == Found(right=1, wrong=0)


async def test_check_counts_other_bytes_as_wrong() -> None:
    assert await check(Liar(), range(8)) == Found(right=1, wrong=7)


def test_numbered_blocks_are_the_same_every_time_and_all_different() -> None:
    blocks = {numbered(number, 100).data for number in (*range(50), *range(50))}
    assert len(blocks) == 50
