from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.block import Block
from gateway.content.build import Layout, Profile, build_file, collect
from gateway.content.car_walk import MANY_LINKS, MAX_LEVELS, find_links, walk_car, walk_proof
from gateway.content.cid import DAG_CBOR, DAG_PB, RAW, Cid, parse_cid, sha256_cid
from gateway.content.read import read_file
from gateway.content.resolve import resolve
from gateway.content.unixfs import FileEntity
from gateway.content.walk import Scope, Walk, Want, run, run_stream
from gateway.errors import BadBlock, NoSuchLink
from tests.fakes.car_data import CarData, read_car
from tests.fakes.dag_forge import Forge, Part, Slot

CONFORMANCE = "gateway-conformance/trustless_gateway_car/"
HAMT = CONFORMANCE + "single-layer-hamt-with-multi-block-files.car"


def visits(walk: Walk[None], blocks: dict[bytes, Block]) -> list[Want]:
    """Return what a walk asks for, in order."""
    wants: list[Want] = []
    try:
        want = next(walk)
        while True:
            wants.append(want)
            want = walk.send(blocks[want.cid.multihash])
    except StopIteration:
        return wants


def cids(walk: Walk[None], blocks: dict[bytes, Block]) -> list[Cid]:
    return [want.cid for want in visits(walk, blocks)]


@pytest.fixture(name="car", scope="module")
def car_fixture() -> CarData:
    """A file of 1026 bytes in chunks of 256, beside others, in a directory."""
    return read_car("gateway-conformance/path_gateway_unixfs/dir-with-files.car")


@pytest.mark.parametrize(
    ("start", "stop", "chunks"),
    [
        pytest.param(0, None, [1, 2, 3, 4, 5], id="0:*"),
        pytest.param(512, None, [3, 4, 5], id="512:*"),
        pytest.param(512, 1024, [3, 4], id="512:1023"),
        pytest.param(512, -255, [3, 4], id="512:-256"),
        pytest.param(-5, None, [4, 5], id="-5:*"),
        pytest.param(-9999, None, [1, 2, 3, 4, 5], id="-9999:*"),
        pytest.param(-9999, -2, [1, 2, 3, 4], id="-9999:-3"),
        pytest.param(0, 1, [1], id="0:0"),
        pytest.param(2000, None, [], id="2000:*"),
        pytest.param(1026, 1027, [], id="1026:1026"),
    ],
)
def test_entity_bytes_select_the_chunks_of_the_specification(
    car: CarData, start: int, stop: int | None, chunks: list[int]
) -> None:
    file = run(resolve(car.root, ("multiblock.txt",)), car.blocks).entity
    assert isinstance(file, FileEntity)
    walk = walk_car(car.root, ("multiblock.txt",), Scope.ENTITY, start, stop)

    expected = [car.root, file.cid, *(file.children[number - 1] for number in chunks)]
    assert cids(walk, car.blocks) == expected


def test_wants_of_a_range_tell_where_they_stand(car: CarData) -> None:
    wants = visits(walk_car(car.root, ("multiblock.txt",), Scope.ENTITY, -5), car.blocks)
    file, siblings = wants[1].cid, (wants[2].cid, wants[3].cid)

    assert wants == [
        Want(car.root, ("multiblock.txt",), Scope.ENTITY, -5),
        Want(file, (), Scope.ENTITY, -5),
        Want(siblings[0], (), Scope.ENTITY, 1021, 1026, file, siblings, 0),
        Want(siblings[1], (), Scope.ENTITY, 1024, 1026, file, siblings, 1),
    ]


def test_scope_block_is_the_path_and_its_end(car: CarData) -> None:
    wants = visits(walk_car(car.root, ("multiblock.txt",), Scope.BLOCK), car.blocks)

    assert [want.segments for want in wants] == [("multiblock.txt",), ()]


def test_scope_entity_of_a_directory_is_its_block(car: CarData) -> None:
    assert cids(walk_car(car.root, (), Scope.ENTITY, 5, 9), car.blocks) == [car.root]


def test_scope_all_is_everything_once_for_each_visit(car: CarData) -> None:
    order = cids(walk_car(car.root), car.blocks)
    copy, original = order[1:3]

    assert copy == original
    assert list(dict.fromkeys(order)) == [block.cid for block in car.blocks.values()]
    assert len(order) == 10


def test_unique_walk_leaves_out_what_was_walked(car: CarData) -> None:
    order = cids(walk_car(car.root, is_unique=True), car.blocks)

    assert order == [block.cid for block in car.blocks.values()]


def test_ranges_around_a_missing_block_are_walked() -> None:
    car = read_car(CONFORMANCE + "file-3k-and-3-blocks-missing-block.car")

    for start, stop in ((0, 1001), (2200, None)):
        assert len(cids(walk_car(car.root, (), Scope.ENTITY, start, stop), car.blocks)) == 2


def test_path_through_a_hamt_has_only_the_shards_on_the_way() -> None:
    car = read_car(HAMT)
    order = cids(walk_car(car.root, ("470.txt",), Scope.BLOCK), car.blocks)

    assert len(order) == 3


def test_scope_entity_of_a_hamt_is_all_its_shards() -> None:
    car = read_car(HAMT)
    wants = visits(walk_car(car.root, (), Scope.ENTITY), car.blocks)

    assert len(wants) == 237
    assert {want.cid for want in wants} <= {block.cid for block in car.blocks.values()}
    assert wants[1] == Want(
        wants[1].cid, (), Scope.ENTITY, root=car.root, siblings=wants[1].siblings
    )
    assert [want.siblings[want.index] for want in wants[1:]] == [want.cid for want in wants[1:]]


def test_many_links_are_shared_by_all_who_read_them() -> None:
    forge = Forge()
    leaf = forge.raw(b"")
    names = [f"{number:04}" for number in range(MANY_LINKS + 1)]
    block = forge.blocks[forge.directory(*[(name, leaf) for name in names]).multihash]

    assert find_links(block) == (leaf,) * len(names)
    assert find_links(block) is find_links(block)


def test_unique_walk_of_a_hamt_of_equal_shards_is_short() -> None:
    forge = Forge()
    cid = forge.shard({slot: Slot(forge.raw(b""), "a") for slot in range(256)})
    for _ in range(7):
        cid = forge.shard({slot: Slot(cid) for slot in range(256)})

    assert len(cids(walk_car(cid, (), Scope.ENTITY, is_unique=True), forge.blocks)) == 8


def test_unique_walk_of_a_zip_bomb_is_short() -> None:
    forge = Forge()
    cid, size = forge.bomb(levels=5, width=174, leaf=bytes(256))

    for scope in (Scope.ENTITY, Scope.ALL):
        assert len(cids(walk_car(cid, (), scope, is_unique=True), forge.blocks)) == 6
    part = walk_car(cid, (), Scope.ENTITY, 1, size - 1, is_unique=True)
    assert len(cids(part, forge.blocks)) < 20


def test_same_bytes_under_another_codec_are_walked_too() -> None:
    forge = Forge()
    leaf = forge.raw(b"x")
    node = forge.file(Part(leaf, 1))
    root = forge.directory(("a", Cid(1, RAW, node.multihash)), ("b", node))

    order = cids(walk_car(root, is_unique=True), forge.blocks)
    assert order == [root, Cid(1, RAW, node.multihash), node, leaf]


def test_identity_cids_are_opened_and_never_asked_for() -> None:
    forge = Forge()
    leaf = Cid(1, RAW, b"\x00\x01x")
    absent = Cid(1, DAG_PB, bytes.fromhex("0004 0a020801"))
    root = forge.directory(("a", leaf), ("b", absent))

    assert cids(walk_car(root), forge.blocks) == [root]
    assert cids(walk_car(parse_cid("bafkqaaa")), {}) == []


def test_file_of_no_bytes_still_has_its_blocks() -> None:
    forge = Forge()
    empty = forge.raw(b"")
    inner = forge.file(Part(empty, 0))
    root = forge.file(Part(inner, 0), Part(empty, 0))

    assert cids(walk_car(root, (), Scope.ENTITY), forge.blocks) == [root, inner, empty, empty]


def test_other_codecs_are_their_block() -> None:
    forge = Forge()
    cid = forge.block(DAG_CBOR, b"\xa0")

    for scope in Scope:
        assert cids(walk_car(cid, (), scope), forge.blocks) == [cid]


@pytest.mark.parametrize("codec", ["cbor", "json"])
def test_scope_all_follows_the_links_of_other_codecs(codec: str) -> None:
    car = read_car(f"gateway-conformance/path_gateway_dag/dag-{codec}-traversal.car")

    assert cids(walk_car(car.root), car.blocks) == [block.cid for block in car.blocks.values()]
    assert cids(walk_car(car.root, (), Scope.ENTITY), car.blocks) == [car.root]


def test_scope_all_of_mixed_codecs_has_every_block() -> None:
    car = read_car(CONFORMANCE + "dir-with-dag-cbor-with-links.car")

    order = cids(walk_car(car.root, is_unique=True), car.blocks)
    assert order == [block.cid for block in car.blocks.values()]


def test_scope_all_follows_the_links_of_any_dag_pb() -> None:
    forge = Forge()
    leaf = forge.raw(b"x")
    root = forge.node(b"some data", [(None, leaf), ("a", leaf)])

    assert cids(walk_car(root), forge.blocks) == [root, leaf, leaf]
    assert cids(walk_car(root, (), Scope.ENTITY), forge.blocks) == [root]


def test_missing_segment_is_noticed_after_its_directory(car: CarData) -> None:
    with pytest.raises(NoSuchLink, match='no link named "nope"'):
        run(walk_car(car.root, ("nope",)), car.blocks)


def test_a_proof_is_the_path_as_far_as_it_leads(car: CarData) -> None:
    file = run(resolve(car.root, ("multiblock.txt",)), car.blocks).cid

    assert cids(walk_proof(car.root, ("nope", "a")), car.blocks) == [car.root]
    below = walk_proof(car.root, ("multiblock.txt", "nope"))
    assert cids(below, car.blocks) == [car.root, file]


profiles = st.builds(
    Profile,
    chunk_bytes=st.integers(1, 12),
    max_links=st.integers(2, 4),
    raw_leaves=st.booleans(),
    cid_version=st.sampled_from((0, 1)),
    layout=st.sampled_from(Layout),
)


@given(
    st.binary(max_size=200),
    profiles,
    st.integers(-210, 210),
    st.none() | st.integers(-210, 210),
)
def test_blocks_of_a_range_are_all_that_reading_it_needs(
    data: bytes, profile: Profile, start: int, stop: int | None
) -> None:
    built, made = collect(build_file(data, profile))
    blocks = {block.cid.multihash: block for block in made}
    order = cids(walk_car(built.cid, (), Scope.ENTITY, start, stop), blocks)
    unique = cids(walk_car(built.cid, (), Scope.ENTITY, start, stop, is_unique=True), blocks)
    sent = {cid.multihash: blocks[cid.multihash] for cid in unique}
    file = run(resolve(built.cid), sent).entity
    assert isinstance(file, FileEntity)
    first, last, _ = slice(start, stop).indices(len(data))

    assert b"".join(run_stream(read_file(file, first, last), sent)) == data[start:stop]
    assert list(dict.fromkeys(order)) == list(dict.fromkeys(unique))


@given(st.binary(max_size=200), profiles)
def test_scopes_entity_and_all_of_a_file_are_the_same(data: bytes, profile: Profile) -> None:
    built, made = collect(build_file(data, profile))
    blocks = {block.cid.multihash: block for block in made}

    entity = cids(walk_car(built.cid, (), Scope.ENTITY), blocks)
    assert entity == cids(walk_car(built.cid, (), Scope.ALL), blocks)
    assert set(entity) == {block.cid for block in made}


def deep(forge: Forge, levels: int) -> Cid:
    cid = forge.raw(b"x")
    for _ in range(levels):
        cid = forge.node(None, [("", cid)])
    return cid


def test_deepest_dag_is_walked() -> None:
    forge = Forge()

    assert len(cids(walk_car(deep(forge, MAX_LEVELS)), forge.blocks)) == MAX_LEVELS + 1


Make = Callable[[Forge], Cid]
ABSENT = sha256_cid(RAW, bytes(32))


@pytest.mark.parametrize(
    ("make", "scope", "reason"),
    [
        pytest.param(
            lambda forge: deep(forge, MAX_LEVELS + 1), Scope.ALL, "1024 levels", id="deep-dag"
        ),
        pytest.param(
            lambda forge: forge.deep_file(65), Scope.ENTITY, "64 levels deep", id="deep-file"
        ),
        pytest.param(
            lambda forge: forge.deep_hamt("a", 9), Scope.ENTITY, "7 levels deep", id="deep-hamt"
        ),
        pytest.param(
            lambda forge: forge.node(None, [("", forge.block(DAG_PB, b"?"))]),
            Scope.ALL,
            "malformed dag-pb in block",
            id="malformed",
        ),
        pytest.param(
            lambda forge: forge.block(DAG_CBOR, b"\x81"),
            Scope.ALL,
            "malformed cbor in block bafy",
            id="malformed-cbor",
        ),
        pytest.param(
            lambda forge: forge.file(Part(forge.raw(b"ab"), 3)),
            Scope.ENTITY,
            "has 2 bytes, its parent says 3",
            id="wrong-size",
        ),
    ],
)
def test_malformed_dag_is_refused(make: Make, scope: Scope, reason: str) -> None:
    forge = Forge()

    with pytest.raises(BadBlock, match=reason):
        cids(walk_car(make(forge), (), scope), forge.blocks)


def test_many_wide_nodes_are_refused_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.content.car_walk.MAX_PENDING", 100)
    forge = Forge()
    cid = ABSENT
    for _ in range(3):
        cid = forge.node(None, [(None, cid)] + [(None, ABSENT)] * 40)

    with pytest.raises(BadBlock, match="more than 100 links are waiting"):
        cids(walk_car(cid), forge.blocks)
