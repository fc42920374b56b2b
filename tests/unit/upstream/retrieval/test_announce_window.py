"""What a CAR stream announces."""

import pytest

from gateway.content.car_walk import walk_car
from gateway.content.cid import DAG_PB, Cid
from gateway.content.walk import Scope, Want
from gateway.upstream.retrieval.announce_window import MAX_REACH, MIN_REACH, AnnounceWindow
from tests.fakes.blocks import alias, numbered
from tests.fakes.upstream_kit import sample

CIDS = tuple(numbered(n, 10).cid for n in range(40))
NODES = tuple(alias(cid, DAG_PB) for cid in CIDS)


def at(index: int, siblings: tuple[Cid, ...] = CIDS) -> Want:
    return Want(siblings[index], (), Scope.ENTITY, siblings=siblings, index=index)


def test_a_want_without_siblings_brings_nothing_into_reach() -> None:
    assert list(AnnounceWindow().moved_to(Want(CIDS[0]))) == []


def test_each_step_brings_one_more_into_reach() -> None:
    window = AnnounceWindow()
    reach = window.reach
    assert list(window.moved_to(at(0))) == list(CIDS[:reach])
    assert list(window.moved_to(at(1))) == [CIDS[reach]]


def test_beginning_in_the_middle_announces_nothing_before() -> None:
    window = AnnounceWindow()
    assert next(window.moved_to(at(10))) == CIDS[10]


def test_near_the_end_the_next_of_the_level_above_comes_into_reach() -> None:
    window = AnnounceWindow()
    nodes = NODES[:3]
    leaves = tuple(numbered(n, 10).cid for n in range(100, 120))
    assert list(window.moved_to(at(0, nodes))) == [nodes[0]]
    assert list(window.moved_to(at(0, leaves))) == list(leaves[: window.reach])
    assert list(window.moved_to(at(4, leaves))) == list(leaves[16:])
    assert list(window.moved_to(at(5, leaves))) == [nodes[1]]
    assert list(window.moved_to(at(1, nodes))) == []


def test_leaves_that_look_like_nodes_are_known_from_the_second_on() -> None:
    window = AnnounceWindow()
    leaves = NODES
    assert list(window.moved_to(at(0, leaves))) == [leaves[0]]
    assert list(window.moved_to(at(1, leaves))) == list(leaves[1 : 1 + window.reach])


@pytest.mark.parametrize(
    ("wants", "is_clear"),
    [
        pytest.param([], False, id="nothing-yet"),
        pytest.param([at(0)], True, id="leaves"),
        pytest.param([at(len(CIDS) - AnnounceWindow().reach)], True, id="just-enough"),
        pytest.param([at(len(CIDS) - AnnounceWindow().reach + 1)], False, id="end-of-the-leaves"),
        pytest.param([at(0, NODES)], False, id="nodes"),
        pytest.param([at(0, NODES), at(1, NODES)], True, id="leaves-that-look-like-nodes"),
        pytest.param([at(0, NODES), at(0), at(1, NODES)], False, id="nodes-for-sure"),
    ],
)
def test_whether_it_is_known_what_comes_next(wants: list[Want], is_clear: bool) -> None:  # noqa: FBT001 (a table)
    window = AnnounceWindow()
    for want in wants:
        list(window.moved_to(want))
    assert window.is_clear is is_clear


def test_reach_follows_the_size_of_blocks() -> None:
    window = AnnounceWindow()
    for _ in range(50):
        window.passed(2 * 1024 * 1024)
    assert window.reach == MIN_REACH
    for _ in range(50):
        window.passed(100)
    assert window.reach == MAX_REACH


def test_all_blocks_of_a_file_are_announced_once_before_they_are_due() -> None:
    file = sample(60_000)
    blocks = {block.cid.multihash: block for block in file.blocks}
    window = AnnounceWindow()
    announced: list[Cid] = []
    walk = walk_car(file.cid, (), Scope.ENTITY)
    want: Want | None = next(walk)
    visited: list[Cid] = []
    while want is not None:
        announced += window.moved_to(want)
        visited.append(want.cid)
        assert not want.siblings or want.cid in announced
        try:
            want = walk.send(blocks[want.cid.multihash])
        except StopIteration:
            want = None
    assert len(announced) == len(set(announced))
    assert set(announced) == set(visited[1:])
