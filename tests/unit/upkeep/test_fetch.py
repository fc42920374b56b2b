"""Whole DAGs, block by block."""

import pytest

from gateway.content.walk import Want
from gateway.errors import DeadlineExceeded, NotFound
from gateway.upkeep.fetch import expected_bytes, fetch_dag
from tests.fakes.blocks import numbered
from tests.fakes.dags import dag_of
from tests.fakes.source import DictRetriever

DAG = dag_of(10)


class Deadline:
    """Lets every `every`-th wait end in the deadline of the session, the first one of it too."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.waits = 0

    async def __call__(self, want: Want) -> None:
        self.waits += 1
        if self.waits % self.every == 0:
            raise DeadlineExceeded(want.cid, ())


async def test_yields_each_block_once_the_root_first() -> None:
    retriever = DictRetriever(DAG.blocks)
    found = [block.cid async for block in fetch_dag(retriever, DAG.root)]
    assert found[0] == DAG.root
    assert sorted(map(str, found)) == sorted(str(block.cid) for block in DAG.blocks)
    assert retriever.sessions[0].is_closed


async def test_blocks_at_hand_are_not_waited_for() -> None:
    retriever = DictRetriever((), near=DAG.blocks)
    assert len([block async for block in fetch_dag(retriever, DAG.root)]) == len(DAG.blocks)
    assert retriever.sessions[0].asked == []


async def test_a_block_that_cannot_be_had_ends_it() -> None:
    retriever = DictRetriever(DAG.blocks[1:])
    with pytest.raises(NotFound, match="was not found"):
        [block async for block in fetch_dag(retriever, DAG.root)]
    assert retriever.sessions[0].is_closed


async def test_another_session_goes_on_after_the_deadline_of_one() -> None:
    retriever = DictRetriever(DAG.blocks)
    retriever.before_get = Deadline(every=4)
    assert len([block async for block in fetch_dag(retriever, DAG.root)]) == len(DAG.blocks)
    assert [session.is_closed for session in retriever.sessions] == [True] * 5


async def test_a_session_without_a_block_is_the_last() -> None:
    retriever = DictRetriever(DAG.blocks)
    retriever.before_get = Deadline(every=1)
    with pytest.raises(DeadlineExceeded, match="not delivered in time"):
        [block async for block in fetch_dag(retriever, DAG.root)]


async def test_the_root_tells_how_much_is_to_come() -> None:
    root = next(block for block in DAG.blocks if block.cid == DAG.root)
    assert expected_bytes(root) == sum(len(block.data) for block in DAG.blocks)


async def test_a_raw_block_tells_nothing() -> None:
    assert expected_bytes(numbered(1, 10)) is None
