"""What is checked is what is sent: every path that becomes content (issue 12, 5)."""

import hashlib
from collections.abc import Awaitable, Sequence
from pathlib import Path

import pytest

from gateway.content.build import Built, build_directory, build_file, build_hamt
from gateway.content.cid import DAG_CBOR, Cid
from gateway.content.multibase import encode_base58
from gateway.content.multihash import encode_multihash
from gateway.content.path import ContentPath
from gateway.errors import Denied
from gateway.guard.denylist import Denylist
from gateway.pipeline import Pipeline, Reply
from gateway.pipeline import gate as module
from gateway.pipeline.gate import PathGate
from gateway.ports import Hop
from gateway.protocol.request import GatewayRequest, parse_request
from gateway.protocol.sites import Site, SiteKind
from tests.fakes.clock import FakeClock
from tests.fakes.names import TableNames
from tests.fakes.source import DictRetriever
from tests.fakes.store import DictStore
from tests.unit.pipeline.test_pipeline import PAGES, World, body, field

SECRET = b"<p>what a rule forbids</p>"
SHARDED = b"<p>likewise, in a directory of many shards</p>"
INDEX = b"<p>the first page</p>"
RULES = b"/page /index.html 200\n/old/* /docs/secret.html 200\n/gone/* /index.html 404\n"


class Website(World):
    """A site with an index page, a folder and redirects, and a list of what is forbidden of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._file = folder / "a.deny"
        page, rules = self.build(build_file(SECRET)), self.build(build_file(RULES))
        index = self.build(build_file(INDEX))
        other = self.build(build_file(b"fine"))
        docs = self.build(build_directory([("index.html", index), ("secret.html", page)]))
        sharded = self.build(build_file(SHARDED))
        shards = [("secret.html", sharded), *[(f"n{i}", other) for i in range(40)]]
        self.shards: Built = self.build(build_hamt(shards, fanout=8))
        names = [
            ("_redirects", rules),
            ("docs", docs),
            ("index.html", index),
            ("other.html", other),
            ("shards", self.shards),
        ]
        self.root = self.build(build_directory(names)).cid

    def forbid(self, *rules: str) -> None:
        self._file.write_text("".join(f"{rule.format(root=self.root)}\n" for rule in rules))
        self.denials = Denylist([str(self._file)], FakeClock())

    async def ask_site(
        self, target: str, method: str = "GET", names: TableNames | None = None
    ) -> Reply:
        """Ask on a host that is the site's own; by its name if there are names."""
        kind, root = SiteKind.SUBDOMAIN, f"/ipfs/{self.root}"
        if names is not None:
            kind, root = SiteKind.DNSLINK, "/ipns/a.example"
        path, _, query = target.partition("?")
        site = Site(kind, "a.example", root=root)
        request = parse_request(method, path.encode(), query.encode(), (), site)
        assert isinstance(request, GatewayRequest)
        retriever = DictRetriever(self.blocks, self.blocks)
        pipeline = Pipeline(
            retriever, DictStore(self.blocks), names or TableNames(), PAGES, self.denials
        )
        return await pipeline.reply(request, None, lambda: None)


@pytest.fixture(name="website")
def website_fixture(tmp_path: Path) -> Website:
    return Website(tmp_path)


async def read_until_denied(asking: Awaitable[Reply]) -> bytes:
    """Return what is sent before a denial ends it; that there is one is asserted."""
    got = bytearray()

    async def read() -> None:
        reply = await asking
        assert reply.pieces is not None
        async for piece in reply.pieces:
            got.extend(piece)

    with pytest.raises(Denied, match="is blocked on this gateway"):
        await read()
    return bytes(got)


def double_hash(root: Cid, path: str) -> str:
    text = f"{encode_base58(root.multihash)}/{path}"
    return "//" + encode_base58(encode_multihash(0x12, hashlib.sha256(text.encode()).digest()))


@pytest.mark.parametrize(
    "rule", ["/ipfs/{root}/index.html", "/ipfs/{root}/index*", "/ipns/a.example/index.html", "hash"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/index.html", id="itself"),
        pytest.param("/", id="index-page"),
        pytest.param("/./x/..//index.html", id="dots-and-slashes"),
        pytest.param("/index%2Ehtml", id="escaped"),
        pytest.param("/page", id="rewrite"),
        pytest.param("/gone/x", id="404-page"),
        pytest.param("/?format=tar", id="tar"),
        pytest.param("/?format=car", id="car"),
        pytest.param("/index.html?format=raw", id="raw"),
    ],
)
async def test_a_forbidden_index_page_is_refused_however_it_is_asked_for(
    website: Website, rule: str, method: str, target: str
) -> None:
    website.forbid(double_hash(website.root, "index.html") if rule == "hash" else rule)
    names = TableNames({"a.example": f"/ipfs/{website.root}"})
    with pytest.raises(Denied, match="is blocked on this gateway"):
        await website.ask_site(target, method, names)
    assert await body(await website.ask_site("/other.html", names=names)) == b"fine"


async def test_an_index_page_below_the_root_is_refused_on_a_path_gateway(website: Website) -> None:
    website.forbid("/ipfs/{root}/docs/index.html")
    with pytest.raises(Denied, match=r"/docs/index\.html is blocked"):
        await website.ask(f"/ipfs/{website.root}/docs/")
    assert await body(await website.ask(f"/ipfs/{website.root}/")) == INDEX


async def test_a_client_that_has_a_forbidden_index_page_is_not_told_that_it_is_fresh(
    website: Website,
) -> None:
    etag = field(await website.ask(f"/ipfs/{website.root}/"), b"etag").decode()
    fresh = await website.ask(f"/ipfs/{website.root}/", if_none_match=etag)
    assert fresh.answer.status == 304
    website.forbid("/ipfs/{root}/index.html")
    with pytest.raises(Denied, match="is blocked"):
        await website.ask(f"/ipfs/{website.root}/", if_none_match=etag)


async def test_a_rule_about_the_target_of_a_rewrite_counts_for_a_subdomain(
    website: Website,
) -> None:
    website.forbid("/ipfs/{root}/docs/secret.html")
    with pytest.raises(Denied, match=r"secret\.html is blocked"):
        await website.ask_site("/old/x")


@pytest.mark.parametrize("target", ["/docs%2Fsecret.html", "/docs/./x/..//secret%2ehtml"])
async def test_a_forbidden_path_is_refused_in_every_spelling(website: Website, target: str) -> None:
    website.forbid("/ipfs/{root}/docs/secret.html")
    with pytest.raises(Denied, match=r"secret\.html is blocked"):
        await website.ask_site(target)


async def test_forbidden_redirects_are_not_read(website: Website) -> None:
    website.forbid("/ipfs/{root}/_redirects")
    with pytest.raises(Denied, match="_redirects is blocked"):
        await website.ask_site("/page")


@pytest.mark.parametrize("path", ["docs/secret.html", "shards/secret.html", "docs/s*"])
@pytest.mark.parametrize(
    "query", ["?format=tar", "?format=car", "?format=car&car-dups=y", "?format=car&car-dups=n"]
)
async def test_an_archive_of_the_whole_has_no_byte_of_a_forbidden_file(
    website: Website, path: str, query: str
) -> None:
    website.forbid(f"/ipfs/{{root}}/{path}")
    below = path.partition("/")[0]
    forbidden = SHARDED if below == "shards" else SECRET
    assert b"fine" in await body(await website.ask(f"/ipfs/{website.root}/other.html{query}"))
    for part in ("", f"/{below}"):
        asking = website.ask(f"/ipfs/{website.root}{part}{query}")
        assert forbidden not in await read_until_denied(asking)


@pytest.mark.parametrize("query", ["?format=tar", "?format=car"])
async def test_an_archive_ends_before_a_forbidden_file_deep_below(
    world_of_folders: tuple[World, Cid], tmp_path: Path, query: str
) -> None:
    world, root = world_of_folders
    file = tmp_path / "deep.deny"
    file.write_text(f"/ipfs/{root}/a/b/secret.html\n")
    world.denials = Denylist([str(file)], FakeClock())
    got = await read_until_denied(world.ask(f"/ipfs/{root}{query}"))
    assert SECRET not in got
    assert b"fine" in got


@pytest.fixture(name="world_of_folders")
def world_of_folders_fixture() -> tuple[World, Cid]:
    world = World()
    secret, fine = world.build(build_file(SECRET)), world.build(build_file(b"fine"))
    below = world.build(build_directory([("secret.html", secret)]))
    folder = world.build(build_directory([("a.txt", fine), ("b", below)]))
    return world, world.build(build_directory([("a", folder)])).cid


async def test_a_document_below_a_forbidden_path_is_not_in_a_car(tmp_path: Path) -> None:
    world = World()
    secret = world.build(build_file(SECRET))
    root = world.add(DAG_CBOR, {"a": [secret.cid]})
    file = tmp_path / "a.deny"
    file.write_text(f"/ipfs/{root.cid}/a/0\n")
    world.denials = Denylist([str(file)], FakeClock())
    with pytest.raises(Denied, match="/a/0 is blocked"):
        await world.ask(f"/ipfs/{root.cid}?format=car")


async def test_a_car_of_less_than_the_whole_is_not_refused_for_what_it_does_not_have(
    website: Website,
) -> None:
    website.forbid("/ipfs/{root}/index.html")
    for scope in ("block", "entity"):
        reply = await website.ask(f"/ipfs/{website.root}?format=car&dag-scope={scope}")
        assert INDEX not in await body(reply)


async def test_only_the_first_links_are_looked_up_ahead(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LINKS_AHEAD", 1)
    website.forbid("/ipfs/{root}/index.html")
    reply = await website.ask(f"/ipfs/{website.root}?format=tar")
    assert reply.answer.status == 200
    with pytest.raises(Denied, match=r"index\.html is blocked"):
        await body(reply)


@pytest.mark.parametrize(
    ("rules", "path", "is_blocked"),
    [
        pytest.param(["/ipns/a.example/x"], ("d", "x"), True, id="by-the-name"),
        pytest.param(["/ipns/b.example/d/x"], ("d", "x"), True, id="by-another-name"),
        pytest.param(["/ipns/a.example/x"], ("e", "x"), False, id="not-below-the-name"),
        pytest.param(["/ipns/a.example"], ("d", "x"), True, id="the-whole-name"),
        pytest.param(["/ipns/a.example/y"], ("d", "x"), False, id="another-path"),
    ],
)
def test_a_path_is_looked_up_by_all_names_that_led_to_its_root(
    website: Website,
    rules: Sequence[str],
    path: tuple[str, ...],
    is_blocked: bool,  # noqa: FBT001 (a table)
) -> None:
    website.forbid(*rules)
    assert website.denials is not None
    hops = (Hop("a.example", ("d",)), Hop("b.example", ()))
    gate = PathGate(website.denials, hops)
    content = ContentPath("ipfs", website.root, path)
    if is_blocked:
        with pytest.raises(Denied, match="is blocked"):
            gate.check(content)
    else:
        gate.check(content)
