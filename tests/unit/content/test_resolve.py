from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.block import Block
from gateway.content.build import Built, build_hamt, collect
from gateway.content.cid import CBOR, DAG_CBOR, DAG_JSON, DAG_PB, RAW, Cid, sha256_cid
from gateway.content.listing import DirectoryEntry, list_directory
from gateway.content.resolve import find_entry, resolve
from gateway.content.unixfs import (
    DirectoryEntity,
    FileEntity,
    OpaqueEntity,
    ShardEntity,
    open_entity,
)
from gateway.content.unixfs_message import UnixFs, UnixFsType
from gateway.content.walk import Scope, Walk, Want, run, run_stream
from gateway.errors import BadBlock, NoSuchLink, NotTraversable
from tests.fakes.car_data import CarData, read_car
from tests.fakes.dag_forge import Forge, Part, Slot
from tests.fakes.documents import encode_cbor
from tests.refusal import check_refused

HAMT = "gateway-conformance/trustless_gateway_car/single-layer-hamt-with-multi-block-files.car"


def wants(walk: Walk[object], blocks: dict[bytes, Block]) -> list[Want]:
    """Run a walk and return what it asked for."""
    asked: list[Want] = []
    try:
        want = next(walk)
        while True:
            asked.append(want)
            want = walk.send(blocks[want.cid.multihash])
    except StopIteration:
        return asked


def test_path_of_no_segments_is_its_root() -> None:
    forge = Forge()
    cid = forge.raw(b"x")
    resolved = run(resolve(cid), forge.blocks)

    assert (resolved.cid, resolved.block.data, resolved.roots) == (cid, b"x", (cid,))
    assert resolved.entity == FileEntity(cid, 1, b"x")


def test_path_goes_through_directories_by_name() -> None:
    forge = Forge()
    leaf = forge.raw(b"x")
    inner = forge.directory(("é", leaf), ("b", forge.raw(b"y")))
    root = forge.directory(("z", leaf), ("a", inner))

    assert run(resolve(root, ("a", "é")), forge.blocks).roots == (root, inner, leaf)


def test_identity_cids_on_the_way_are_not_asked_for() -> None:
    forge = Forge()
    inline = Cid(1, DAG_PB, bytes.fromhex("0004 0a020801"))
    root = forge.directory(("a", inline))
    resolved = run(resolve(root, ("a",)), forge.blocks)

    assert resolved.entity == DirectoryEntity(inline, ())
    assert [want.cid for want in wants(resolve(root, ("a",)), forge.blocks)] == [root]


def test_every_want_tells_what_will_be_wanted_after_it() -> None:
    forge = Forge()
    leaf = forge.raw(b"x")
    inner = forge.directory(("b", leaf))
    root = forge.directory(("a", inner))

    assert wants(resolve(root, ("a", "b"), Scope.ENTITY, 5, 9), forge.blocks) == [
        Want(root, ("a", "b"), Scope.ENTITY, 5, 9),
        Want(inner, ("b",), Scope.ENTITY, 5, 9),
        Want(leaf, (), Scope.ENTITY, 5, 9),
    ]


def test_shards_are_asked_for_as_a_part_of_their_directory() -> None:
    car = read_car(HAMT)
    first, shard, file = wants(resolve(car.root, ("470.txt",), Scope.ALL), car.blocks)

    assert first == Want(car.root, ("470.txt",), Scope.ALL)
    assert shard == Want(shard.cid, ("470.txt",), Scope.ALL, root=car.root)
    assert file == Want(file.cid, (), Scope.ALL)


def test_roots_leave_out_inner_shards() -> None:
    car = read_car(HAMT)
    resolved = run(resolve(car.root, ("470.txt",)), car.blocks)

    assert resolved.roots == (car.root, resolved.cid)
    assert str(resolved.cid) == "bafybeigcisqd7m5nf3qmuvjdbakl5bdnh4ocrmacaqkpuh77qjvggmt2sa"


@pytest.mark.parametrize("name", ["1001.txt", "470", "", "6E470.txt", "a/b", "\ud800"])
def test_name_that_a_hamt_does_not_have_is_absent(name: str) -> None:
    car = read_car(HAMT)

    with pytest.raises(NoSuchLink, match="no link named"):
        run(resolve(car.root, (name,)), car.blocks)


def test_every_name_of_the_hamt_fixture_is_found() -> None:
    car = read_car(HAMT)
    root = run(resolve(car.root), car.blocks).entity
    assert isinstance(root, ShardEntity)
    entries = list(run_stream(list_directory(root), car.blocks))
    found = [run(find_entry(root, entry.name), car.blocks) for entry in entries]

    assert len(entries) == 1000
    assert found == [entry.cid for entry in entries]


def test_hamt_of_several_levels_is_walked() -> None:
    car = read_car("boxo/directory-with-multilayer-hamt-and-multiblock-files.car")
    assert len(wants(resolve(car.root, ("hamtDir", "exampleA")), car.blocks)) == 4


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=5),
        st.integers(0, 255),
        max_size=40,
    ),
    st.text(max_size=5),
)
def test_lookup_in_a_hamt_is_lookup_in_a_dict(names: dict[str, int], other: str) -> None:
    targets = {name: Built(_leaf(number), 1, 1) for name, number in names.items()}
    built, made = collect(build_hamt(targets.items(), fanout=8))
    blocks = {block.cid.multihash: block for block in made}
    root = open_entity(blocks[built.cid.multihash])
    assert isinstance(root, ShardEntity)

    assert {name: run(find_entry(root, name), blocks) for name in (*names, other)} == {
        name: targets[name].cid if name in targets else None for name in (*names, other)
    }
    assert sorted(run_stream(list_directory(root), blocks)) == sorted(
        DirectoryEntry(name, target.cid, 1) for name, target in targets.items()
    )


def _leaf(number: int) -> Cid:
    return sha256_cid(RAW, bytes([number]) * 32)


def test_first_of_two_equal_names_wins() -> None:
    forge = Forge()
    first, second = forge.raw(b"1"), forge.raw(b"2")
    root = forge.directory(("a", first), ("a", second))

    assert run(resolve(root, ("a",)), forge.blocks).cid == first


def test_names_are_equal_only_byte_by_byte() -> None:
    forge = Forge()
    root = forge.directory(("e\u0301", forge.raw(b"decomposed")))

    with pytest.raises(NoSuchLink, match='no link named "é" under bafy'):
        run(resolve(root, ("é",)), forge.blocks)


def test_links_without_a_name_are_never_found() -> None:
    forge = Forge()
    root = forge.directory((None, forge.raw(b"1")))

    with pytest.raises(NoSuchLink, match="no link named"):
        run(resolve(root, ("None",)), forge.blocks)


def test_dag_pb_without_unixfs_is_traversed_by_name() -> None:
    forge = Forge()
    leaf = forge.raw(b"x")
    root = forge.node(b"some data", [("a", leaf)])

    assert run(resolve(root, ("a",)), forge.blocks).cid == leaf
    with pytest.raises(NoSuchLink, match='no link named "b"'):
        run(resolve(root, ("b",)), forge.blocks)


def test_zero_bytes_of_dag_pb_have_no_links() -> None:
    forge = Forge()
    root = forge.block(DAG_PB, b"")

    assert isinstance(run(resolve(root), forge.blocks).entity, OpaqueEntity)
    with pytest.raises(NoSuchLink, match='no link named "a"'):
        run(resolve(root, ("a",)), forge.blocks)


Make = Callable[[Forge], Cid]


def _file(forge: Forge) -> Cid:
    return forge.file(Part(forge.raw(b"x"), 1))


def _symlink(forge: Forge) -> Cid:
    return forge.unixfs(UnixFs(UnixFsType.SYMLINK, b"a"))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(lambda forge: forge.raw(b"x"), "file", id="raw"),
        pytest.param(_file, "file", id="file"),
        pytest.param(_symlink, "symlink", id="symlink"),
        pytest.param(lambda forge: forge.block(CBOR, b"\xa0"), "cbor block", id="cbor"),
        pytest.param(lambda forge: forge.block(0x99, b""), "0x99 block", id="unknown-codec"),
    ],
)
def test_path_ends_at_what_has_no_children(make: Make, kind: str) -> None:
    forge = Forge()
    root = make(forge)

    with pytest.raises(NotTraversable, match=f'cannot resolve "a": {root} is a {kind}'):
        run(resolve(root, ("a", "b")), forge.blocks)


@pytest.fixture(name="document", params=["cbor", "json"])
def document_fixture(request: pytest.FixtureRequest) -> CarData:
    """A document with a link below a map, to another, to a third."""
    return read_car(f"gateway-conformance/path_gateway_dag/dag-{request.param}-traversal.car")


def test_path_goes_through_documents_and_names_each_once_per_segment(document: CarData) -> None:
    first, second, third = (block.cid for block in document.blocks.values())
    resolved = run(resolve(document.root, ("foo", "link", "bar")), document.blocks)

    assert resolved.roots == (first, first, second, third)
    assert (resolved.cid, resolved.remainder) == (third, ())


def test_wants_behind_a_document_have_the_rest_of_the_path(document: CarData) -> None:
    first, second, third = (block.cid for block in document.blocks.values())
    walk = resolve(document.root, ("foo", "link", "bar"), Scope.ENTITY, 3)

    assert wants(walk, document.blocks) == [
        Want(first, ("foo", "link", "bar"), Scope.ENTITY, 3),
        Want(second, ("bar",), Scope.ENTITY, 3),
        Want(third, (), Scope.ENTITY, 3),
    ]


def test_path_that_ends_inside_of_a_document_leaves_a_remainder(document: CarData) -> None:
    first, second, third = (block.cid for block in document.blocks.values())
    resolved = run(resolve(document.root, ("foo", "link", "bar", "hello")), document.blocks)

    assert resolved.roots == (first, first, second, third, third)
    assert (resolved.cid, resolved.remainder) == (third, ("hello",))
    assert run(resolve(document.root, ("foo",)), document.blocks).remainder == ("foo",)


@pytest.mark.parametrize("path", ["nope", "foo/nope", "foo/link/nope", "foo/object/fruit/x"])
def test_path_to_a_field_that_is_not_there_is_proven_absent(document: CarData, path: str) -> None:
    check_refused(
        NoSuchLink,
        "no link named",
        run,
        resolve(document.root, tuple(path.split("/"))),
        document.blocks,
    )


def test_path_goes_from_a_directory_through_a_document_to_a_file() -> None:
    forge = Forge()
    leaf = forge.raw(b"x")
    inner = forge.directory(("é", leaf))
    document = forge.block(DAG_CBOR, encode_cbor({"files": [inner]}))
    root = forge.directory(("d", document))
    resolved = run(resolve(root, ("d", "files", "0", "é")), forge.blocks)

    assert resolved.roots == (root, document, document, inner, leaf)


def test_malformed_document_on_the_way_is_named() -> None:
    forge = Forge()
    root = forge.block(DAG_JSON, b"{")

    with pytest.raises(BadBlock, match=f"malformed dag-json in block {root}"):
        run(resolve(root, ("a",)), forge.blocks)


def test_malformed_end_of_a_path_is_still_a_block() -> None:
    forge = Forge()
    root = forge.directory(("a", forge.file(Part(forge.raw(b"x"), 1), filesize=2)))
    resolved = run(resolve(root, ("a",)), forge.blocks)

    with pytest.raises(BadBlock, match="filesize says 2 bytes"):
        _ = resolved.entity
    assert resolved.block.data


LEAF = sha256_cid(RAW, bytes(32))
NAME = "470.txt"  # its slots are 00, 6E


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(
            lambda forge: forge.shard({0: Slot(forge.shard({0x6E: Slot(LEAF, NAME)}, 512))}),
            "fanout 512 below a shard of 256",
            id="other-fanout-below",
        ),
        pytest.param(
            lambda forge: forge.shard({0: Slot(forge.directory())}),
            "links to a block that is not a shard",
            id="directory-below",
        ),
        pytest.param(
            lambda forge: forge.deep_hamt(NAME, 10), "9 levels of shards are too deep", id="depth"
        ),
    ],
)
def test_malformed_hamt_is_refused(make: Make, reason: str) -> None:
    forge = Forge()
    root = make(forge)

    with pytest.raises(BadBlock, match=reason):
        run(resolve(root, (NAME,)), forge.blocks)


def test_deepest_hamt_is_walked() -> None:
    forge = Forge()
    root = forge.deep_hamt(NAME, 8)

    with pytest.raises(NoSuchLink, match=NAME):
        run(resolve(root, (NAME,)), forge.blocks)


def test_what_was_opened_elsewhere_is_not_opened_again() -> None:
    forge = Forge()
    resolved = run(resolve(forge.raw(b"x")), forge.blocks)
    entity = open_entity(resolved.block)
    resolved.keep_entity(entity)
    assert resolved.entity is entity
