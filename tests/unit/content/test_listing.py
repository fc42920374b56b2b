from collections.abc import Callable
from itertools import islice

import pytest

from gateway.content.build import Built, build_directory, collect
from gateway.content.cid import DAG_PB, RAW, Cid, sha256_cid
from gateway.content.dag_pb import PBLink
from gateway.content.listing import DirectoryEntry, list_directory, sub_shards
from gateway.content.unixfs import DirectoryEntity, ShardEntity, open_entity
from gateway.content.walk import Scope, Want, run_stream
from gateway.errors import BadBlock
from tests.fakes.car_data import read_car
from tests.fakes.dag_forge import Forge, Slot

ABSENT = sha256_cid(RAW, bytes(32))


def listed(forge: Forge, cid: Cid) -> list[DirectoryEntry]:
    entity = open_entity(forge.blocks[cid.multihash])
    assert isinstance(entity, DirectoryEntity | ShardEntity)
    return list(run_stream(list_directory(entity), forge.blocks))


def test_directory_is_listed_in_link_order_without_its_children() -> None:
    forge = Forge()
    cid = forge.directory(("z", ABSENT), ("a", ABSENT))

    assert listed(forge, cid) == [
        DirectoryEntry("z", ABSENT, None),
        DirectoryEntry("a", ABSENT, None),
    ]


def test_entries_have_the_size_that_the_directory_tells() -> None:
    built, (block,) = collect(build_directory([("a", Built(ABSENT, 1, 1234))]))
    forge = Forge()
    forge.blocks[built.cid.multihash] = block

    assert listed(forge, built.cid) == [DirectoryEntry("a", ABSENT, 1234)]


def test_first_of_two_equal_names_is_listed() -> None:
    forge = Forge()
    cid = forge.directory(("a", ABSENT), ("a", forge.raw(b"x")))

    assert listed(forge, cid) == [DirectoryEntry("a", ABSENT, None)]


def test_absent_name_is_listed_as_an_empty_one() -> None:
    forge = Forge()

    assert listed(forge, forge.directory((None, ABSENT))) == [DirectoryEntry("", ABSENT, None)]


def test_hamt_of_the_specification_has_1000_entries() -> None:
    name = "single-layer-hamt-with-multi-block-files.car"
    car = read_car(f"gateway-conformance/trustless_gateway_car/{name}")
    forge = Forge()
    forge.blocks.update(car.blocks)
    names = [entry.name for entry in listed(forge, car.root)]

    assert sorted(names) == sorted(f"{number}.txt" for number in range(1, 1001))
    assert names[:2] == ["470.txt", "742.txt"]


def test_hamt_is_listed_depth_first_in_slot_order() -> None:
    forge = Forge()
    inner = forge.shard({7: Slot(ABSENT, "c")})
    middle = forge.shard({1: Slot(ABSENT, "b"), 200: Slot(inner)})
    root = forge.shard({0: Slot(ABSENT, "a"), 9: Slot(middle), 10: Slot(ABSENT, "d")})

    assert [entry.name for entry in listed(forge, root)] == ["a", "b", "c", "d"]


def test_shards_are_announced_together() -> None:
    forge = Forge()
    first = forge.shard({1: Slot(ABSENT, "b")})
    second = forge.shard({2: Slot(ABSENT, "c")})
    root = forge.shard({0: Slot(ABSENT, "a"), 5: Slot(first), 6: Slot(second)})
    entity = open_entity(forge.blocks[root.multihash])
    assert isinstance(entity, ShardEntity)
    steps = list_directory(entity)

    assert next(steps) == DirectoryEntry("a", ABSENT, None)
    assert next(steps) == Want(
        first, (), Scope.ENTITY, root=root, siblings=(first, second), index=0
    )
    assert steps.send(forge.blocks[first.multihash]) == DirectoryEntry("b", ABSENT, None)
    assert next(steps) == Want(
        second, (), Scope.ENTITY, root=root, siblings=(first, second), index=1
    )


def test_sub_shards_leave_out_entries() -> None:
    forge = Forge()
    inner = forge.shard({1: Slot(ABSENT, "b")})
    root = forge.shard({0: Slot(ABSENT, "a"), 5: Slot(inner)})
    shard = open_entity(forge.blocks[root.multihash])
    assert isinstance(shard, ShardEntity)

    assert sub_shards(shard) == (inner,)


Make = Callable[[Forge], Cid]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(
            lambda forge: forge.any_shard([("01a", ABSENT)], 1),
            "slot 00 has the name '01a'",
            id="name-of-another-slot",
        ),
        pytest.param(
            lambda forge: forge.any_shard([("01b", ABSENT), ("00a", ABSENT)], 3),
            "slot 00 has the name '01b'",
            id="links-out-of-order",
        ),
        pytest.param(
            lambda forge: forge.any_shard([("0aa", ABSENT)], 1 << 10),
            "slot 0A has the name '0aa'",
            id="lower-case",
        ),
        pytest.param(
            lambda forge: forge.any_shard([(None, ABSENT)], 1), "the name None", id="no-name"
        ),
        pytest.param(
            lambda forge: forge.shard({0: Slot(forge.shard({}))}),
            "an empty shard below another one",
            id="empty-shard-below",
        ),
        pytest.param(
            lambda forge: forge.shard({0: Slot(forge.shard({1: Slot(ABSENT, "a")}, 8))}),
            "fanout 8 below a shard of 256",
            id="other-fanout-below",
        ),
        pytest.param(
            lambda forge: forge.shard({0: Slot(forge.directory())}), "not a shard", id="directory"
        ),
        pytest.param(
            lambda forge: forge.deep_hamt("a", 9), "more than 8 levels of shards", id="too-deep"
        ),
    ],
)
def test_malformed_hamt_is_refused(make: Make, reason: str) -> None:
    forge = Forge()

    with pytest.raises(BadBlock, match=reason):
        listed(forge, make(forge))


def test_empty_hamt_has_no_entries() -> None:
    forge = Forge()

    assert listed(forge, forge.shard({})) == []


def test_deepest_hamt_is_listed() -> None:
    forge = Forge()

    assert [entry.name for entry in listed(forge, forge.deep_hamt("a", 8))] == ["another name"]


def test_hamt_bomb_gives_an_entry_for_every_few_shards() -> None:
    forge = Forge()
    cid = forge.shard({slot: Slot(ABSENT, "a") for slot in range(256)})
    for _ in range(7):
        cid = forge.shard({slot: Slot(cid) for slot in range(256)})
    entity = open_entity(forge.blocks[cid.multihash])
    assert isinstance(entity, ShardEntity)

    assert len(list(islice(run_stream(list_directory(entity), forge.blocks), 1000))) == 1000


@pytest.mark.parametrize(
    ("names", "expected"),
    [((None, None, "a"), ["", "a"]), ((None, "", "a", "a"), ["", "a"]), (("", ""), [""])],
)
def test_of_each_name_the_first_is_listed(
    names: tuple[str | None, ...], expected: list[str]
) -> None:
    links = tuple(
        PBLink(sha256_cid(RAW, bytes([n]) * 32).encode(), name, 1) for n, name in enumerate(names)
    )
    entity = DirectoryEntity(sha256_cid(DAG_PB, bytes(32)), links)
    found = [entry.name for entry in list_directory(entity) if isinstance(entry, DirectoryEntry)]
    assert found == expected
