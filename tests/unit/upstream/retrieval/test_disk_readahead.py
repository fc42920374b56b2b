"""Reading ahead from the disk."""

import asyncio
from collections.abc import Sequence

from gateway.content.block import Block
from gateway.content.cid import Cid
from gateway.content.walk import Scope, Want
from gateway.ports import Tier
from gateway.upstream.retrieval.disk_readahead import MAX_BATCH
from gateway.upstream.retrieval.in_flight import Landed
from tests.fakes.lying_upstream import LyingUpstream
from tests.fakes.store import DictStore
from tests.fakes.upstream_kit import Kit, Sample, read, sample

FILE: Sample = sample(60_000)
LEAVES = tuple(block.cid for block in FILE.blocks if len(block.data) == 1024)


class SlowDisk(DictStore):
    """A disk whose finds wait until they are let go."""

    def __init__(self, blocks: list[Block]) -> None:
        super().__init__(blocks, is_near=False)
        self.looking: list[Cid] = []
        self.let_go = asyncio.Event()

    async def find(self, cid: Cid, *, is_scan: bool = False) -> tuple[Block, Tier] | None:
        self.looking.append(cid)
        await self.let_go.wait()
        return await super().find(cid)

    async def find_all(
        self, cids: Sequence[Cid], *, is_scan: bool = False
    ) -> list[tuple[Block, Tier] | None]:
        self.looking += cids
        await self.let_go.wait()
        return [await DictStore.find(self, cid) for cid in cids]


def at(index: int) -> Want:
    return Want(LEAVES[index], (), Scope.ENTITY, root=FILE.cid, siblings=LEAVES, index=index)


async def turns() -> None:
    """Let everything that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_after_a_find_on_the_disk_the_next_are_looked_up_in_batches() -> None:
    disk = SlowDisk(FILE.blocks)
    disk.let_go.set()
    async with Kit(store=disk) as kit:
        session = kit.retrieval.open_session(None)
        await session.get(at(0))
        disk.let_go.clear()
        await turns()
        assert disk.looking == list(LEAVES[: 1 + 2 * MAX_BATCH])
        disk.let_go.set()
        await turns()
        for leaf in LEAVES[1:MAX_BATCH]:
            assert session.peek(leaf) is not None
            await turns()
            assert len(disk.looking) == 1 + 2 * MAX_BATCH
        assert session.peek(LEAVES[MAX_BATCH]) is not None
        await turns()
        assert disk.looking == list(LEAVES[: 1 + 3 * MAX_BATCH])
        await session.close()


async def test_each_block_is_looked_up_once() -> None:
    disk = SlowDisk(FILE.blocks)
    disk.let_go.set()
    async with Kit(store=disk) as kit:
        session = kit.retrieval.open_session(None)
        for index in range(len(LEAVES)):
            await session.get(at(index))
        await session.close()
    assert disk.looking == list(LEAVES)
    assert session.trace.found == {Tier.DISK: len(LEAVES)}


async def test_a_jump_goes_on_from_there() -> None:
    disk = SlowDisk(FILE.blocks)
    disk.let_go.set()
    async with Kit(store=disk) as kit:
        session = kit.retrieval.open_session(None)
        await session.get(at(0))
        await turns()
        await session.get(at(40))
        await turns()
        assert disk.looking[-len(LEAVES[41:]) :] == list(LEAVES[41:])
        await session.close()


async def test_what_turns_out_to_be_missing_is_fetched() -> None:
    class Corrupt(SlowDisk):
        """Believes that it has a block which it cannot read."""

        def _look_up(self, cid: Cid) -> Block | None:
            return None if cid.multihash == LEAVES[2].multihash else super()._look_up(cid)

    disk = Corrupt(FILE.blocks)
    disk.let_go.set()
    async with LyingUpstream(FILE.blocks) as upstream, Kit(upstream.settings, store=disk) as kit:
        session = kit.retrieval.open_session(None)
        assert await read(session, FILE.cid) == FILE.content
        await session.close()
        assert len(kit.context.in_flight) == 0
    assert len(upstream.log) == 1


async def test_a_lookup_after_the_reader_has_gone_leaves_nothing() -> None:
    disk = SlowDisk(FILE.blocks)
    disk.let_go.set()
    async with Kit(store=disk) as kit:
        session = kit.retrieval.open_session(None)
        await session.get(at(0))
        disk.let_go.clear()
        await session.close()
        await turns()
        disk.let_go.set()
        await turns()
        assert (len(kit.context.in_flight), kit.context.tasks) == (0, set())


async def test_another_reader_gets_what_is_looked_up_ahead() -> None:
    disk = SlowDisk(FILE.blocks)
    disk.let_go.set()
    async with Kit(store=disk) as kit:
        session = kit.retrieval.open_session(None)
        await session.get(at(0))
        disk.let_go.clear()
        await turns()
        other = kit.retrieval.open_session(None)
        waiting = asyncio.create_task(other.get(at(1)))
        await turns()
        disk.let_go.set()
        assert (await waiting).cid == LEAVES[1]
        assert disk.looking.count(LEAVES[1]) == 1
        await session.close()
        await other.close()


async def test_what_lands_from_elsewhere_meanwhile_is_taken() -> None:
    disk = SlowDisk([])
    block = FILE.blocks[0]
    async with Kit(store=disk) as kit:
        session = kit.retrieval.open_session(None)
        waiting = asyncio.create_task(session.get(Want(block.cid)))
        await turns()
        kit.context.in_flight.land(block.cid.multihash, Landed(block, None))
        disk.let_go.set()
        assert (await waiting).data == block.data
        await session.close()
