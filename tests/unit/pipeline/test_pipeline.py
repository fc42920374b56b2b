"""From a request to a reply, over blocks in memory."""

import io
import tarfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.content import car_walk, dag_pb, unixfs
from gateway.content.block import Block
from gateway.content.build import (
    PROFILE_V0_2015,
    Build,
    Built,
    Profile,
    build_directory,
    build_file,
    build_hamt,
    build_symlink,
    collect,
)
from gateway.content.car import CarParser
from gateway.content.cid import CBOR, DAG_CBOR, DAG_JSON, DAG_PB, JSON, RAW, Cid, parse_cid
from gateway.content.dag_pb import PBLink, PBNode, encode_node
from gateway.content.ipld import Value
from gateway.content.listing import DirectoryEntry
from gateway.content.unixfs import Piece
from gateway.content.unixfs_message import UnixFs, UnixFsType, encode_unixfs
from gateway.content.walk import Scope, Want
from gateway.errors import (
    BadIndex,
    BadRequest,
    Denied,
    GatewayError,
    NoSuchLink,
    NotAcceptable,
    NotArchivable,
    NotCached,
    NotFound,
    NotTraversable,
    PreconditionFailed,
    RangeNotSatisfiable,
    Unsupported,
)
from gateway.guard.denylist import Denylist
from gateway.pipeline import Pages, Pipeline, Reply
from gateway.pipeline.cars import MAX_COPY_BYTES
from gateway.ports import Denials, NameResolver
from gateway.protocol.answer import BodyBytes
from gateway.protocol.headers import Headers
from gateway.protocol.request import GatewayRequest, parse_request
from gateway.protocol.sites import PATH_SITE, Site, SiteKind
from tests.fakes.blocks import block_of
from tests.fakes.clock import FakeClock
from tests.fakes.documents import encode_cbor, encode_json
from tests.fakes.names import TableNames
from tests.fakes.source import DictRetriever
from tests.fakes.store import DictStore

SMALL = Profile(chunk_bytes=4, max_links=3, raw_leaves=True, cid_version=1)
TEXT = b"0123456789abcdefghij"


class NamesPage:
    """Renders a directory as its names, one a line."""

    template_hash = "t1"
    headers: Headers = ((b"x-page", b"yes"),)

    async def render(
        self, request: GatewayRequest, cid: Cid, entries: AsyncIterator[DirectoryEntry]
    ) -> AsyncIterator[Piece]:
        async for entry in entries:
            yield entry.name.encode() + b"\n"


class KeysPage:
    """Renders a document as its keys."""

    template_hash = "t2"
    headers: Headers = ((b"x-page", b"yes"),)

    def render(self, request: GatewayRequest, cid: Cid, value: Value) -> bytes:
        return " ".join(value).encode() if isinstance(value, dict) else b""


PAGES = Pages(NamesPage(), KeysPage())


class KeepingRetriever(DictRetriever):
    """Has what was fetched at hand from then on, as a cache has."""

    def __init__(self, blocks: list[Block]) -> None:
        super().__init__(blocks)
        self.before_get = self._keep

    async def _keep(self, want: Want) -> None:
        self.near[want.cid.multihash] = self.far[want.cid.multihash]


class World:
    """Blocks that were built, and the pipeline over them."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.site = PATH_SITE
        self.before_get: Callable[[Want], Awaitable[None]] | None = None
        self.denials: Denials | None = None

    def build(self, build: Build) -> Built:
        built, blocks = collect(build)
        self.blocks += blocks
        return built

    def add_bytes(self, codec: int, data: bytes) -> Block:
        """Add one block."""
        self.blocks.append(block_of(data, codec))
        return self.blocks[-1]

    def add(self, codec: int, value: Value) -> Block:
        """Add a document; plain codecs have the bytes of their DAG codec."""
        write = encode_json if codec in (JSON, DAG_JSON) else encode_cbor
        return self.add_bytes(codec, write(value))

    async def ask(
        self,
        target: str,
        *,
        near: bool = False,
        method: str = "GET",
        names: NameResolver | None = None,
        **headers: str,
    ) -> Reply:
        retriever = DictRetriever(self.blocks, self.blocks if near else ())
        retriever.before_get = self.before_get
        store = DictStore(self.blocks if near else ())
        pipeline = Pipeline(retriever, store, names or TableNames(), PAGES, self.denials)
        path, _, query = target.partition("?")
        fields = [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()]
        request = parse_request(method, path.encode(), query.encode(), fields, self.site)
        assert isinstance(request, GatewayRequest)
        return await pipeline.reply(request, None, lambda: None)


@pytest.fixture(name="world")
def world_fixture() -> World:
    return World()


async def body(reply: Reply) -> bytes:
    if reply.pieces is not None:
        return b"".join([piece async for piece in reply.pieces])
    return reply.answer.body.data if isinstance(reply.answer.body, BodyBytes) else b""


def field(reply: Reply, name: bytes) -> bytes:
    return dict(reply.answer.headers).get(name, b"")


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(SMALL, id="raw-leaves"),
        pytest.param(
            Profile(chunk_bytes=4, max_links=3, raw_leaves=False, cid_version=0), id="dag-pb-leaves"
        ),
        pytest.param(PROFILE_V0_2015, id="one-block"),
    ],
)
@pytest.mark.parametrize("near", [pytest.param(True, id="warm"), pytest.param(False, id="cold")])
async def test_a_file_is_sent_whole(world: World, profile: Profile, near: bool) -> None:  # noqa: FBT001 (a table)
    built = world.build(build_file(TEXT, profile))
    reply = await world.ask(f"/ipfs/{built.cid}", near=near)
    assert (reply.answer.status, await body(reply)) == (200, TEXT)
    assert field(reply, b"content-length") == b"20"
    assert field(reply, b"x-cache-status") == (b"HIT" if near else b"MISS")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param("bytes=0-3", TEXT[:4], id="one-leaf"),
        pytest.param("bytes=3-4", TEXT[3:5], id="over-a-border"),
        pytest.param("bytes=-3", TEXT[-3:], id="suffix"),
        pytest.param("bytes=7-", TEXT[7:], id="to-the-end"),
        pytest.param("bytes=5-999", TEXT[5:], id="past-the-end"),
    ],
)
async def test_a_range_is_cut_out(world: World, asked: str, expected: bytes) -> None:
    built = world.build(build_file(TEXT, SMALL))
    reply = await world.ask(f"/ipfs/{built.cid}", range=asked)
    assert (reply.answer.status, await body(reply)) == (206, expected)
    assert field(reply, b"content-length") == str(len(expected)).encode()


async def test_several_ranges_come_as_parts_of_the_promised_length(world: World) -> None:
    built = world.build(build_file(TEXT, SMALL))
    reply = await world.ask(f"/ipfs/{built.cid}", range="bytes=0-1,6-9")
    sent = await body(reply)
    assert reply.answer.status == 206
    assert field(reply, b"content-type").startswith(b"multipart/byteranges")
    assert len(sent) == int(field(reply, b"content-length"))
    assert b"bytes 6-9/20\r\n\r\n6789\r\n" in sent


async def test_a_range_asks_only_for_what_it_touches(world: World) -> None:
    built = world.build(build_file(TEXT, SMALL))
    tail = [block for block in world.blocks if block.data != TEXT[:4]]
    world.blocks = tail
    reply = await world.ask(f"/ipfs/{built.cid}", range="bytes=18-19")
    assert await body(reply) == TEXT[18:]


async def test_head_tells_what_get_would_and_fetches_no_body(world: World) -> None:
    built = world.build(build_file(TEXT, SMALL))
    whole = await world.ask(f"/ipfs/{built.cid}?filename=a.txt")
    head = await world.ask(f"/ipfs/{built.cid}?filename=a.txt", method="HEAD")
    assert head.answer.headers == whole.answer.headers
    assert head.pieces is None
    assert head.trace is not None
    assert head.trace.fetched == 1


@pytest.mark.parametrize(
    ("name", "data", "type_"),
    [
        pytest.param("a.css", b"x", b"text/css; charset=utf-8", id="by-name"),
        pytest.param("a", b"\x89PNG\r\n\x1a\nrest", b"image/png", id="by-first-bytes"),
        pytest.param("a", b"plain words", b"text/plain; charset=utf-8", id="text"),
    ],
)
async def test_a_file_has_its_type(world: World, name: str, data: bytes, type_: bytes) -> None:
    file = world.build(build_file(data))
    root = world.build(build_directory([(name, file)]))
    reply = await world.ask(f"/ipfs/{root.cid}/{name}")
    assert field(reply, b"content-type") == type_


async def test_a_late_range_of_a_nameless_file_is_not_worth_a_fetch_for_its_type(
    world: World,
) -> None:
    built = world.build(build_file(TEXT, SMALL))
    reply = await world.ask(f"/ipfs/{built.cid}", range="bytes=10-11")
    assert field(reply, b"content-type") == b"application/octet-stream"
    again = await world.ask(f"/ipfs/{built.cid}", near=True, range="bytes=10-11")
    assert field(again, b"content-type") == b"text/plain; charset=utf-8"


async def test_a_cold_file_of_several_levels_is_a_miss_and_each_block_fetched_once(
    world: World,
) -> None:
    data = bytes(range(256)) * 20
    built = world.build(build_file(data, replace(SMALL, chunk_bytes=400)))
    retriever = KeepingRetriever(world.blocks)
    pipeline = Pipeline(retriever, DictStore(world.blocks), TableNames(), PAGES)
    request = parse_request("GET", f"/ipfs/{built.cid}".encode(), b"", ())
    assert isinstance(request, GatewayRequest)
    reply = await pipeline.reply(request, None, lambda: None)
    assert await body(reply) == data
    assert field(reply, b"x-cache-status") == b"MISS"
    assert reply.trace is not None
    assert reply.trace.fetched == len(world.blocks)


@pytest.mark.parametrize("asked", ["bytes=-0", "bytes=99-"])
async def test_a_range_of_what_is_no_file_means_nothing(world: World, asked: str) -> None:
    root = world.build(build_directory([]))
    reply = await world.ask(f"/ipfs/{root.cid}/", range=asked)
    assert reply.answer.status == 200


async def test_some_blocks_in_the_cache_make_a_partial_hit(world: World) -> None:
    built = world.build(build_file(TEXT, SMALL))
    retriever = DictRetriever(world.blocks, world.blocks[-1:])
    pipeline = Pipeline(retriever, DictStore(world.blocks[-1:]), TableNames(), PAGES)
    request = parse_request("GET", f"/ipfs/{built.cid}".encode(), b"", ())
    assert isinstance(request, GatewayRequest)
    reply = await pipeline.reply(request, None, lambda: None)
    assert field(reply, b"x-cache-status") == b"PARTIAL"
    assert await body(reply) == TEXT


async def test_a_directory_without_its_slash_is_redirected(world: World) -> None:
    root = world.build(build_directory([]))
    reply = await world.ask(f"/ipfs/{root.cid}?x=1")
    assert reply.answer.status == 301
    assert field(reply, b"location") == f"/ipfs/{root.cid}/?x=1".encode()


@pytest.mark.parametrize(
    "build", [pytest.param(build_directory, id="plain"), pytest.param(build_hamt, id="hamt")]
)
async def test_a_directory_is_listed(
    world: World, build: Callable[[list[tuple[str, Built]]], Build]
) -> None:
    file = world.build(build_file(b"x"))
    root = world.build(build([(f"{number}.txt", file) for number in range(300)]))
    reply = await world.ask(f"/ipfs/{root.cid}/")
    names = (await body(reply)).decode().split()
    assert sorted(names) == sorted(f"{number}.txt" for number in range(300))
    assert field(reply, b"etag") == f'"DirIndex-t1_CID-{root.cid}"'.encode()
    assert field(reply, b"x-page") == b"yes"


async def test_index_html_stands_for_its_directory(world: World) -> None:
    page = world.build(build_file(b"<html>"))
    root = world.build(build_directory([("index.html", page)]))
    reply = await world.ask(f"/ipfs/{root.cid}/")
    assert await body(reply) == b"<html>"
    assert field(reply, b"content-type") == b"text/html"
    assert field(reply, b"etag") == f'"{root.cid}"'.encode()
    assert field(reply, b"x-ipfs-roots") == str(root.cid).encode()


async def test_a_symlink_is_its_target_as_text(world: World) -> None:
    link = world.build(build_symlink(b"../x"))
    root = world.build(build_directory([("link", link)]))
    reply = await world.ask(f"/ipfs/{root.cid}/link")
    assert await body(reply) == b"../x"
    assert field(reply, b"content-type") == b"inode/symlink"


async def test_a_raw_block_is_its_bytes(world: World) -> None:
    root = world.build(build_directory([]))
    reply = await world.ask(f"/ipfs/{root.cid}?format=raw")
    assert await body(reply) == world.blocks[-1].data


async def test_a_car_holds_the_blocks_of_the_path_and_the_file(world: World) -> None:
    file = world.build(build_file(TEXT, SMALL))
    root = world.build(build_directory([("a", file), ("b", file)]))
    reply = await world.ask(f"/ipfs/{root.cid}/a?format=car")
    parser = CarParser()
    sections = parser.feed(await body(reply))
    parser.finish()
    assert [cid for cid, _ in sections[:2]] == [root.cid, file.cid]
    assert {cid for cid, _ in sections} == {block.cid for block in world.blocks}


@pytest.mark.parametrize("asked", ["20:*", "99:100", "-999:-21"])
async def test_a_car_of_bytes_that_no_file_has_is_refused(world: World, asked: str) -> None:
    file = world.build(build_file(TEXT, SMALL))
    with pytest.raises(BadRequest, match="entity-bytes: nothing of it is in the 20 bytes"):
        await world.ask(f"/ipfs/{file.cid}?format=car&entity-bytes={asked}")


@pytest.mark.parametrize("asked", ["19:*", "-999:-20", "0:999"])
async def test_a_car_of_bytes_that_a_file_has_is_sent(world: World, asked: str) -> None:
    file = world.build(build_file(TEXT, SMALL))
    reply = await world.ask(f"/ipfs/{file.cid}?format=car&entity-bytes={asked}")
    assert len(CarParser().feed(await body(reply))) > 1


async def test_bytes_of_what_is_no_file_mean_nothing(world: World) -> None:
    empty, root = world.build(build_file(b"")), world.build(build_directory([]))
    block = world.add(DAG_CBOR, DOCUMENT)
    for cid in (empty.cid, root.cid, block.cid):
        reply = await world.ask(f"/ipfs/{cid}?format=car&entity-bytes=99:*")
        assert len(CarParser().feed(await body(reply))) == 1


async def test_a_car_of_an_identity_cid_is_its_header(world: World) -> None:
    reply = await world.ask("/ipfs/bafkqaaa?format=car&car-dups=y")
    parser = CarParser()
    assert parser.feed(await body(reply)) == []
    assert parser.roots == (parse_cid("bafkqaaa"),)


@pytest.mark.parametrize(("dups", "count"), [("y", 6), ("n", 2)], ids=["kept", "left-out"])
async def test_a_car_says_duplicates_only_when_asked(world: World, dups: str, count: int) -> None:
    file = world.build(build_file(b"same" * 5, replace(SMALL, max_links=5)))
    reply = await world.ask(f"/ipfs/{file.cid}?format=car&car-dups={dups}")
    sections = CarParser().feed(await body(reply))
    assert len(sections) == count


@pytest.mark.parametrize("near", [pytest.param(True, id="warm"), pytest.param(False, id="cold")])
async def test_a_tar_holds_all_that_is_below(world: World, near: bool) -> None:  # noqa: FBT001 (a table)
    file = world.build(build_file(TEXT, SMALL))
    inner = world.build(build_directory([("a", file)]))
    root = world.build(build_directory([("dir", inner), ("b", file)]))
    reply = await world.ask(f"/ipfs/{root.cid}/dir?format=tar", near=near)
    with tarfile.open(fileobj=io.BytesIO(await body(reply))) as tar:
        names = tar.getnames()
    assert names == [str(inner.cid), f"{inner.cid}/a"]
    assert field(reply, b"etag") == f'W/"{inner.cid}.x-tar"'.encode()
    assert field(reply, b"x-cache-status") == (b"HIT" if near else b"MISS")


async def test_head_of_a_tar_fetches_only_its_path(world: World) -> None:
    file = world.build(build_file(TEXT, SMALL))
    reply = await world.ask(f"/ipfs/{file.cid}?format=tar", method="HEAD")
    assert (reply.answer.status, reply.pieces) == (200, None)
    assert reply.trace is not None
    assert reply.trace.fetched == 1


async def test_a_tar_is_asked_for_with_all_that_is_below(world: World) -> None:
    file = world.build(build_file(TEXT, SMALL))
    root = world.build(build_directory([("a", file)]))
    wants: list[Want] = []

    async def note(want: Want) -> None:
        wants.append(want)

    world.before_get = note
    await body(await world.ask(f"/ipfs/{root.cid}?format=tar"))
    assert wants[:2] == [
        Want(root.cid, (), Scope.ALL),
        Want(file.cid, (), Scope.ALL, siblings=(file.cid,)),
    ]


DOCUMENT: Value = {"a": 1, "b": {"link": parse_cid("bafkqaaia"), "list": [2]}}


@pytest.mark.parametrize(
    ("codec", "query", "headers", "type_", "suffix"),
    [
        pytest.param(DAG_CBOR, "", {}, "vnd.ipld.dag-cbor", "dag-cbor", id="dag-cbor"),
        pytest.param(DAG_JSON, "", {}, "vnd.ipld.dag-json", "dag-json", id="dag-json"),
        pytest.param(JSON, "", {}, "json", "json", id="json"),
        pytest.param(CBOR, "", {}, "cbor", "cbor", id="cbor"),
        pytest.param(DAG_JSON, "format=json", {}, "json", "json", id="dag-json-as-json"),
        pytest.param(
            DAG_CBOR, "", {"accept": "application/cbor"}, "cbor", "cbor", id="dag-cbor-as-cbor"
        ),
        pytest.param(
            DAG_CBOR, "download=true", {"accept": "text/html"}, "vnd.ipld.dag-cbor", "dag-cbor",
            id="download",
        ),
        pytest.param(
            DAG_CBOR, "format=dag-cbor", {"accept": "text/html"}, "vnd.ipld.dag-cbor", "dag-cbor",
            id="a-browser-that-names-the-format",
        ),
        pytest.param(JSON, "", {"accept": "text/html"}, "json", "json", id="json-in-a-browser"),
    ],
)  # fmt: skip
async def test_a_document_is_its_bytes(
    world: World, codec: int, query: str, headers: dict[str, str], type_: str, suffix: str
) -> None:
    block = world.add(codec, DOCUMENT)
    reply = await world.ask(
        f"/ipfs/{block.cid}?{query}", near=False, method="GET", names=None, **headers
    )
    assert await body(reply) == block.data
    assert field(reply, b"content-type") == f"application/{type_}".encode()
    assert field(reply, b"etag") == f'"{block.cid}.{suffix}"'.encode()
    assert field(reply, b"x-cache-status") == b"MISS"


@pytest.mark.parametrize("codec", [DAG_CBOR, DAG_JSON])
async def test_browsers_see_a_page_of_a_document(world: World, codec: int) -> None:
    block = world.add(codec, DOCUMENT)
    reply = await world.ask(f"/ipfs/{block.cid}/", accept="text/html")
    assert await body(reply) == b"a b"
    assert field(reply, b"etag") == f'"DagIndex-t2_CID-{block.cid}"'.encode()
    assert field(reply, b"cache-control").startswith(b"public, max-age=604800")
    assert field(reply, b"x-page") == b"yes"


async def test_browsers_get_the_bytes_of_what_cannot_be_shown(world: World) -> None:
    block = world.add_bytes(DAG_CBOR, b"\xff")
    reply = await world.ask(f"/ipfs/{block.cid}", accept="text/html")
    assert await body(reply) == b"\xff"


async def test_a_path_through_a_document_names_it_for_each_segment(world: World) -> None:
    block = world.add(DAG_CBOR, DOCUMENT)
    reply = await world.ask(f"/ipfs/{block.cid}/b/link")
    assert field(reply, b"x-ipfs-roots") == f"{block.cid},{block.cid},bafkqaaia".encode()


@pytest.mark.parametrize("query", ["", "format=raw", "format=dag-cbor", "format=tar"])
async def test_a_path_that_ends_inside_of_a_block_is_not_answered(world: World, query: str) -> None:
    block = world.add(DAG_CBOR, DOCUMENT)
    with pytest.raises(Unsupported, match=f"'b/list' is inside the block {block.cid}"):
        await world.ask(f"/ipfs/{block.cid}/b/list?{query}")


async def test_a_car_of_a_path_inside_of_a_block_proves_it(world: World) -> None:
    block = world.add(DAG_CBOR, DOCUMENT)
    reply = await world.ask(f"/ipfs/{block.cid}/b/list?format=car&dag-scope=block")
    assert CarParser().feed(await body(reply)) == [(block.cid, block.data)]


JSON_TEXT = b'{"a": "some text that is in several leaves"}'


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        pytest.param("", {}, id="by-cid"),
        pytest.param("/x.json", {}, id="by-name"),
        pytest.param("/x.txt", {}, id="by-content"),
        pytest.param("/x.txt", {"range": "bytes=0-999"}, id="range"),
    ],
)
async def test_a_file_of_json_may_be_asked_for_as_json(
    world: World, name: str, headers: dict[str, str]
) -> None:
    file = world.build(build_file(JSON_TEXT, SMALL))
    root = world.build(build_directory([("x.json", file), ("x.txt", file)]))
    target = f"{root.cid if name else file.cid}{name}"
    reply = await world.ask(
        f"/ipfs/{target}?format=json", near=False, method="GET", names=None, **headers
    )
    assert await body(reply) == JSON_TEXT
    assert field(reply, b"content-type") == b"application/json"
    assert field(reply, b"etag") == f'"{file.cid}"'.encode()


@pytest.mark.parametrize(
    ("path", "query", "reason"),
    [
        pytest.param("text", "format=json", "is not json, but text/plain", id="text"),
        pytest.param("text", "format=dag-json", "is raw, not dag-json", id="file-as-dag-json"),
        pytest.param("", "format=json", "is not a file: it cannot be json", id="directory"),
        pytest.param("/", "format=cbor", "is not a file: it cannot be cbor", id="with-slash"),
        pytest.param("link", "format=json", "is not a file", id="symlink"),
    ],
)
async def test_what_is_not_of_the_format_is_not_acceptable(
    world: World, path: str, query: str, reason: str
) -> None:
    file = world.build(build_file(b"some words"))
    link = world.build(build_symlink(b"text"))
    root = world.build(build_directory([("text", file), ("link", link)]))
    with pytest.raises(NotAcceptable, match=reason):
        await world.ask(f"/ipfs/{root.cid}/{path}?{query}")


async def test_a_record_is_one_of_names_not_of_content(world: World) -> None:
    with pytest.raises(BadRequest, match="an IPNS record is at"):
        await world.ask("/ipfs/bafkqaaa?format=ipns-record")


@pytest.mark.parametrize("codec", [DAG_PB, 0x78])
async def test_a_block_without_a_form_of_its_own_is_not_acceptable(
    world: World, codec: int
) -> None:
    block = world.add_bytes(codec, b"\x0a\x01x" if codec == DAG_PB else b"x")
    with pytest.raises(NotAcceptable, match=f"{block.cid} is a .* block without UnixFS"):
        await world.ask(f"/ipfs/{block.cid}")


async def test_what_is_no_tar_is_refused_before_the_answer(world: World) -> None:
    block = world.add(DAG_CBOR, DOCUMENT)
    with pytest.raises(NotArchivable, match="it is not UnixFS"):
        await world.ask(f"/ipfs/{block.cid}?format=tar")


@pytest.mark.parametrize(
    ("suffix", "headers", "error", "reason"),
    [
        pytest.param("/nope", {}, NoSuchLink, 'no link named "nope"', id="no-such-name"),
        pytest.param("/file/x", {}, NotTraversable, "is a file", id="below-a-file"),
        pytest.param(
            "/file", {"if_match": '"x"'}, PreconditionFailed, "precondition", id="if-match"
        ),
        pytest.param("/file", {"range": "bytes=99-"}, RangeNotSatisfiable, "20", id="range"),
        pytest.param("/dir/", {}, BadIndex, "index.html", id="index-is-a-directory"),
    ],
)
async def test_what_cannot_be_answered_says_why(
    world: World, suffix: str, headers: dict[str, str], error: type[GatewayError], reason: str
) -> None:
    file = world.build(build_file(TEXT, SMALL))
    empty = world.build(build_directory([]))
    inner = world.build(build_directory([("index.html", empty)]))
    root = world.build(build_directory([("file", file), ("dir", inner)]))
    with pytest.raises(error, match=reason):
        await world.ask(
            f"/ipfs/{root.cid}{suffix}", near=False, method="GET", names=None, **headers
        )


async def test_a_failure_before_the_first_byte_closes_the_session(world: World) -> None:
    built = world.build(build_file(TEXT, SMALL))
    retriever = DictRetriever()
    pipeline = Pipeline(retriever, DictStore(), TableNames(), PAGES)
    request = parse_request("GET", f"/ipfs/{built.cid}".encode(), b"", ())
    assert isinstance(request, GatewayRequest)
    with pytest.raises(NotFound, match="far"):
        await pipeline.reply(request, None, lambda: None)
    assert retriever.sessions[0].is_closed


async def test_an_unchanged_file_needs_no_body(world: World) -> None:
    built = world.build(build_file(TEXT, SMALL))
    reply = await world.ask(f"/ipfs/{built.cid}", if_none_match=f'"{built.cid}"')
    assert (reply.answer.status, reply.pieces, await body(reply)) == (304, None, b"")


async def test_only_if_cached_is_refused_without_asking_anybody(world: World) -> None:
    built = world.build(build_file(TEXT, SMALL))
    with pytest.raises(NotCached, match="not in the cache"):
        await world.ask(f"/ipfs/{built.cid}", cache_control="only-if-cached")


async def test_only_if_cached_answers_what_is_there(world: World) -> None:
    built = world.build(build_file(TEXT, SMALL))
    head = await world.ask(
        f"/ipfs/{built.cid}", near=True, method="HEAD", cache_control="only-if-cached"
    )
    whole = await world.ask(f"/ipfs/{built.cid}", near=True, cache_control="only-if-cached")
    assert (head.answer.status, await body(whole)) == (200, TEXT)


@pytest.mark.parametrize(
    ("ttl_s", "content", "listing"),
    [
        pytest.param(
            90.0,
            b"public, max-age=90",
            b"public, max-age=90, stale-while-revalidate=2678400",
            id="known",
        ),
        pytest.param(None, b"", b"", id="unknown"),
    ],
)
async def test_a_name_is_followed_and_says_how_long_it_holds(
    world: World, ttl_s: float | None, content: bytes, listing: bytes
) -> None:
    file = world.build(build_file(TEXT, SMALL))
    folder = world.build(build_directory([("a", file)]))
    names = TableNames({"site.example": f"/ipfs/{folder.cid}"}, ttl_s)
    reply = await world.ask("/ipns/site.example/a", names=names)
    assert await body(reply) == TEXT
    assert field(reply, b"x-ipfs-path") == b"/ipns/site.example/a"
    assert field(reply, b"x-ipfs-roots") == f"{folder.cid},{file.cid}".encode()
    assert field(reply, b"cache-control") == content
    listed = await world.ask("/ipns/site.example/", names=names)
    assert field(listed, b"cache-control") == listing


async def test_a_name_that_is_being_asked_for_again_is_told_as_stale(world: World) -> None:
    file = world.build(build_file(TEXT, SMALL))
    names = TableNames({"site.example": f"/ipfs/{file.cid}"}, 0.0, is_stale=True)
    reply = await world.ask("/ipns/site.example", near=True, names=names)
    assert field(reply, b"x-cache-status") == b"STALE"
    assert field(reply, b"cache-status") == b"ipfs-gateway; hit; detail=memory"
    assert field(reply, b"cache-control") == b"public, max-age=0"


async def test_a_404_of_a_stale_name_is_looked_at_afresh(world: World) -> None:
    """Issue 12, 35: a site was swapped, and its new page was told as 404."""
    file = world.build(build_file(TEXT, SMALL))
    old = world.build(build_directory([("old", file)]))
    new = world.build(build_directory([("page", file)]))
    newer = {"site.example": f"/ipfs/{new.cid}"}
    names = TableNames({"site.example": f"/ipfs/{old.cid}"}, 0.0, is_stale=True, newer=newer)
    reply = await world.ask("/ipns/site.example/page", names=names)
    assert await body(reply) == TEXT
    assert field(reply, b"x-cache-status") != b"STALE"
    with pytest.raises(NoSuchLink, match="nothing"):
        await world.ask("/ipns/site.example/nothing", names=names)


async def test_a_404_of_a_stale_name_stays_when_it_points_to_the_same(world: World) -> None:
    """Issue 12, 35."""
    old = world.build(build_directory([("old", world.build(build_file(TEXT, SMALL)))]))
    names = TableNames({"site.example": f"/ipfs/{old.cid}"}, 0.0, is_stale=True)
    with pytest.raises(NoSuchLink, match="page"):
        await world.ask("/ipns/site.example/page", names=names)
    assert len(names.asked) == 2


@pytest.mark.parametrize("has_newer", [True, False])
async def test_a_404_page_of_a_stale_site_is_looked_at_afresh(
    world: World, *, has_newer: bool
) -> None:
    """Issue 12, 35: `_redirects` of the old site said 404."""
    page = world.build(build_file(TEXT, SMALL))
    rules = world.build(build_file(b"/* /404.html 404\n", SMALL))
    old = world.build(build_directory([("404.html", page), ("_redirects", rules)]))
    new = world.build(build_directory([("page", page)]))
    newer = {"site.example": f"/ipfs/{new.cid}"} if has_newer else {}
    names = TableNames({"site.example": f"/ipfs/{old.cid}"}, 0.0, is_stale=True, newer=newer)
    world.site = Site(SiteKind.DNSLINK, "site.example", root="/ipns/site.example")
    reply = await world.ask("/page", names=names)
    assert reply.answer.status == (200 if has_newer else 404)
    assert await body(reply) == TEXT


async def test_a_car_of_a_name_is_the_one_of_its_content(world: World) -> None:
    file = world.build(build_file(TEXT, SMALL))
    names = TableNames({"site.example": f"/ipfs/{file.cid}"})
    by_name = await world.ask("/ipns/site.example?format=car", names=names)
    by_cid = await world.ask(f"/ipfs/{file.cid}?format=car")
    assert field(by_name, b"etag") == field(by_cid, b"etag")
    assert await body(by_name) == await body(by_cid)


async def test_a_name_that_nobody_has_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match=r"nope\.example was not found"):
        await world.ask("/ipns/nope.example/")


def deny(world: World, folder: Path, *rules: str) -> None:
    """Have a denylist with these rules."""
    file = folder / "a.deny"
    file.write_text("\n".join(rules))
    world.denials = Denylist([str(file)], FakeClock())


@pytest.mark.parametrize("near", [pytest.param(True, id="warm"), pytest.param(False, id="cold")])
@pytest.mark.parametrize(
    "query", ["", "?format=raw", "?format=car", "?format=tar", "?format=dag-json"]
)
async def test_a_blocked_root_is_refused_in_every_format(
    world: World,
    tmp_path: Path,
    query: str,
    near: bool,  # noqa: FBT001 (a table)
) -> None:
    built = world.build(build_file(TEXT, SMALL))
    deny(world, tmp_path, f"/ipfs/{built.cid}")
    for method in ("GET", "HEAD"):
        with pytest.raises(Denied, match="is blocked on this gateway"):
            await world.ask(f"/ipfs/{built.cid}{query}", near=near, method=method)
    with pytest.raises(Denied, match="is blocked on this gateway"):
        await world.ask(f"/ipfs/{built.cid}{query}", cache_control="only-if-cached", method="HEAD")


async def test_a_blocked_file_is_refused_wherever_it_stands(world: World, tmp_path: Path) -> None:
    bad, good = world.build(build_file(b"bad", SMALL)), world.build(build_file(b"good", SMALL))
    root = world.build(build_directory([("bad", bad), ("good", good)]))
    deny(world, tmp_path, f"/ipfs/{bad.cid}")
    with pytest.raises(Denied, match=str(bad.cid)):
        await world.ask(f"/ipfs/{root.cid}/bad")
    assert await body(await world.ask(f"/ipfs/{root.cid}/good")) == b"good"


async def test_a_blocked_path_is_refused_before_anything_is_fetched(
    world: World, tmp_path: Path
) -> None:
    file = world.build(build_file(TEXT, SMALL))
    root = world.build(build_directory([("a", file), ("b", file)]))
    deny(world, tmp_path, f"/ipfs/{root.cid}/a*")
    wanted: list[Want] = []

    async def note(want: Want) -> None:
        wanted.append(want)

    world.before_get = note
    with pytest.raises(Denied, match="/a is blocked"):
        await world.ask(f"/ipfs/{root.cid}/a")
    assert wanted == []
    assert await body(await world.ask(f"/ipfs/{root.cid}/b")) == TEXT


async def test_a_blocked_leaf_ends_a_body_and_a_car(world: World, tmp_path: Path) -> None:
    built = world.build(build_file(TEXT, SMALL))
    leaf = next(block for block in world.blocks if block.data == TEXT[8:12])
    deny(world, tmp_path, f"/ipfs/{leaf.cid}")
    for query in ("?filename=a.txt", "?format=car"):
        reply = await world.ask(f"/ipfs/{built.cid}{query}")
        with pytest.raises(Denied, match=str(leaf.cid)):
            await body(reply)


@pytest.mark.parametrize("rule", ["/ipns/a.example", "/ipfs/{root}/x*", "/ipfs/{root}"])
async def test_what_a_name_leads_to_is_looked_up_too(
    world: World, tmp_path: Path, rule: str
) -> None:
    file = world.build(build_file(TEXT, SMALL))
    root = world.build(build_directory([("x", file)]))
    deny(world, tmp_path, rule.format(root=root.cid))
    names = TableNames({"a.example": f"/ipfs/{root.cid}/x"})
    with pytest.raises(Denied, match="is blocked on this gateway"):
        await world.ask("/ipns/a.example", names=names)


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("query", ["", "?format=car", "?format=tar", "?format=raw"])
async def test_a_large_directory_is_looked_at_beside_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch, query: str, *, near: bool
) -> None:
    """Issue 12, 20: 42,000 links took up to 210 ms of everybody's time, at each request."""
    leaf = world.add_bytes(RAW, b"x" * (MAX_COPY_BYTES + 1))
    directory = encode_unixfs(UnixFs(UnixFsType.DIRECTORY))
    node = PBNode(tuple(PBLink(leaf.cid.encode(), f"{n}", 1) for n in range(500)), directory)
    root = world.add_bytes(DAG_PB, encode_node(node))
    here = threading.get_ident()
    threads: list[int] = []
    decode = dag_pb.decode_node

    def note(data: bytes) -> PBNode:
        threads.append(threading.get_ident())
        return decode(data)

    monkeypatch.setattr(unixfs, "decode_node", note)
    monkeypatch.setattr(car_walk, "decode_node", note)
    reply = await world.ask(f"/ipfs/{root.cid}/{query}", near=near)
    assert len(await body(reply)) > 1000
    assert here not in threads


async def test_a_large_document_is_looked_at_beside_the_loop(world: World) -> None:
    block = world.add(DAG_CBOR, {"a": ["text"] * 5000})
    reply = await world.ask(f"/ipfs/{block.cid}", accept="text/html")
    assert await body(reply) == b"a"
