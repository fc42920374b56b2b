"""What a CAR stream announces."""

from gateway.content.car_walk import walk_car
from gateway.content.cid import Cid
from gateway.content.walk import Scope, Want
from gateway.upstream.horizon import MAX_REACH, MIN_REACH, Horizon
from tests.fakes.blocks import numbered
from tests.fakes.upstream_kit import sample

CIDS = tuple(numbered(n, 10).cid for n in range(40))


def at(index: int, siblings: tuple[Cid, ...] = CIDS) -> Want:
    return Want(siblings[index], (), Scope.ENTITY, siblings=siblings, index=index)


def test_a_want_without_siblings_brings_nothing_into_reach() -> None:
    assert list(Horizon().moved_to(Want(CIDS[0]))) == []


def test_each_step_brings_one_more_into_reach() -> None:
    horizon = Horizon()
    reach = horizon.reach
    assert list(horizon.moved_to(at(0))) == list(CIDS[:reach])
    assert list(horizon.moved_to(at(1))) == [CIDS[reach]]


def test_beginning_in_the_middle_announces_nothing_before() -> None:
    horizon = Horizon()
    assert next(horizon.moved_to(at(10))) == CIDS[10]


def test_near_the_end_the_next_of_the_level_above_comes_into_reach() -> None:
    horizon = Horizon()
    leaves = tuple(numbered(n, 10).cid for n in range(100, 100 + horizon.reach))
    list(horizon.moved_to(at(0, CIDS[:3])))
    assert list(horizon.moved_to(at(0, leaves))) == list(leaves)
    far = Horizon()
    list(far.moved_to(at(0, CIDS[:3])))
    assert CIDS[1] not in list(far.moved_to(at(0, leaves)))


def test_reach_follows_the_size_of_blocks() -> None:
    horizon = Horizon()
    for _ in range(50):
        horizon.passed(2 * 1024 * 1024)
    assert horizon.reach == MIN_REACH
    for _ in range(50):
        horizon.passed(100)
    assert horizon.reach == MAX_REACH


def test_all_blocks_of_a_file_are_announced_once_before_they_are_due() -> None:
    file = sample(60_000)
    blocks = {block.cid.multihash: block for block in file.blocks}
    horizon = Horizon()
    announced: list[Cid] = []
    walk = walk_car(file.cid, (), Scope.ENTITY)
    want: Want | None = next(walk)
    visited: list[Cid] = []
    while want is not None:
        announced += horizon.moved_to(want)
        visited.append(want.cid)
        assert not want.siblings or want.cid in announced
        try:
            want = walk.send(blocks[want.cid.multihash])
        except StopIteration:
            want = None
    assert len(announced) == len(set(announced))
    assert set(announced) == set(visited[1:])
