"""CARs which prove that nothing stands at a path (issue 12, 18)."""

from pathlib import Path

import pytest

from gateway.content.block import Block
from gateway.content.build import (
    build_directory,
    build_file,
    build_hamt,
    build_symlink,
)
from gateway.content.car import NO_ROOT, CarParser
from gateway.content.cid import DAG_CBOR, JSON, RAW, Cid
from gateway.content.walk import Want
from gateway.errors import Denied, GatewayError, NoSuchLink, NotCached, NotFound, NotTraversable
from gateway.pipeline import Reply
from tests.fakes.names import TableNames
from tests.unit.pipeline.test_cached import Cache
from tests.unit.pipeline.test_pipeline import SMALL, TEXT, World, body, deny, field

GIT_RAW = 0x78


class Tree(Cache):
    """A directory with something of every kind; `on_path` are the blocks down to each of them."""

    def __init__(self) -> None:
        super().__init__()
        file = self.build(build_file(TEXT, SMALL))
        top = self.block(file.cid)
        link = self.build(build_symlink(b"file"))
        inner = self.build(build_directory([("file", file)]))
        shards = self.build(build_hamt([(f"n{i}", file) for i in range(99)], fanout=8))
        document = self.add(DAG_CBOR, {"a": {"b": 1}})
        plain = self.add(JSON, {"a": 1})
        leaf = self.add_bytes(RAW, b"leaf")
        names = [("dir", inner), ("file", file), ("link", link), ("shards", shards)]
        others = {"cbor": document, "json": plain, "raw": leaf}
        names += [(name, file._replace(cid=block.cid)) for name, block in others.items()]
        root = self.build(build_directory(names))
        self.root = root.cid
        self.first = self.block(root.cid)
        below = {"link": self.block(link.cid), "dir": self.block(inner.cid), "file": top, **others}
        self.on_path: dict[str, list[Block]] = {
            "": [self.first],
            **{name: [self.first, block] for name, block in below.items()},
            "dir/file": [self.first, below["dir"], top],
        }


@pytest.fixture(name="world")
def world_fixture() -> World:
    return World()


@pytest.fixture(name="tree")
def tree_fixture() -> Tree:
    return Tree()


async def sections(reply: Reply) -> list[tuple[Cid, bytes]]:
    """Return the blocks of a proof; that it names no root is asserted."""
    parser = CarParser()
    found = parser.feed(await body(reply))
    parser.finish()
    assert parser.roots == (NO_ROOT,)
    return found


ABSENT = [
    pytest.param("nope", "", id="directory"),
    pytest.param("nope/a/b", "", id="and-more"),
    pytest.param("dir/nope", "dir", id="inner-directory"),
    pytest.param("dir/file/nope", "dir/file", id="below-a-file"),
    pytest.param("raw/nope", "raw", id="below-a-raw-block"),
    pytest.param("link/nope", "link", id="below-a-symlink"),
    pytest.param("cbor/a/nope", "cbor", id="field"),
    pytest.param("json/a", "json", id="codec-without-links"),
]
"""Paths at which nothing stands, and where each of them ends."""


@pytest.mark.parametrize(("path", "end"), ABSENT)
@pytest.mark.parametrize("query", ["", "&car-dups=y", "&dag-scope=block", "&entity-bytes=0:9"])
async def test_a_proof_holds_the_path_as_far_as_it_leads(
    tree: Tree, path: str, end: str, query: str
) -> None:
    reply = await tree.ask(f"/ipfs/{tree.root}/{path}?format=car{query}")
    assert reply.answer.status == 200
    assert await sections(reply) == [(block.cid, block.data) for block in tree.on_path[end]]


async def test_a_proof_holds_the_shards_where_the_name_would_be(world: World) -> None:
    file = world.build(build_file(b"x"))
    root = world.build(build_hamt([(f"n{i}", file) for i in range(999)], fanout=8))
    wanted: list[Cid] = []

    async def note(want: Want) -> None:
        wanted.append(want.cid)

    world.before_get = note
    found = await sections(await world.ask(f"/ipfs/{root.cid}/nope?format=car"))
    assert wanted == [cid for cid, _ in found] * 2  # to know, and to send
    assert 2 <= len(found) <= 5
    assert found[0][0] == root.cid


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_head_of_a_proof_names_the_root(tree: Tree, method: str) -> None:
    target = f"/ipfs/{tree.root}/dir/nope?format=car"
    reply = await tree.ask(target, method=method)
    etag = field(reply, b"etag")
    assert etag is not None
    assert etag.startswith(f'W/"{tree.root}.car.'.encode())
    assert field(reply, b"x-ipfs-roots") == str(tree.root).encode()
    assert field(reply, b"cache-control") == b"public, max-age=29030400, immutable"
    name = f'attachment; filename="{tree.root}_nope.car"'.encode()
    assert (field(reply, b"content-disposition") or b"").startswith(name)
    assert (reply.pieces is None) == (method == "HEAD")
    unchanged = await tree.ask(target, method=method, if_none_match=etag.decode())
    assert (unchanged.answer.status, unchanged.pieces) == (304, None)


@pytest.mark.parametrize("query", ["", "?format=raw", "?format=tar", "?format=dag-json"])
@pytest.mark.parametrize(("path", "error"), [("nope", NoSuchLink), ("raw/nope", NotTraversable)])
async def test_other_formats_have_no_proof(
    tree: Tree, path: str, error: type[GatewayError], query: str
) -> None:
    with pytest.raises(error):
        await tree.ask(f"/ipfs/{tree.root}/{path}{query}")


async def test_what_cannot_be_read_proves_nothing(world: World) -> None:
    unknown = world.add_bytes(GIT_RAW, b"tree 0")
    with pytest.raises(NotTraversable, match="0x78 block"):
        await world.ask(f"/ipfs/{unknown.cid}/nope?format=car")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_missing_block_is_no_proof(tree: Tree, method: str) -> None:
    tree.blocks.remove(tree.on_path["dir"][-1])
    with pytest.raises(NotFound):
        await tree.ask(f"/ipfs/{tree.root}/dir/nope?format=car", method=method)


async def test_a_proof_is_cut_where_a_block_has_gone(tree: Tree) -> None:
    wanted: list[Want] = []

    async def lose(want: Want) -> None:
        wanted.append(want)
        if len(wanted) == 4:
            raise NotFound(want.cid, ())

    tree.before_get = lose
    reply = await tree.ask(f"/ipfs/{tree.root}/dir/nope?format=car")
    with pytest.raises(NotFound):
        await body(reply)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_proof_in_the_cache_is_found_there_and_only_there(tree: Tree, method: str) -> None:
    target = f"/ipfs/{tree.root}/dir/nope?format=car"
    reply = await tree.only_cached(target, method)
    assert reply.answer.status == 200
    assert reply.trace is not None
    assert reply.trace.fetched == 0
    tree.forget(tree.on_path["dir"][-1])
    with pytest.raises(NotCached):
        await tree.only_cached(target, method)


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        pytest.param("/ipfs/{root}", "nope", id="root"),
        pytest.param("/ipfs/{root}/nope", "nope", id="what-is-not-there"),
        pytest.param("/ipfs/{root}/dir/file", "dir/file/nope", id="file"),
        pytest.param("/ipfs/{root}/dir", "dir/nope", id="directory"),
        pytest.param("/ipfs/{root}/dir/*", "dir/file/nope", id="all-below"),
        pytest.param("/ipfs/{file}", "dir/file/nope", id="block"),
        pytest.param("/ipns/a.example/dir/file", "dir/file/nope", id="path-of-a-name"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_proof_does_not_hold_what_is_forbidden(
    tree: Tree, tmp_path: Path, rule: str, path: str, method: str
) -> None:
    """A rule for a file alone does not match what would be below it; the proof has its bytes."""
    deny(tree, tmp_path, rule.format(root=tree.root, file=tree.on_path["file"][-1].cid))
    names = TableNames({"a.example": f"/ipfs/{tree.root}"})
    with pytest.raises(Denied, match="is blocked on this gateway"):
        await tree.ask(f"/ipns/a.example/{path}?format=car", method=method, names=names)
    if "{root}/" in rule:
        reply = await tree.ask(f"/ipfs/{tree.root}/link/nope?format=car", method=method)
        assert reply.answer.status == 200


async def test_a_proof_below_a_stale_name_is_looked_at_afresh(tree: Tree) -> None:
    newer = {"a.example": f"/ipfs/{tree.root}"}
    old = tree.build(build_directory([]))
    names = TableNames({"a.example": f"/ipfs/{old.cid}"}, 0.0, is_stale=True, newer=newer)
    reply = await tree.ask("/ipns/a.example/dir?format=car", names=names)
    assert field(reply, b"x-ipfs-roots") == f"{tree.root},{tree.on_path['dir'][-1].cid}".encode()
    absent = await tree.ask("/ipns/a.example/nope?format=car", names=names)
    assert field(absent, b"x-ipfs-roots") == str(tree.root).encode()
    assert await sections(absent) == [(tree.root, tree.first.data)]


async def test_a_proof_below_a_stale_name_stays_when_it_points_to_the_same(tree: Tree) -> None:
    names = TableNames({"a.example": f"/ipfs/{tree.root}"}, 0.0, is_stale=True)
    reply = await tree.ask("/ipns/a.example/nope?format=car", names=names)
    assert (reply.answer.status, len(names.asked)) == (200, 2)
    assert field(reply, b"cache-control") == b"public, max-age=0"
