"""Long work beside the event loop (issue 12, 20)."""

import asyncio
import gc
import threading

import pytest

from gateway.content.car_walk import MANY_LINKS, find_links, walk_car
from gateway.content.cid import DAG_PB, RAW, make_cid
from gateway.content.dag_pb import PBLink, PBNode, encode_node
from gateway.content.multihash import IDENTITY
from gateway.content.walk import Ended, Want, advance
from gateway.offload import TURN_STEPS, Turns, run_offloaded, take_step
from tests.fakes.blocks import block_of

OWN = PBLink(make_cid(RAW, IDENTITY, b"x").encode(), None, None)
WIDE = block_of(encode_node(PBNode((OWN,) * 5000, None)), DAG_PB)
NARROW = block_of(encode_node(PBNode((OWN,) * 5, None)), DAG_PB)


async def test_others_are_served_meanwhile() -> None:
    is_free = threading.Event()
    work = asyncio.create_task(run_offloaded(lambda: is_free.wait(10)))
    await asyncio.sleep(0)
    is_free.set()
    assert await work


async def test_errors_come_through_and_the_collector_is_on_again() -> None:
    def fail() -> None:
        assert not gc.isenabled()
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        await run_offloaded(fail)
    assert gc.isenabled()


@pytest.mark.parametrize("block", [WIDE, NARROW], ids=["aside", "here"])
async def test_a_walk_ends_wherever_its_step_is_taken(block: object) -> None:
    assert isinstance(block, type(WIDE))
    walk = walk_car(block.cid)
    want = advance(walk, None)
    assert isinstance(want, Want)
    assert await take_step(walk, want, block) == Ended(None)


async def test_a_loop_without_waits_gives_others_their_turn() -> None:
    had: list[int] = []
    asyncio.get_running_loop().call_soon(had.append, 1)
    turns = Turns()
    for _ in range(TURN_STEPS - 1):
        await turns.step()
    assert had == []
    await turns.step()
    assert had == [1]


def test_many_links_are_shared_by_all_who_walk_them() -> None:
    assert find_links(WIDE) is find_links(WIDE)
    assert len(find_links(WIDE)) > MANY_LINKS
    assert find_links(NARROW) is not find_links(NARROW)
