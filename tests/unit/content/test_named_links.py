"""The links of blocks with their paths."""

import pytest

from gateway.content.block import Block
from gateway.content.build import (
    PROFILE_V0_2015,
    Build,
    build_directory,
    build_file,
    build_hamt,
    build_symlink,
    collect,
)
from gateway.content.car_walk import find_links
from gateway.content.cid import DAG_CBOR, DAG_PB, RAW
from gateway.content.ipld import Value
from gateway.content.named_links import NamedLink, named_links
from gateway.content.resolve import resolve
from gateway.content.walk import run
from gateway.errors import BadBlock
from tests.fakes.blocks import block_of, numbered
from tests.fakes.documents import encode_cbor

ONE, TWO = numbered(1, 100).cid, numbered(2, 100).cid


def root_of(build: Build) -> tuple[Block, dict[bytes, Block]]:
    built, blocks = collect(build)
    by_hash = {block.cid.multihash: block for block in blocks}
    return by_hash[built.cid.multihash], by_hash


def test_the_entries_of_a_directory_have_their_names() -> None:
    file, _ = collect(build_file(b"x"))
    root, _ = root_of(build_directory([("a", file), ("b c", file)]))
    assert tuple(named_links(root)) == (NamedLink(("a",), file.cid), NamedLink(("b c",), file.cid))


def test_each_entry_of_a_hamt_is_where_its_path_leads() -> None:
    file, own = collect(build_file(b"x"))
    root, blocks = root_of(build_hamt([(f"n{i}", file) for i in range(300)], fanout=16))
    blocks |= {block.cid.multihash: block for block in own}
    found = []
    waiting = [root]
    while waiting:
        for link in named_links(waiting.pop()):
            if link.path:
                found.append(link.path)
                assert run(resolve(root.cid, link.path), blocks).cid == link.cid
            else:
                waiting.append(blocks[link.cid.multihash])
    assert sorted(found) == sorted((f"n{i}",) for i in range(300))


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        pytest.param({"a": ONE, "b": {"c": [1, TWO]}}, [("a",), ("b", "c", "1")], id="nested"),
        pytest.param([{"x": ONE}, [TWO]], [("0", "x"), ("1", "0")], id="arrays"),
        pytest.param({"a": [], "b": {}, "c": ONE}, [("c",)], id="empty"),
        pytest.param(ONE, [()], id="only-a-link"),
        pytest.param("text", [], id="no-links"),
    ],
)
def test_the_links_of_a_document_have_the_path_that_leads_to_them(
    value: Value, paths: list[tuple[str, ...]]
) -> None:
    block = block_of(encode_cbor(value), DAG_CBOR)
    assert [link.path for link in named_links(block)] == paths
    assert tuple(link.cid for link in named_links(block)) == find_links(block)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(build_file(bytes(600_000), PROFILE_V0_2015), id="parts-of-a-file"),
        pytest.param(build_symlink(b"a/b"), id="symlink"),
    ],
)
def test_what_has_no_names_of_its_own_has_the_path_of_the_whole(build: Build) -> None:
    root, _ = root_of(build)
    assert {link.path for link in named_links(root)} <= {()}
    assert tuple(link.cid for link in named_links(root)) == find_links(root)


def test_a_node_that_is_no_unixfs_has_the_names_of_its_links() -> None:
    name = b"\x12\x01n"
    link = b"\x0a\x24" + ONE.encode() + name
    node = b"\x12" + bytes([len(link)]) + link
    assert tuple(named_links(block_of(node, DAG_PB))) == (NamedLink(("n",), ONE),)
    # A file with one link and no blocksize contradicts itself.
    broken = node + b"\x0a\x02\x08\x02"
    assert tuple(named_links(block_of(broken, DAG_PB))) == (NamedLink(("n",), ONE),)


def test_what_cannot_be_read_is_an_error_and_what_is_not_read_has_no_links() -> None:
    with pytest.raises(BadBlock, match="in block"):
        named_links(block_of(b"\xff", DAG_PB))
    assert tuple(named_links(block_of(b"\xff", RAW))) == ()
