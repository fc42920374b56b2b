"""Names followed to content, over any number of hops."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.content.cid import Cid
from gateway.content.ipns import IpnsRecord
from gateway.content.names import parse_key
from gateway.content.path import MutablePath, parse_path
from gateway.errors import BadTarget, DeadlineExceeded, Denied, NameLoop, NotCached, NotFound
from gateway.guard.denylist import Denylist
from gateway.naming.dnslink import GRACE_S, Dnslinks
from gateway.naming.ipns import Keys
from gateway.naming.resolver import MAX_HOPS, Names
from gateway.ports import Denials, Hop, NameResolver
from gateway.settings import NamesSettings
from tests.fakes.clock import FakeClock
from tests.fakes.ipns_forge import HELLO, MINUTE_NS, Item, Owner, owner
from tests.fakes.txts import FakeTxts

KEYS = [owner(number=number) for number in range(4)]
CONTENT = "/ipfs/bafkqabtimvwgy3yk"


class Records:
    """The records of some keys."""

    def __init__(self, records: Mapping[Cid, IpnsRecord]) -> None:
        self.records = dict(records)
        self.pause = asyncio.Event()
        self.pause.set()

    async def fetch(self, key: Cid) -> IpnsRecord:
        await self.pause.wait()
        if key not in self.records:
            raise NotFound(key, [])
        return self.records[key]


class World:
    """A resolver with all that it needs."""

    def __init__(
        self,
        *records: IpnsRecord,
        dnslink: Mapping[str, str] = {},
        denials: Denials | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.records = Records({record.name: record for record in records})
        self.txts = FakeTxts()
        settings = NamesSettings(dnslink=dnslink)
        self.names = Names(
            Keys(self.records, None, self.clock),
            Dnslinks(settings, self.txts, self.clock),
            self.clock,
            denials,
        )

    async def resolve(self, path: str) -> tuple[str, float | None, bool]:
        parsed = parse_path(path.encode())
        assert isinstance(parsed, MutablePath)
        found = await self.names.resolve(parsed)
        return str(found.path), found.ttl_s, found.is_stale


_: NameResolver = World().names  # mypy proves that it fits the port


def points(who: Owner, value: str, **more: Item | None) -> IpnsRecord:
    return who.record(value.encode(), 1, **more)


@pytest.mark.parametrize(
    ("value", "path", "target"),
    [
        pytest.param(CONTENT, "", CONTENT, id="name-alone"),
        pytest.param(CONTENT, "/", f"{CONTENT}/", id="slash"),
        pytest.param(CONTENT, "/a/b", f"{CONTENT}/a/b", id="request-path"),
        pytest.param(f"{CONTENT}/x", "/a/", f"{CONTENT}/x/a/", id="both-paths"),
        pytest.param(f"{CONTENT}/x/", "", f"{CONTENT}/x", id="slash-of-the-record-alone"),
        pytest.param(f"{CONTENT}/x/../y", "/a", f"{CONTENT}/y/a", id="cleaned"),
        pytest.param(f"{CONTENT}/a%20b", "/a%20b", f"{CONTENT}/a%20b/a b", id="escapes"),
    ],
)
async def test_a_key_leads_to_content(value: str, path: str, target: str) -> None:
    world = World(points(KEYS[0], value))
    assert await world.resolve(f"/ipns/{KEYS[0].name}{path}") == (target, 300, False)


async def test_any_spelling_of_a_domain_is_the_same_domain() -> None:
    world = World(dnslink={"site.example": CONTENT})
    assert (await world.resolve("/ipns/Site.EXAMPLE."))[0] == CONTENT


async def test_hops_of_both_kinds_add_their_paths() -> None:
    world = World(
        points(KEYS[0], f"/ipns/{KEYS[1].name}/c", TTL=7 * MINUTE_NS),
        points(KEYS[1], f"{CONTENT}/b", TTL=2 * MINUTE_NS),
        dnslink={"site.example": f"/ipns/{KEYS[0].name}/d"},
    )
    assert await world.resolve("/ipns/site.example/e/") == (f"{CONTENT}/b/c/d/e/", 120, False)


async def test_each_name_on_the_way_is_told_with_where_it_points() -> None:
    """Issue 12, 5: what a name leads to is looked up in the denylist by the name, too."""
    world = World(
        points(KEYS[0], f"{CONTENT}/b"), dnslink={"site.example": f"/ipns/{KEYS[0].name}/d"}
    )
    path = parse_path(b"/ipns/site.example/e")
    assert isinstance(path, MutablePath)
    hops = (await world.names.resolve(path)).hops
    assert hops == (Hop("site.example", ("b", "d")), Hop(KEYS[0].name, ("b",)))


async def test_a_static_link_alone_has_no_ttl() -> None:
    world = World(dnslink={"site.example": CONTENT})
    assert await world.resolve("/ipns/site.example") == (CONTENT, None, False)


async def test_one_stale_hop_makes_all_stale() -> None:
    world = World(points(KEYS[0], CONTENT), dnslink={"site.example": f"/ipns/{KEYS[0].name}"})
    await world.resolve("/ipns/site.example")
    world.clock.advance(301)
    assert await world.resolve("/ipns/site.example") == (CONTENT, 0, True)


async def test_what_is_left_of_a_ttl_is_told() -> None:
    world = World(points(KEYS[0], CONTENT))
    await world.resolve(f"/ipns/{KEYS[0].name}")
    world.clock.advance(100)
    assert await world.resolve(f"/ipns/{KEYS[0].name}") == (CONTENT, 200, False)


def chain(hops: int) -> dict[str, str]:
    links = {f"h{number}.example": f"/ipns/h{number + 1}.example" for number in range(1, hops)}
    return {**links, f"h{hops}.example": CONTENT}


async def test_as_many_hops_as_allowed_are_followed() -> None:
    world = World(dnslink=chain(MAX_HOPS))
    assert (await world.resolve("/ipns/h1.example"))[0] == CONTENT


@pytest.mark.parametrize(
    ("dnslink", "hops"),
    [
        pytest.param(chain(MAX_HOPS + 1), MAX_HOPS, id="too-long"),
        pytest.param({"h1.example": "/ipns/h1.example/x"}, 1, id="itself"),
        pytest.param(
            {"h1.example": "/ipns/h2.example", "h2.example": "/ipns/h1.example"}, 2, id="two"
        ),
    ],
)
async def test_a_chain_without_end_is_an_error(dnslink: dict[str, str], hops: int) -> None:
    with pytest.raises(NameLoop, match=f"h1.example does not lead to content in {hops} hops"):
        await World(dnslink=dnslink).resolve("/ipns/h1.example")


async def test_keys_that_point_to_each_other_are_an_error() -> None:
    world = World(
        points(KEYS[0], f"/ipns/{KEYS[1].name}"), points(KEYS[1], f"/ipns/{KEYS[0].name}")
    )
    with pytest.raises(NameLoop, match="in 2 hops"):
        await world.resolve(f"/ipns/{KEYS[0].name}")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"", "does not start with a slash", id="empty"),
        pytest.param(b"/ipns/self", "invalid path", id="self"),
        pytest.param(b"bafkqaaa", "does not start with a slash", id="bare-cid"),
        pytest.param(bytes.fromhex("01551200"), "does not start with a slash", id="binary-cid"),
        pytest.param(b"/ipfs/\xff", "utf-8", id="not-utf-8"),
        pytest.param(b"/ipfs/bafkqaaa/../..", "above its root", id="above"),
        pytest.param(b"/ipfs/bafkqaaa/" + b"a" * 9000, "more than 8192", id="long"),
        pytest.param(b"https://example.com", "does not start with a slash", id="url"),
    ],
)
async def test_what_is_no_path_is_an_error(value: bytes, reason: str) -> None:
    world = World(KEYS[0].record(value))
    with pytest.raises(BadTarget, match=reason):
        await world.resolve(f"/ipns/{KEYS[0].name}")


async def test_paths_together_have_a_limit() -> None:
    world = World(points(KEYS[0], CONTENT + "/a" * 200))
    with pytest.raises(BadTarget, match="300 segments are more than 256"):
        await world.resolve(f"/ipns/{KEYS[0].name}" + "/b" * 100)


async def test_errors_of_a_hop_are_told() -> None:
    world = World(points(KEYS[0], f"/ipns/{KEYS[1].name}"))
    with pytest.raises(NotFound, match=str(KEYS[1].name)):
        await world.resolve(f"/ipns/{KEYS[0].name}")


async def test_all_hops_together_have_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.naming.resolver.RESOLVE_S", 0.05)
    world = World(points(KEYS[0], CONTENT))
    world.records.pause.clear()
    with pytest.raises(DeadlineExceeded, match=str(KEYS[0].name)):
        await world.resolve(f"/ipns/{KEYS[0].name}")
    await world.names.close()


@pytest.mark.parametrize(
    ("more", "max_age_s"),
    [
        pytest.param({"TTL": 30 * MINUTE_NS}, 1800, id="ttl"),
        pytest.param({"TTL": None}, 300, id="no-ttl"),
        pytest.param({"TTL": 0}, 0, id="zero"),
        pytest.param({"TTL": 2**63}, 3600, id="absurd"),
        pytest.param({"TTL": 1}, 0, id="over-at-once"),
        pytest.param({"Validity": b"2023-11-14T22:14:20.5Z"}, 60, id="end"),
        pytest.param({"Validity": b"2023-11-14T22:13:20.5Z"}, 0, id="last-second"),
    ],
)
async def test_a_record_is_given_as_it_was_signed(
    more: dict[str, Item | None], max_age_s: int
) -> None:
    record = KEYS[0].record(HELLO, 1, **more)
    found = await World(record).names.get_record(KEYS[0].name)
    assert (found.data, found.max_age_s) == (record.raw, max_age_s)


async def test_a_record_that_was_asked_for_before_keeps_its_ttl() -> None:
    world = World(points(KEYS[0], CONTENT))
    await world.names.get_record(KEYS[0].name)
    world.clock.advance(200)
    assert (await world.names.get_record(KEYS[0].name)).max_age_s == 300
    world.clock.advance(200)
    assert (await world.names.get_record(KEYS[0].name)).max_age_s == 0


async def test_a_record_that_nobody_has_is_not_found() -> None:
    with pytest.raises(NotFound, match=str(KEYS[0].name)):
        await World().names.get_record(KEYS[0].name)


async def test_a_host_with_a_dnslink_is_known() -> None:
    world = World(dnslink={"site.example": CONTENT})
    assert (await world.names.look_up_host("site.example")).is_website
    assert not (await world.names.look_up_host("other.example")).is_website


@pytest.mark.parametrize("text", ["12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"])
async def test_a_peer_id_is_its_key(text: str) -> None:
    world = World(points(KEYS[0], CONTENT))
    assert parse_key(text) == KEYS[0].name
    assert (await world.resolve(f"/ipns/{text}"))[0] == CONTENT


async def test_a_page_is_consistent_while_its_name_moves() -> None:
    world = World(points(KEYS[0], CONTENT))
    await world.resolve(f"/ipns/{KEYS[0].name}/index.html")
    world.records.records[KEYS[0].name] = KEYS[0].record(b"/ipfs/bafkqaaa", 2)
    world.clock.advance(299)
    assert (await world.resolve(f"/ipns/{KEYS[0].name}/style.css"))[0] == f"{CONTENT}/style.css"


@pytest.mark.parametrize("blocked", ["a.example", "b.example", "b.example/x*"])
async def test_each_name_on_the_way_may_be_blocked(tmp_path: Path, blocked: str) -> None:
    (tmp_path / "a.deny").write_text(f"/ipns/{blocked}")
    denylist = Denylist([str(tmp_path / "a.deny")], FakeClock())
    links = {"a.example": "/ipns/b.example/x", "b.example": CONTENT}
    world = World(dnslink=links, denials=denylist)
    with pytest.raises(Denied, match=f"/ipns/{blocked.partition('/')[0]}.* is blocked"):
        await world.resolve("/ipns/a.example")


@pytest.mark.parametrize("name", ["site.example", str(KEYS[0].name)])
async def test_only_what_is_known_of_a_name_is_told_when_nobody_may_be_asked(name: str) -> None:
    """Issue 12, 9: only-if-cached asks nobody."""
    world = World(points(KEYS[0], CONTENT))
    world.txts.texts = (f"dnslink={CONTENT}".encode(),)
    path = parse_path(f"/ipns/{name}".encode())
    assert isinstance(path, MutablePath)
    with pytest.raises(NotCached, match=name):
        await world.names.resolve(path, cached_only=True)
    assert world.txts.asked == []
    await world.names.resolve(path)
    found = await world.names.resolve(path, cached_only=True)
    assert (str(found.path), found.is_stale) == (CONTENT, False)
    world.clock.advance(301)
    assert (await world.names.resolve(path, cached_only=True)).is_stale


async def test_what_is_too_old_of_a_name_is_not_told() -> None:
    world = World()
    world.txts.texts = (f"dnslink={CONTENT}".encode(),)
    path = MutablePath("site.example")
    await world.names.resolve(path)
    world.clock.advance(60 + GRACE_S)
    with pytest.raises(NotCached, match=r"site\.example is not in the cache"):
        await world.names.resolve(path, cached_only=True)


async def test_a_record_that_is_known_is_told_when_nobody_may_be_asked() -> None:
    world = World(points(KEYS[0], CONTENT))
    with pytest.raises(NotCached, match=str(KEYS[0].name)):
        await world.names.get_record(KEYS[0].name, cached_only=True)
    record = await world.names.get_record(KEYS[0].name)
    assert await world.names.get_record(KEYS[0].name, cached_only=True) == record
