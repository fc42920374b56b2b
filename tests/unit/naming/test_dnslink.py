"""What domains point to: the static map, the DNS, and neither."""

import asyncio

import pytest

from gateway.content.path import AnyPath, parse_target
from gateway.errors import (
    BadSetting,
    BadTarget,
    DeadlineExceeded,
    GatewayError,
    HostUnknown,
    NotFound,
    Unavailable,
)
from gateway.naming.dnslink import (
    GRACE_S,
    MAX_TTL_S,
    MIN_TTL_S,
    POLICY,
    Dnslinks,
    choose_target,
)
from gateway.settings import NamesSettings
from tests.fakes.clock import FakeClock
from tests.fakes.txts import FakeTxts
from tests.refusal import check_refused

SITE = "site.example"
A = "/ipfs/bafkqaaa"
B = "/ipfs/bafkqabtimvwgy3yk/docs"
TTL_S = 60


class World:
    """DNSLinks with a DNS."""

    def __init__(self, *texts: str, **settings: object) -> None:
        self.clock = FakeClock()
        self.txts = FakeTxts(*texts)
        self.links = Dnslinks(NamesSettings(**settings), self.txts, self.clock)  # type: ignore[arg-type]  # a test's

    async def get(self, domain: str = SITE) -> tuple[str, float | None, bool]:
        link = await self.links.get(domain)
        return str(link.target), link.ttl_s, link.is_stale


@pytest.fixture(name="world")
def world_fixture() -> World:
    return World(f"dnslink={A}")


async def test_a_domain_points_to_what_its_txt_record_says(world: World) -> None:
    assert await world.get() == (A, TTL_S, False)
    assert world.txts.asked == ["_dnslink.site.example"]


async def test_the_dns_is_asked_once_in_a_ttl(world: World) -> None:
    await world.get()
    world.clock.advance(TTL_S - 1)
    assert await world.get() == (A, 1, False)
    assert len(world.txts.asked) == 1
    world.txts.texts = (f"dnslink={B}".encode(),)
    world.clock.advance(1)
    assert await world.get() == (B, TTL_S, False)


@pytest.mark.parametrize(
    ("ttl_s", "seconds"),
    [
        pytest.param(0, MIN_TTL_S, id="zero"),
        pytest.param(2**31 - 1, MAX_TTL_S, id="longest"),
        pytest.param(77, 77, id="between"),
    ],
)
async def test_ttls_are_clamped(world: World, ttl_s: float, seconds: float) -> None:
    world.txts.ttl_s = ttl_s
    assert await world.get() == (A, seconds, False)


@pytest.mark.parametrize("error", [Unavailable(SITE, []), DeadlineExceeded(SITE, [])], ids=str)
async def test_the_last_answer_counts_while_the_dns_fails(
    world: World, error: GatewayError
) -> None:
    await world.get()
    world.txts.error = error
    world.clock.advance(TTL_S + 1)
    assert [await world.get() for _ in range(3)] == [(A, 0, True)] * 3
    assert len(world.txts.asked) == 2
    world.clock.advance(GRACE_S)
    with pytest.raises(type(error), match=SITE):
        await world.get()


async def test_a_dnslink_that_is_gone_is_gone(world: World) -> None:
    await world.get()
    world.txts.texts = ()
    world.clock.advance(TTL_S + 1)
    with pytest.raises(NotFound, match=r"site\.example .*has no DNSLink"):
        await world.get()


async def test_absence_is_remembered_for_a_while() -> None:
    world = World()
    for _ in range(5):
        assert not (await world.links.look_up(SITE)).is_website
    assert len(world.txts.asked) == 1
    world.txts.texts = (f"dnslink={A}".encode(),)
    world.clock.advance(POLICY.absent_s)
    assert (await world.links.look_up(SITE)).is_website


async def test_the_static_map_wins_and_has_no_ttl() -> None:
    world = World(f"dnslink={A}", dnslink={"Site.Example": B, "a.test": "/ipns/other.example/x"})
    assert await world.get() == (B, None, False)
    assert await world.get("a.test") == ("/ipns/other.example/x", None, False)
    assert (await world.links.look_up("a.test")).is_website
    assert world.txts.asked == []


@pytest.mark.parametrize(
    ("table", "key"),
    [
        pytest.param({"a.b": "/ipfs/nothing"}, 'names.dnslink."a.b"', id="no-cid"),
        pytest.param({"a.b": "/ipns/localhost"}, 'names.dnslink."a.b"', id="no-name"),
        pytest.param({"1.2.3.4": A}, 'names.dnslink."1.2.3.4"', id="address"),
    ],
)
def test_a_bad_static_map_is_refused(table: dict[str, str], key: str) -> None:
    check_refused(BadSetting, key, World, dnslink=table)


@pytest.mark.parametrize(
    ("domain", "reason"),
    [
        pytest.param("other.example", "names.allowed does not list it", id="not-allowed"),
        pytest.param("printer.local", "for private networks", id="special"),
        pytest.param("host.internal", "for private networks", id="internal"),
    ],
)
async def test_what_may_not_be_asked_for_is_not(domain: str, reason: str) -> None:
    world = World(f"dnslink={A}", allowed=("*.site.example", "printer.local"))
    assert not (await world.links.look_up(domain)).is_website
    with pytest.raises(NotFound, match=reason):
        await world.get(domain)
    assert world.txts.asked == []
    assert (await world.links.look_up("www.site.example")).is_website


async def test_many_hosts_at_once_cost_one_question(world: World) -> None:
    found = await asyncio.gather(*[world.links.look_up(SITE) for _ in range(50)])
    assert [answer.is_website for answer in found] == [True] * 50
    assert len(world.txts.asked) == 1


async def test_a_dns_that_does_not_answer_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.naming.dnslink.HOST_PATIENCE_S", 0.05)
    world.txts.pause.clear()
    with pytest.raises(HostUnknown, match=r"did not answer within 0\.05 s"):
        await world.links.look_up(SITE)
    world.txts.pause.set()
    assert (await world.links.look_up(SITE)).is_website
    assert len(world.txts.asked) == 1


async def test_a_host_that_had_a_dnslink_has_it_while_the_dns_is_silent(world: World) -> None:
    await world.get()
    world.clock.advance(TTL_S + 1)
    world.txts.pause.clear()
    assert (await world.links.look_up(SITE)).is_website
    await world.links.close()


@pytest.mark.parametrize(
    "error",
    [Unavailable(SITE, []), DeadlineExceeded(SITE, [])],
    ids=lambda error: type(error).__name__,
)
async def test_a_failure_of_the_dns_is_no_answer_about_a_host(
    world: World, error: GatewayError
) -> None:
    """Issue 12, 6: read as a no, it gave all content the origin of the website."""
    world.txts.error = error
    for _ in range(2):
        with pytest.raises(HostUnknown, match="may be a website"):
            await world.links.look_up(SITE)
    assert len(world.txts.asked) == 1
    world.txts.error = None
    world.clock.advance(POLICY.failed_s)
    assert (await world.links.look_up(SITE)).is_website


async def test_a_host_whose_dnslink_cannot_be_followed_is_a_website(world: World) -> None:
    """Issue 12, 6: its owner wrote a DNSLink; a path gateway there would be somebody else's."""
    world.txts.error = BadTarget(SITE, "x")
    assert (await world.links.look_up(SITE)).is_website


@pytest.mark.parametrize(
    ("texts", "ttl_s", "valid_s"),
    [
        pytest.param([f"dnslink={A}"], 60, 60, id="as-long-as-the-record"),
        pytest.param([f"dnslink={A}"], 0, 5, id="a-little-at-least"),
        pytest.param([f"dnslink={A}"], 10**6, 3600, id="an-hour-at-most"),
        pytest.param([], 60, 30, id="none"),
    ],
)
async def test_what_a_host_is_counts_as_long_as_the_answer(
    texts: list[str], ttl_s: int, valid_s: int
) -> None:
    world = World(*texts)
    world.txts.ttl_s = ttl_s
    found = await world.links.look_up(SITE)
    assert found == (bool(texts), world.clock.monotonic() + valid_s)


async def test_what_the_configuration_says_of_a_host_counts_for_ever() -> None:
    world = World(dnslink={SITE: A}, allowed=("none.example",))
    assert await world.links.look_up(SITE) == (True, None)
    assert await world.links.look_up("other.example") == (False, None)


async def test_closing_ends_questions(world: World) -> None:
    world.txts.pause.clear()
    asking = asyncio.create_task(world.get())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await world.links.close()
    await asyncio.wait([asking])
    assert asking.cancelled()


@pytest.mark.parametrize(
    ("texts", "target"),
    [
        pytest.param([f"dnslink={A}"], A, id="ipfs"),
        pytest.param(["dnslink=/ipns/other.example/a/"], "/ipns/other.example/a/", id="ipns"),
        pytest.param(["v=spf1 -all", f"dnslink={A}"], A, id="beside-others"),
        pytest.param([f"dnslink={A}", f"dnslink={A}"], A, id="twice-the-same"),
        pytest.param(["dnslink=/swarm/abc", f"dnslink={A}"], A, id="beside-another-network"),
        pytest.param(["dnslink=/ipfs/nothing", f"dnslink={A}"], A, id="beside-a-broken-one"),
        pytest.param([f"dnslink={A}/x/../y%2e"], f"{A}/y%2e", id="cleaned-not-unescaped"),
        pytest.param([], None, id="none"),
        pytest.param(["v=spf1 -all"], None, id="others-alone"),
        pytest.param([A], None, id="without-prefix"),
        pytest.param([f"DNSLINK={A}"], None, id="upper-case"),
        pytest.param([f" dnslink={A}"], None, id="space"),
        pytest.param(["dnslink=ipfs://bafkqaaa"], None, id="uri"),
        pytest.param(["dnslink=bafkqaaa"], None, id="bare-cid"),
        pytest.param(["dnslink=/http://example.com"], None, id="http"),
    ],
)
def test_the_dnslink_among_texts(texts: list[str], target: str | None) -> None:
    chosen: AnyPath | None = choose_target(SITE, tuple(text.encode() for text in texts))
    assert chosen == (None if target is None else parse_target(target))


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        pytest.param(
            [f"dnslink={A}".encode(), f"dnslink={B}".encode()], "has 2 DNSLinks", id="two"
        ),
        pytest.param([b"dnslink=/ipfs/nothing"], "invalid path", id="no-cid"),
        pytest.param([b"dnslink=/ipfs/../ipns/a.b"], "above its root", id="above"),
        pytest.param([b"dnslink=/ipfs/bafkqaaa/\xff"], "utf-8", id="not-utf-8"),
        pytest.param([b"dnslink=/ipns/localhost"], "invalid path", id="no-name"),
    ],
)
def test_a_dnslink_that_cannot_be_followed_is_an_error(texts: list[bytes], reason: str) -> None:
    check_refused(BadTarget, reason, choose_target, SITE, tuple(texts))
