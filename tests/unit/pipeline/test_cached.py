"""`only-if-cached`: what is promised is there, and nobody is asked (issue 12, 9)."""

from collections.abc import Callable, Iterable

import pytest

from gateway.content.block import Block
from gateway.content.build import Profile, build_directory, build_file, build_hamt
from gateway.content.cid import DAG_CBOR, Cid
from gateway.errors import GatewayError, NoSuchLink, NotCached, NotTraversable, Unsupported
from gateway.pipeline import Pipeline, Reply
from gateway.protocol.request import GatewayRequest, parse_request
from tests.fakes.names import TableNames
from tests.fakes.source import DictRetriever
from tests.fakes.store import DictStore
from tests.unit.pipeline.test_pipeline import PAGES, World, body, field

TEXT = bytes(range(65, 91)) * 2
RAW_LEAVES = Profile(chunk_bytes=4, max_links=3, raw_leaves=True, cid_version=1)
NODE_LEAVES = Profile(chunk_bytes=4, max_links=3, raw_leaves=False, cid_version=1)
KEY = "k51qzi5uqu5dk3v4rmjber23h16xnr23bsggmqqil9z2gduiis5se8dht36dam"


class Cache(World):
    """Content of which some blocks are in the cache; all of it is on an upstream."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: set[bytes] = set()
        self.names = TableNames()

    def forget(self, *lost: Block) -> None:
        self.missing |= {block.cid.multihash for block in lost}

    def block(self, cid: Cid) -> Block:
        return next(block for block in self.blocks if block.cid.multihash == cid.multihash)

    def leaf(self, text: bytes) -> Block:
        return next(block for block in self.blocks if text in block.data)

    async def only_cached(self, target: str, method: str = "GET", **fields: str) -> Reply:
        here = [block for block in self.blocks if block.cid.multihash not in self.missing]
        pipeline = Pipeline(
            DictRetriever(self.blocks, here), DictStore(here), self.names, PAGES, self.denials
        )
        headers: Iterable[tuple[bytes, bytes]] = [
            (b"cache-control", b"only-if-cached"),
            *[(name.encode(), value.encode()) for name, value in fields.items()],
        ]
        path, _, query = target.partition("?")
        request = parse_request(method, path.encode(), query.encode(), headers)
        assert isinstance(request, GatewayRequest)
        return await pipeline.reply(request, None, lambda: None)


@pytest.fixture(name="cache")
def cache_fixture() -> Cache:
    return Cache()


@pytest.mark.parametrize(
    "profile",
    [pytest.param(RAW_LEAVES, id="raw-leaves"), pytest.param(NODE_LEAVES, id="dag-pb-leaves")],
)
async def test_a_file_is_there_when_all_that_is_asked_for_is(
    cache: Cache, profile: Profile
) -> None:
    file = cache.build(build_file(TEXT, profile))
    root = cache.build(build_directory([("a.txt", file)]))
    target = f"/ipfs/{root.cid}/a.txt"
    assert await body(await cache.only_cached(target)) == TEXT
    cache.forget(cache.leaf(TEXT[20:24]))
    with pytest.raises(NotCached, match="not in the cache"):
        await cache.only_cached(target)
    for asked, part in {"bytes=0-19": TEXT[:20], "bytes=24-": TEXT[24:]}.items():
        reply = await cache.only_cached(target, range=asked)
        assert (reply.answer.status, await body(reply)) == (206, part)
    for asked in ("bytes=0-20", "bytes=0-1,22-23", "bytes=23-30"):
        with pytest.raises(NotCached, match="not in the cache"):
            await cache.only_cached(target, range=asked)
    parts = await cache.only_cached(target, range="bytes=0-1,30-31")
    assert TEXT[30:32] in await body(parts)


async def test_the_error_names_what_is_not_there(cache: Cache) -> None:
    file = cache.build(build_file(TEXT, RAW_LEAVES))
    lost = cache.leaf(TEXT[20:24])
    cache.forget(lost)
    with pytest.raises(NotCached, match=str(lost.cid)):
        await cache.only_cached(f"/ipfs/{file.cid}?filename=a.txt")


async def test_an_inner_node_that_is_not_there_is_no_hit(cache: Cache) -> None:
    file = cache.build(build_file(TEXT, RAW_LEAVES))
    inner = [b for b in cache.blocks if b.cid.codec != 0x55 and b.cid != file.cid]
    assert inner
    cache.forget(inner[-1])
    with pytest.raises(NotCached, match="not in the cache"):
        await cache.only_cached(f"/ipfs/{file.cid}?filename=a.txt")


@pytest.mark.parametrize(
    "query", ["?format=car", "?format=car&car-dups=n", "?format=tar", "?format=raw", "/", "/a.txt"]
)
async def test_nothing_is_fetched_below_a_root_that_is_there(cache: Cache, query: str) -> None:
    file = cache.build(build_file(TEXT, RAW_LEAVES))
    root = cache.build(build_directory([("a.txt", file), ("index.html", file)]))
    reply = await cache.only_cached(f"/ipfs/{root.cid}{query}")
    assert await body(reply)
    assert reply.trace is not None
    assert reply.trace.fetched == 0
    cache.forget(cache.leaf(TEXT[20:24]))
    if query == "?format=raw":
        assert await body(await cache.only_cached(f"/ipfs/{root.cid}{query}"))
        return
    with pytest.raises(NotCached, match="not in the cache"):
        await cache.only_cached(f"/ipfs/{root.cid}{query}")


async def test_a_listing_is_there_when_all_its_shards_are(cache: Cache) -> None:
    file = cache.build(build_file(b"x"))
    root = cache.build(build_hamt([(f"n{i}", file) for i in range(60)], fanout=8))
    own = {block.cid for block in cache.blocks} - {file.cid}
    cache.forget(cache.block(file.cid))
    listed = await body(await cache.only_cached(f"/ipfs/{root.cid}/"))
    assert listed.count(b"\n") == 60
    cache.forget(cache.block((own - {root.cid}).pop()))
    with pytest.raises(NotCached, match="not in the cache"):
        await cache.only_cached(f"/ipfs/{root.cid}/")


async def test_a_part_of_a_car_is_there_without_the_rest(cache: Cache) -> None:
    file = cache.build(build_file(TEXT, RAW_LEAVES))
    cache.forget(cache.leaf(TEXT[20:24]))
    for query in ("dag-scope=block", "dag-scope=entity&entity-bytes=0:3"):
        reply = await cache.only_cached(f"/ipfs/{file.cid}?format=car&{query}")
        assert (reply.answer.status, bool(await body(reply))) == (200, True)


Lose = Callable[[Cache, Cid, Cid], None]


@pytest.mark.parametrize(
    ("lose", "path", "error"),
    [
        pytest.param(lambda *_: None, "/a.txt", None, id="there"),
        pytest.param(lambda c, _, f: c.forget(c.block(f)), "", None, id="end-is-the-root"),
        pytest.param(lambda c, _, f: c.forget(c.block(f)), "/a.txt", NotCached, id="end-lost"),
        pytest.param(lambda c, r, _: c.forget(c.block(r)), "/a.txt", NotCached, id="root-lost"),
        pytest.param(
            lambda c, _, __: c.forget(c.leaf(TEXT[20:24])), "/a.txt", None, id="a-leaf-lost"
        ),
        pytest.param(lambda *_: None, "/nope", NoSuchLink, id="disproved"),
        pytest.param(lambda *_: None, "/a.txt/x", NotTraversable, id="below-a-file"),
        pytest.param(lambda *_: None, "/doc/n", Unsupported, id="inside-of-a-block"),
    ],
)
async def test_a_head_is_judged_by_its_path(
    cache: Cache, lose: Lose, path: str, error: type[GatewayError] | None
) -> None:
    file = cache.build(build_file(TEXT, RAW_LEAVES))
    document = cache.add(DAG_CBOR, {"n": 1})
    names = [("a.txt", file), ("doc", file._replace(cid=document.cid))]
    root = cache.build(build_directory(names))
    lose(cache, root.cid, file.cid)
    if error is not None:
        with pytest.raises(error):
            await cache.only_cached(f"/ipfs/{root.cid}{path}", "HEAD")
        return
    reply = await cache.only_cached(f"/ipfs/{root.cid}{path}", "HEAD")
    assert (reply.answer.status, field(reply, b"cache-control")) == (200, b"no-store")
    assert reply.source is not None  # closed with the reply


async def test_nobody_is_asked_about_a_name(cache: Cache) -> None:
    file = cache.build(build_file(TEXT, RAW_LEAVES))
    cache.names = TableNames({"a.example": f"/ipfs/{file.cid}"}, records={KEY: b"a record"})
    for method in ("GET", "HEAD"):
        with pytest.raises(NotCached, match=r"a\.example is not in the cache"):
            await cache.only_cached("/ipns/a.example", method)
        with pytest.raises(NotCached, match="is not in the cache"):
            await cache.only_cached(f"/ipns/{KEY}?format=ipns-record", method)
    assert cache.names.asked == []


async def test_a_session_is_closed_when_something_is_not_there(cache: Cache) -> None:
    file = cache.build(build_file(TEXT, RAW_LEAVES))
    retriever = DictRetriever(cache.blocks)
    pipeline = Pipeline(retriever, DictStore(), TableNames(), PAGES)
    fields = [(b"cache-control", b"only-if-cached")]
    request = parse_request("GET", f"/ipfs/{file.cid}".encode(), b"", fields)
    assert isinstance(request, GatewayRequest)
    with pytest.raises(NotCached, match=str(file.cid)):
        await pipeline.reply(request, None, lambda: None)
    assert [session.is_closed for session in retriever.sessions] == [True]
