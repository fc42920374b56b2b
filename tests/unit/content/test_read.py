import re
import tracemalloc
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.block import Block
from gateway.content.build import Layout, Profile, build_file, collect
from gateway.content.cid import CBOR, DAG_PB, RAW, Cid, sha256_cid
from gateway.content.read import MAX_DEPTH, Level, level_below, push_level, read_file
from gateway.content.unixfs import FileEntity, open_entity
from gateway.content.unixfs_message import UnixFs, UnixFsType
from gateway.content.walk import Scope, Want, run_stream
from gateway.errors import BadBlock
from tests.fakes.car_data import read_car
from tests.fakes.dag_forge import Forge, Part

profiles = st.builds(
    Profile,
    chunk_bytes=st.integers(1, 12),
    max_links=st.integers(2, 4),
    raw_leaves=st.booleans(),
    cid_version=st.sampled_from((0, 1)),
    layout=st.sampled_from(Layout),
)
"""Shapes so small that a few bytes make a deep DAG."""

contents = st.binary(max_size=300)
offsets = st.integers(0, 310)


def open_file(blocks: dict[bytes, Block], cid: Cid) -> FileEntity:
    file = open_entity(blocks[cid.multihash])
    assert isinstance(file, FileEntity)
    return file


def build(data: bytes, profile: Profile) -> tuple[FileEntity, dict[bytes, Block]]:
    built, made = collect(build_file(data, profile))
    blocks = {block.cid.multihash: block for block in made}
    return open_file(blocks, built.cid), blocks


def read(file: FileEntity, blocks: dict[bytes, Block], start: int, stop: int | None) -> bytes:
    return b"".join(run_stream(read_file(file, start, stop), blocks))


def asked(file: FileEntity, blocks: dict[bytes, Block], start: int, stop: int) -> list[Want]:
    """Return what reading a range asks for."""
    wants: list[Want] = []
    steps = read_file(file, start, stop)
    try:
        step = next(steps)
        while True:
            if isinstance(step, Want):
                wants.append(step)
                step = steps.send(blocks[step.cid.multihash])
            else:
                step = steps.send(None)
    except StopIteration:
        return wants


@given(contents, profiles)
def test_whole_file_is_what_was_written(data: bytes, profile: Profile) -> None:
    file, blocks = build(data, profile)

    assert file.size == len(data)
    assert read(file, blocks, 0, None) == data


@given(contents, profiles, offsets, st.none() | offsets)
def test_range_is_a_slice(data: bytes, profile: Profile, start: int, stop: int | None) -> None:
    file, blocks = build(data, profile)

    assert read(file, blocks, start, stop) == data[start:stop]


@given(contents, profiles, offsets, offsets)
def test_only_blocks_that_hold_wanted_bytes_are_asked_for(
    data: bytes, profile: Profile, start: int, stop: int
) -> None:
    file, blocks = build(data, profile)

    for want in asked(file, blocks, start, stop):
        node = open_file(blocks, want.cid)
        assert start <= want.start < min(stop, len(data))
        assert want.stop == min(stop, len(data))
        assert want.siblings[want.index] == want.cid
        assert node.size > 0
        assert (want.root, want.scope) == (file.cid, Scope.ENTITY)


@given(st.binary(min_size=1, max_size=300), profiles, offsets)
def test_reading_one_byte_asks_for_one_way_down(data: bytes, profile: Profile, at: int) -> None:
    file, blocks = build(data, profile)
    wants = asked(file, blocks, at % len(data), at % len(data) + 1)

    assert len(wants) <= MAX_DEPTH
    assert all(len(want.siblings) == 1 for want in wants)


def test_whole_raw_leaves_are_not_copied() -> None:
    forge = Forge()
    leaf = forge.raw(b"leaf")
    file = open_file(forge.blocks, forge.file(Part(leaf, 4), Part(leaf, 4)))
    pieces = list(run_stream(read_file(file), forge.blocks))

    assert [piece is forge.blocks[leaf.multihash].data for piece in pieces] == [True, True]


def test_inline_bytes_come_before_those_of_the_children() -> None:
    forge = Forge()
    inner = forge.file(Part(forge.raw(b"cd"), 2), inline=b"b")
    file = open_file(
        forge.blocks, forge.file(Part(inner, 3), Part(forge.raw(b"e"), 1), inline=b"a")
    )

    assert read(file, forge.blocks, 0, None) == b"abcde"
    assert [read(file, forge.blocks, at, at + 2) for at in range(5)] == [
        b"ab", b"bc", b"cd", b"de", b"e"
    ]  # fmt: skip


def test_leaves_may_lie_at_any_depth() -> None:
    forge = Forge()
    deep = forge.deep_file(5, b"deep")
    file = open_file(forge.blocks, forge.file(Part(forge.raw(b"-"), 1), Part(deep, 4)))

    assert read(file, forge.blocks, 0, None) == b"-deep"


@pytest.mark.parametrize("type_", [UnixFsType.FILE, UnixFsType.RAW])
def test_leaves_may_be_dag_pb_of_both_types(type_: UnixFsType) -> None:
    forge = Forge()
    leaf = forge.unixfs(UnixFs(type_, b"leaf", 4))
    with_mode = forge.unixfs(UnixFs(type_, b"mode", 4, mode=0o644))
    file = open_file(forge.blocks, forge.file(Part(leaf, 4), Part(with_mode, 4)))

    assert read(file, forge.blocks, 1, 7) == b"eafmod"


def test_leaves_in_their_cids_are_not_asked_for() -> None:
    forge = Forge()
    inline = Cid(1, RAW, b"\x00\x03abc")
    file = open_file(forge.blocks, forge.file(Part(inline, 3), Part(forge.raw(b"d"), 1)))

    assert read(file, forge.blocks, 1, 4) == b"bcd"
    assert len(asked(file, forge.blocks, 0, 4)) == 1


def test_children_without_bytes_are_not_asked_for() -> None:
    forge = Forge()
    absent = sha256_cid(RAW, bytes(32))
    parts = (Part(absent, 0), Part(forge.raw(b"a"), 1), Part(absent, 0), Part(forge.raw(b"b"), 1))
    file = open_file(forge.blocks, forge.file(*parts))

    assert read(file, forge.blocks, 0, None) == b"ab"
    assert read(file, forge.blocks, 1, 2) == b"b"


def test_file_with_a_missing_block_is_read_around_it() -> None:
    name = "file-3k-and-3-blocks-missing-block.car"
    car = read_car(f"gateway-conformance/trustless_gateway_car/{name}")
    file = open_file(car.blocks, car.root)

    assert [len(read(file, car.blocks, *bounds)) for bounds in ((0, 1024), (2048, 3072))] == [
        1024,
        1024,
    ]
    with pytest.raises(KeyError, match=re.escape(repr(file.children[1].multihash))):
        read(file, car.blocks, 1000, 1025)


DIRECTORY = UnixFs(UnixFsType.DIRECTORY)
FORGE = Forge()


@pytest.mark.parametrize(
    ("child", "size", "reason"),
    [
        pytest.param(FORGE.raw(b"ab"), 1, "has 2 bytes, its parent says 1", id="raw-larger"),
        pytest.param(FORGE.raw(b"ab"), 3, "has 2 bytes, its parent says 3", id="raw-smaller"),
        pytest.param(
            FORGE.file(Part(FORGE.raw(b"ab"), 2)), 3, "has 2 bytes, its parent says 3", id="node"
        ),
        pytest.param(
            FORGE.file(inline=b"ab"), 3, "has 2 bytes, its parent says 3", id="dag-pb-leaf"
        ),
        pytest.param(
            FORGE.file(Part(FORGE.raw(b"ab"), 3)), 3, "has 2 bytes, its parent says 3", id="deeper"
        ),
        pytest.param(FORGE.directory(), 3, "a part of a file that is not a file", id="directory"),
        pytest.param(FORGE.block(CBOR, b"\xa0"), 3, "that is not a file", id="other-codec"),
        pytest.param(FORGE.node(b"?"), 3, "that is not a file", id="not-unixfs"),
        pytest.param(FORGE.block(DAG_PB, b"?"), 3, "malformed dag-pb", id="malformed"),
        pytest.param(
            FORGE.file(Part(FORGE.raw(b"ab"), 2), filesize=9), 9, "the node holds 2", id="filesize"
        ),
    ],
)
def test_part_that_is_not_what_its_parent_says_is_refused(
    child: Cid, size: int, reason: str
) -> None:
    file = open_file(FORGE.blocks, FORGE.file(Part(child, size)))

    with pytest.raises(BadBlock, match=reason):
        read(file, FORGE.blocks, 0, None)


def test_deepest_file_is_read() -> None:
    forge = Forge()
    file = open_file(forge.blocks, forge.deep_file(MAX_DEPTH))

    assert read(file, forge.blocks, 0, None) == b"x"


def test_deeper_file_is_refused() -> None:
    forge = Forge()
    file = open_file(forge.blocks, forge.deep_file(MAX_DEPTH + 1))

    with pytest.raises(BadBlock, match="more than 64 levels deep"):
        read(file, forge.blocks, 0, None)


def test_wide_nodes_on_many_levels_are_refused_before_they_fill_the_memory() -> None:
    cid = sha256_cid(RAW, bytes(32))
    levels = [Level((cid,) * 60_000, (1,) * 60_000, 0, index=20_000)]
    push_level(levels, Level((cid,) * 60_000, (1,) * 60_000, 0), cid)

    with pytest.raises(BadBlock, match="more than 131072 parts waiting"):
        push_level(levels, Level((cid,) * 40_000, (1,) * 40_000, 0), cid)
    assert len(levels) == 2


def test_file_of_more_nodes_than_content_is_refused() -> None:
    forge = Forge()
    chain = forge.deep_file(20)
    file = open_file(forge.blocks, forge.file(*[Part(chain, 1)] * 1000))
    pieces = run_stream(read_file(file), forge.blocks)

    with pytest.raises(BadBlock, match="over 4 nodes for each leaf"):
        list(pieces)


def test_single_deep_ways_are_read_among_others() -> None:
    forge = Forge()
    leaf, chain = forge.raw(b"a"), forge.deep_file(20, b"b")
    parts = [Part(chain, 1), *[Part(leaf, 1)] * 10, Part(chain, 1), Part(chain, 1)]
    file = open_file(forge.blocks, forge.file(*parts))

    assert read(file, forge.blocks, 0, None) == b"baaaaaaaaaabb"


def test_zip_bomb_of_42_petabytes_costs_constant_memory() -> None:
    forge = Forge()
    cid, size = forge.bomb(levels=5, width=174, leaf=bytes(256))
    file = open_file(forge.blocks, cid)
    pieces = run_stream(read_file(file, size // 2), forge.blocks)
    list(islice(pieces, 2000))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    list(islice(pieces, 2000))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 256 * 174**5
    assert after - before < 100_000


def test_size_beyond_64_bits_is_refused_at_the_root() -> None:
    forge = Forge()
    leaf = forge.raw(b"x")
    cid = forge.file(Part(leaf, 2**63), Part(leaf, 2**63), filesize=2**64 - 1)

    with pytest.raises(BadBlock, match=f"the node holds {2**64}"):
        open_file(forge.blocks, cid)


def test_driver_has_to_send_the_block() -> None:
    forge = Forge()
    file = open_file(forge.blocks, forge.file(Part(forge.raw(b"x"), 1)))
    steps = read_file(file)
    next(steps)

    with pytest.raises(ValueError, match=f"{file.children[0]} does not carry its content"):
        steps.send(None)


def test_driver_must_not_send_another_block() -> None:
    forge = Forge()
    leaf, other = forge.raw(b"x"), forge.raw(b"y")
    file = open_file(forge.blocks, forge.file(Part(leaf, 1)))
    steps = read_file(file)
    next(steps)

    with pytest.raises(ValueError, match=f"asked for {leaf}, was sent {other}"):
        steps.send(forge.blocks[other.multihash])


def test_codec_of_the_wanted_cid_decides_not_that_of_the_block() -> None:
    forge = Forge()
    node = forge.file(inline=b"ab")
    data = forge.blocks[node.multihash].data
    file = open_file(forge.blocks, forge.file(Part(Cid(1, RAW, node.multihash), len(data))))

    assert read(file, forge.blocks, 0, None) == data


@pytest.mark.parametrize(
    ("start", "stop", "first", "sizes", "offset"),
    [
        pytest.param(0, 10, 0, (2, 3, 4), 1, id="all"),
        pytest.param(0, 1, 0, (), 1, id="only-inline"),
        pytest.param(0, 2, 0, (2,), 1, id="first"),
        pytest.param(2, 4, 0, (2, 3), 1, id="two"),
        pytest.param(3, 6, 1, (3,), 3, id="middle"),
        pytest.param(9, 10, 2, (4,), 6, id="last"),
    ],
)
def test_level_holds_the_children_in_the_range(
    start: int, stop: int, first: int, sizes: tuple[int, ...], offset: int
) -> None:
    cids = tuple([sha256_cid(RAW, bytes([number]) * 32) for number in range(3)])
    node = FileEntity(cids[0], 10, b"-", cids, (2, 3, 4))

    expected = Level(cids[first : first + len(sizes)], sizes, offset)
    assert level_below(node, 0, start, stop) == expected
    moved = level_below(node, 100, start + 100, stop + 100)
    assert (moved.cids, moved.offset) == (expected.cids, offset + 100)
