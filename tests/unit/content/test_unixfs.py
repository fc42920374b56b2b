from datetime import datetime

import pytest

from gateway.content.block import identity_block
from gateway.content.build import (
    PROFILE_V0_2015,
    Attributes,
    build_directory,
    build_file,
    build_symlink,
    collect,
)
from gateway.content.cid import DAG_CBOR, DAG_PB, Cid, parse_cid
from gateway.content.resolve import resolve
from gateway.content.unixfs import (
    DirectoryEntity,
    Entity,
    FileEntity,
    OpaqueEntity,
    ShardEntity,
    SymlinkEntity,
    find_leaf_content,
    open_entity,
)
from gateway.content.unixfs_message import Mtime, UnixFs, UnixFsType
from gateway.content.walk import run
from gateway.errors import BadBlock
from tests.fakes.car_data import read_car
from tests.fakes.dag_forge import Forge, Part, Slot


def opened(forge: Forge, cid: Cid) -> Entity:
    return open_entity(forge.blocks[cid.multihash])


def test_raw_block_is_a_file() -> None:
    forge = Forge()
    cid = forge.raw(b"hello")

    assert opened(forge, cid) == FileEntity(cid, 5, b"hello")


def test_file_node_says_its_size_and_parts() -> None:
    forge = Forge()
    a, b = forge.raw(b"aa"), forge.raw(b"b")
    cid = forge.file(Part(a, 2), Part(b, 1), inline=b"...")

    assert opened(forge, cid) == FileEntity(cid, 6, b"...", (a, b), (2, 1))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", id="v0"),
        pytest.param("bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y", id="v1"),
    ],
)
def test_empty_file_has_no_bytes(text: str) -> None:
    forge = Forge()
    forge.unixfs(UnixFs(UnixFsType.FILE, filesize=0))
    cid = parse_cid(text)

    assert cid.multihash in forge.blocks
    assert opened(forge, cid) == FileEntity(cid.as_v1(), 0, b"")


def test_empty_file_in_its_cid_has_no_bytes() -> None:
    cid = parse_cid("bafkqaaa")

    assert open_entity(identity_block(cid)) == FileEntity(cid, 0, b"")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", id="v0"),
        pytest.param("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354", id="v1"),
    ],
)
def test_empty_directory_has_no_links(text: str) -> None:
    forge = Forge()
    forge.directory()
    cid = parse_cid(text)

    assert opened(forge, cid) == DirectoryEntity(cid.as_v1(), ())


def test_empty_directory_in_its_cid_has_no_links() -> None:
    cid = parse_cid("bafyaabakaieac")

    assert open_entity(identity_block(cid)) == DirectoryEntity(cid, ())


def test_symlink_has_a_target() -> None:
    block = read_car("gateway-conformance/path_gateway_unixfs/symlink.car").blocks[
        parse_cid("QmTB8BaCJdCH5H3k7GrxJsxgDNmNYGGR71C58ERkivXoj5").multihash
    ]

    assert open_entity(block) == SymlinkEntity(block.cid, b"foo")


def test_symlink_without_data_has_an_empty_target() -> None:
    forge = Forge()
    cid = forge.unixfs(UnixFs(UnixFsType.SYMLINK))

    assert opened(forge, cid) == SymlinkEntity(cid, b"")


def test_shard_says_which_slots_are_taken() -> None:
    forge = Forge()
    cid = forge.shard({3: Slot(forge.raw(b"3"), "three"), 255: Slot(forge.raw(b"255"))})
    shard = opened(forge, cid)

    assert isinstance(shard, ShardEntity)
    assert (shard.fanout, shard.bits) == (256, 1 << 3 | 1 << 255)
    assert [link.name for link in shard.links] == ["03three", "FF"]


ATTRIBUTES = Attributes(0o644, Mtime(-5, 7))
BUILDS = {
    "file": lambda: build_file(b"x", PROFILE_V0_2015, ATTRIBUTES),
    "directory": lambda: build_directory([], attributes=ATTRIBUTES),
    "symlink": lambda: build_symlink(b"x", attributes=ATTRIBUTES),
}


@pytest.mark.parametrize("kind", BUILDS)
def test_mode_and_mtime_are_on_the_entity(kind: str) -> None:
    entity = open_entity(collect(BUILDS[kind]())[1][-1])

    assert not isinstance(entity, OpaqueEntity)
    assert (entity.mode, entity.mtime) == (0o644, (-5, 7))


def test_mode_and_mtime_are_on_the_root_shard() -> None:
    forge = Forge()
    message = UnixFs(
        UnixFsType.HAMT_SHARD, b"", hash_type=0x22, fanout=8, mode=0o700, mtime=Mtime(1)
    )
    shard = opened(forge, forge.unixfs(message))

    assert isinstance(shard, ShardEntity)
    assert (shard.mode, shard.mtime) == (0o700, (1, 0))


@pytest.mark.parametrize(
    ("name", "mode", "time"),
    [
        pytest.param("file1", 0o644, "2022-06-13T22:18:32+00:00", id="file"),
        pytest.param("dir1", 0o755, "2022-06-13T22:18:42+00:00", id="directory"),
    ],
)
def test_mode_and_mtime_are_those_that_kubo_shows(name: str, mode: int, time: str) -> None:
    car = read_car("boxo/unixfs-dir-with-mode-mtime.car")
    entity = run(resolve(car.root, (name,)), car.blocks).entity

    assert isinstance(entity, FileEntity | DirectoryEntity)
    assert entity.mode == mode
    assert entity.mtime is not None
    assert entity.mtime.seconds == datetime.fromisoformat(time).timestamp()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="no-data"),
        pytest.param(b"", id="empty-data"),
        pytest.param(bytes.fromhex("0001020304"), id="not-protobuf"),
        pytest.param(b"some data", id="text"),
        pytest.param(bytes.fromhex("0803"), id="metadata"),
    ],
)
def test_dag_pb_that_is_not_unixfs_is_opaque_but_keeps_its_links(data: bytes | None) -> None:
    forge = Forge()
    leaf = forge.raw(b"x")
    entity = opened(forge, forge.node(data, [("name", leaf)]))

    assert isinstance(entity, OpaqueEntity)
    assert entity.codec == DAG_PB
    assert [(link.name, link.cid) for link in entity.links] == [("name", leaf)]


def test_zero_bytes_of_dag_pb_are_a_node_without_links() -> None:
    forge = Forge()
    cid = forge.block(DAG_PB, b"")

    assert opened(forge, cid) == OpaqueEntity(cid, DAG_PB, ())


def test_other_codecs_are_opaque() -> None:
    forge = Forge()
    cid = forge.block(DAG_CBOR, b"\xa0")

    assert opened(forge, cid) == OpaqueEntity(cid, DAG_CBOR)


def file(filesize: int | None, *sizes: int, inline: bytes | None = None) -> UnixFs:
    return UnixFs(UnixFsType.FILE, inline, filesize, sizes)


LEAF = Forge().raw(b"x")


@pytest.mark.parametrize(
    ("message", "names", "reason"),
    [
        pytest.param(file(2, 1, 1), [""], "2 blocksizes for 1 links", id="more-sizes"),
        pytest.param(file(1, 1), ["", ""], "1 blocksizes for 2 links", id="fewer-sizes"),
        pytest.param(file(0), [""], "0 blocksizes for 1 links", id="no-sizes"),
        pytest.param(file(3, 1, 1), ["", ""], "3 bytes, the node holds 2", id="filesize-more"),
        pytest.param(file(1, 1, 1), ["", ""], "1 bytes, the node holds 2", id="filesize-less"),
        pytest.param(file(None, 1), [""], "0 bytes, the node holds 1", id="filesize-absent"),
        pytest.param(file(2**64 - 1, 1), [""], "the node holds 1", id="filesize-huge"),
        pytest.param(file(1, 1, inline=b"a"), [""], "the node holds 2", id="inline-not-counted"),
        pytest.param(file(1, inline=b"ab"), [], "the node holds 2", id="leaf-of-other-size"),
        pytest.param(file(1, 1), ["part"], "has the name 'part'", id="named-part"),
        pytest.param(UnixFs(UnixFsType.RAW, b"a", 2), [], "the node holds 1", id="raw-type"),
        pytest.param(UnixFs(UnixFsType.SYMLINK, b"a"), [""], "a symlink has 1", id="symlink"),
        pytest.param(
            UnixFs(UnixFsType.HAMT_SHARD, b"\x01", hash_type=0x22, fanout=2048),
            [""],
            "fanout 2048",
            id="shard",
        ),
    ],
)
def test_unixfs_that_contradicts_itself_is_refused(
    message: UnixFs, names: list[str], reason: str
) -> None:
    forge = Forge()
    cid = forge.unixfs(message, [(name, LEAF) for name in names])

    with pytest.raises(BadBlock, match=reason) as caught:
        opened(forge, cid)
    assert caught.value.cid == cid


def test_malformed_dag_pb_is_refused_with_its_cid() -> None:
    forge = Forge()
    cid = forge.block(DAG_PB, b"\x0a")

    with pytest.raises(BadBlock, match=f"malformed dag-pb in block {cid}"):
        opened(forge, cid)


def test_the_codec_of_the_cid_decides_not_the_bytes() -> None:
    forge = Forge()
    forge.directory()
    empty_directory = parse_cid("bafkreiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354")
    data = forge.blocks[empty_directory.multihash].data

    assert opened(forge, forge.raw(data)) == FileEntity(empty_directory, len(data), data)


@pytest.mark.parametrize("type_", [UnixFsType.FILE, UnixFsType.RAW])
@pytest.mark.parametrize("content", [b"", b"x", b"x" * 127, b"x" * 128, b"x" * 70_000])
def test_content_of_a_usual_leaf_is_found_without_decoding(
    content: bytes, type_: UnixFsType
) -> None:
    forge = Forge()
    cid = forge.unixfs(UnixFs(type_, content, len(content)))

    found = find_leaf_content(forge.blocks[cid.multihash].data, len(content))
    assert found is not None
    assert bytes(found) == content


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(UnixFs(UnixFsType.FILE, b"abc", 3, mode=0o644), id="mode"),
        pytest.param(UnixFs(UnixFsType.FILE, b"ab", 2), id="other-size"),
        pytest.param(UnixFs(UnixFsType.DIRECTORY, b"abc", 3), id="other-type"),
        pytest.param(UnixFs(UnixFsType.FILE, b"abc", 4), id="other-filesize"),
    ],
)
def test_other_blocks_are_left_to_the_decoder(message: UnixFs) -> None:
    forge = Forge()
    cid = forge.unixfs(message)

    assert find_leaf_content(forge.blocks[cid.multihash].data, 3) is None


def test_leaf_that_cannot_hold_so_many_bytes_is_left_to_the_decoder() -> None:
    assert find_leaf_content(b"short", 2**63) is None


def test_entity_with_links_is_decoded_once() -> None:
    forge = Forge()
    cid = forge.directory(("a", LEAF))

    assert opened(forge, cid) is opened(forge, cid)


def test_directory_finds_the_first_link_of_each_name() -> None:
    forge = Forge()
    directory = opened(forge, forge.directory(("a", LEAF), (None, LEAF), ("a", forge.raw(b""))))

    assert isinstance(directory, DirectoryEntity)
    assert directory.by_name == {"a": directory.links[0]}
