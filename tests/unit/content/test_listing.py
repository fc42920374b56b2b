from collections.abc import Callable

import pytest

from gateway.content.build import Built, build_directory, collect
from gateway.content.cid import DAG_PB, RAW, Cid, sha256_cid
from gateway.content.dag_pb import PBLink
from gateway.content.hamt import hash_name, slot_of
from gateway.content.listing import DirectoryEntry, list_directory, sub_shards
from gateway.content.resolve import find_entry
from gateway.content.unixfs import DirectoryEntity, ShardEntity, open_entity
from gateway.content.walk import Scope, Want, run, run_stream
from gateway.errors import BadBlock
from tests.fakes.car_data import read_car
from tests.fakes.dag_forge import Forge, Slot, name_in

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
    a, b, c, d = name_in(0), name_in(9, 1), name_in(9, 200), name_in(10)
    inner = forge.shard({1: Slot(ABSENT, b), 200: Slot(ABSENT, c)})
    root = forge.shard({0: Slot(ABSENT, a), 9: Slot(inner), 10: Slot(ABSENT, d)})

    assert [entry.name for entry in listed(forge, root)] == [a, b, c, d]


def test_shards_are_announced_together() -> None:
    forge = Forge()
    a, b, c = name_in(0), name_in(5, 1), name_in(6, 2)
    first = forge.shard({1: Slot(ABSENT, b)})
    second = forge.shard({2: Slot(ABSENT, c)})
    root = forge.shard({0: Slot(ABSENT, a), 5: Slot(first), 6: Slot(second)})
    entity = open_entity(forge.blocks[root.multihash])
    assert isinstance(entity, ShardEntity)
    steps = list_directory(entity)

    assert next(steps) == DirectoryEntry(a, ABSENT, None)
    assert next(steps) == Want(
        first, (), Scope.ENTITY, root=root, siblings=(first, second), index=0
    )
    assert steps.send(forge.blocks[first.multihash]) == DirectoryEntry(b, ABSENT, None)
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
    hashed = hash_name("a")
    cid, held = ABSENT, "a"
    for level in reversed(range(8)):
        cid = forge.shard({slot_of(hashed, level, 256): Slot(cid, held)})
        held = ""

    assert [entry.name for entry in listed(forge, cid)] == ["a"]


@pytest.mark.parametrize("name", ["00a", "0"], ids=["in-the-wrong-bucket", "without-names"])
def test_shards_without_an_entry_are_limited(name: str) -> None:
    """A few blocks can claim 2**56 shards and not one entry that a path leads to."""
    forge = Forge()
    cid = forge.any_shard([(name, ABSENT)] * 255, (1 << 255) - 1)
    for _ in range(7):
        cid = forge.shard({slot: Slot(cid) for slot in range(256)})

    with pytest.raises(BadBlock, match="over 1024 shards without an entry"):
        listed(forge, cid)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda forge: forge.shard({0: Slot(ABSENT, name_in(0)), 1: Slot(ABSENT, name_in(2))}),
            id="wrong-bucket",
        ),
        pytest.param(
            lambda forge: forge.shard({3: Slot(forge.shard({1: Slot(ABSENT, name_in(3, 2))}))}),
            id="wrong-bucket-below",
        ),
        pytest.param(
            lambda forge: forge.shard({0: Slot(ABSENT, name_in(0)), 1: Slot(ABSENT, name_in(0))}),
            id="twice",
        ),
        pytest.param(
            lambda forge: forge.any_shard(
                [(f"01{name_in(1)}", ABSENT), (f"00{name_in(0)}", ABSENT)], 3
            ),
            id="links-out-of-order",
        ),
        pytest.param(
            lambda forge: forge.any_shard([(f"0a{name_in(10)}", ABSENT)], 1 << 10),
            id="lower-case-digits",
        ),
        pytest.param(
            lambda forge: forge.any_shard([(f"77{name_in(0)}", ABSENT)], 1), id="other-digits"
        ),
        pytest.param(lambda forge: forge.any_shard([(None, ABSENT)], 1), id="no-name"),
        pytest.param(lambda forge: forge.any_shard([("0", ABSENT)], 1), id="short-name"),
    ],
)
def test_listing_and_lookup_of_a_hamt_agree(make: Make) -> None:
    """Issue 12, 11: what is listed is found, and what is found is listed."""
    forge = Forge()
    root = make(forge)
    entity = open_entity(forge.blocks[root.multihash])
    names = {*map(name_in, range(16)), name_in(3, 1), name_in(3, 2)}
    found = [name for name in names if run(find_entry(entity, name), forge.blocks) is not None]

    assert sorted(entry.name for entry in listed(forge, root)) == sorted(found)


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
