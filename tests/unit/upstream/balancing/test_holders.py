"""Who holds a block, and what follows from it."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from functools import partial

import pytest

from gateway.content.cid import Cid
from gateway.errors import NotFound, Unavailable
from gateway.ports import Place
from gateway.settings import UpstreamSettings
from gateway.upstream.balancing import holders as module
from gateway.upstream.balancing import selection
from gateway.upstream.balancing.holders import NOT_ASKED, Holders, Holding
from tests.fakes import lies
from tests.fakes.lying_upstream import Answer, LyingUpstream, honest
from tests.fakes.upstream_kit import Kit, read, sample

FILE = sample(60_000)
NAMES = ("one", "two", "three")


class Fleet:
    """Three cluster nodes and a public gateway."""

    def __init__(self, nodes: list[LyingUpstream], public: LyingUpstream, kit: Kit) -> None:
        self.one, self.two, self.three = self.nodes = nodes
        self.public = public
        self.kit = kit
        self.holders = kit.context.holders

    def give(self, *nodes: LyingUpstream) -> None:
        for node in nodes:
            node.blocks = {block.cid.multihash: block for block in FILE.blocks}

    def fetched(self) -> list[str]:
        """Return who was asked for blocks."""
        return [u.name for u in (*self.nodes, self.public) if u.asked("car") or u.asked("raw")]


@pytest.fixture(name="is_final")
def is_final_fixture() -> bool:
    """Whether nodes shall not search."""
    return False


@pytest.fixture(name="fleet")
async def fleet_fixture(*, is_final: bool) -> AsyncIterator[Fleet]:
    async with (
        LyingUpstream(name="one", tier="cluster") as one,
        LyingUpstream(name="two", tier="cluster") as two,
        LyingUpstream(name="three", tier="cluster") as three,
        LyingUpstream(name="public") as public,
        Kit(
            *[upstream.settings for upstream in (one, two, three, public)],
            holders=partial(Holders, is_final=is_final),
        ) as kit,
    ):
        yield Fleet([one, two, three], public, kit)


async def test_who_holds_it_is_asked_and_nobody_else(fleet: Fleet) -> None:
    fleet.give(fleet.three, fleet.public)
    session = fleet.kit.retrieval.open_session(None)
    assert await read(session, FILE.cid) == FILE.content
    await session.close()
    assert [(c.upstream, c.reason) for c in session.trace.choices] == [("three", "holder")]
    assert fleet.fetched() == ["three"]
    assert [len(node.asked("head")) for node in fleet.nodes] == [1, 1, 1]
    assert fleet.public.log == []


async def test_all_who_hold_it_and_all_who_do_not_are_known(fleet: Fleet) -> None:
    fleet.give(fleet.one, fleet.two)
    found = await fleet.holders.find(FILE.cid)
    assert found == Holding(frozenset({"one", "two"}), frozenset({"three"}))


async def test_all_are_asked_at_once(fleet: Fleet) -> None:
    barrier = asyncio.Barrier(3)

    async def meet(answer: Answer) -> None:
        await barrier.wait()
        await honest(answer)

    for node in fleet.nodes:
        node.behaviour = meet
    found = await fleet.holders.find(FILE.cid)
    assert found == Holding(lacking=frozenset(NAMES), is_nowhere=True)


async def test_who_is_silent_is_not_waited_for_when_another_has_it(fleet: Fleet) -> None:
    fleet.give(fleet.two)
    fleet.one.behaviour = lies.silent
    found = await fleet.holders.find(FILE.cid)
    assert found.holders == {"two"}


async def test_who_is_silent_is_waited_for_only_a_moment(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.05)
    fleet.one.behaviour = lies.silent
    found = await fleet.holders.find(FILE.cid)
    assert found == Holding(lacking=frozenset({"two", "three"}))


async def test_who_is_to_hold_it_is_believed_when_nobody_does(fleet: Fleet) -> None:
    async def allocated(_cid: Cid) -> Collection[str]:
        return {"two"}

    holders = Holders(fleet.kit.pool, fleet.kit.client, allocated=allocated)
    assert await holders.find(FILE.cid) == Holding(frozenset({"two"}))


async def test_a_cluster_that_does_not_say_is_not_waited_for(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_cid: Cid) -> Collection[str]:
        return await asyncio.Future()

    monkeypatch.setattr(module, "TIMEOUT_S", 0.05)
    holders = Holders(fleet.kit.pool, fleet.kit.client, allocated=never)
    assert (await holders.find(FILE.cid)).is_nowhere


async def test_one_node_alone_is_not_asked() -> None:
    async with (
        LyingUpstream(name="one", tier="cluster") as one,
        LyingUpstream(name="public") as public,
        Kit(one.settings, public.settings) as kit,
    ):
        assert await kit.context.holders.find(FILE.cid) is NOT_ASKED
    assert one.log == []


async def test_what_no_node_holds_is_looked_for_by_all_at_once(fleet: Fleet) -> None:
    fleet.give(fleet.public)
    assert await fleet.kit.read(FILE.cid) == FILE.content
    assert fleet.fetched() == [*NAMES, "public"]


@pytest.mark.parametrize("is_final", [True])
async def test_nodes_that_shall_not_search_are_not_asked(fleet: Fleet) -> None:
    fleet.give(fleet.public)
    assert await fleet.kit.read(FILE.cid) == FILE.content
    assert fleet.fetched() == ["public"]


@pytest.mark.parametrize("is_final", [True])
async def test_what_nobody_has_is_404_at_once_when_nodes_shall_not_search(fleet: Fleet) -> None:
    with pytest.raises(NotFound, match=r"one \(head\): does not hold .*public \(raw\): "):
        await fleet.kit.read(FILE.cid)
    assert fleet.fetched() == ["public"]


@pytest.mark.parametrize("is_final", [True])
async def test_a_part_may_be_where_the_whole_is_not(fleet: Fleet) -> None:
    """issue 12, 17: nodes that shall not search were passed over for want of the root."""
    leaf = FILE.blocks[0]
    for block in FILE.blocks[1:]:
        await fleet.kit.store.keep(block)
    fleet.two.blocks = {leaf.cid.multihash: leaf}
    assert await fleet.kit.read(FILE.cid) == FILE.content
    assert fleet.two.asked("raw") == [leaf.cid]


@pytest.mark.parametrize("is_final", [True])
async def test_what_no_node_holds_of_a_file_is_named(fleet: Fleet) -> None:
    """issue 12, 17."""
    leaf = FILE.blocks[0]
    for block in FILE.blocks[1:]:
        await fleet.kit.store.keep(block)
    with pytest.raises(NotFound, match=rf"one \(head\): does not hold {leaf.cid}"):
        await fleet.kit.read(FILE.cid)


async def test_holders_that_fail_are_followed_by_the_others(fleet: Fleet) -> None:
    fleet.give(fleet.three, fleet.public)
    fleet.three.behaviour = lies.once(honest, lies.status("500 Oh"))
    assert await fleet.kit.read(FILE.cid) == FILE.content
    assert "public" in fleet.fetched()


async def test_a_request_asks_who_has_it_once(fleet: Fleet) -> None:
    fleet.give(fleet.one, fleet.two)
    fleet.one.behaviour = lies.once(honest, lies.reset(20))
    assert await fleet.kit.read(FILE.cid) == FILE.content
    assert [len(node.asked("head")) for node in fleet.nodes] == [1, 1, 1]


async def test_nodes_with_addresses_that_are_none_fail_alone() -> None:
    """issue 12, 12: every cold request of everybody was an error of ours."""
    bad = [
        UpstreamSettings(name=f"bad{number}", url=url, tier="cluster")
        for number, url in enumerate(("http://a..b:80", "http://kubo:1:1", "http://[nonsense]"))
    ]
    async with (
        LyingUpstream(FILE.blocks, name="good", tier="cluster") as good,
        Kit(*bad, good.settings) as kit,
    ):
        assert await kit.read(FILE.cid) == FILE.content
        good.blocks.clear()
        kit.blocks.clear()
        with pytest.raises(Unavailable, match=r"bad0 .*bad1 .*bad2 "):
            await kit.read(FILE.cid)


SWEDEN = Place("SE", "EU", 59.0, 18.0)
AMERICA = Place("US", "NA", 47.0, -122.0)


@pytest.fixture(name="continents")
async def continents_fixture(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    """Two nodes that hold it, in Stockholm and in Seattle; the clock of the test is patient."""
    monkeypatch.setattr(module, "MAX_GRACE_S", 5.0)
    monkeypatch.setattr(module, "GRACE_S", 0.0)
    monkeypatch.setattr(selection, "ROUND_TRIP_S_PER_KM", 1.0)
    async with (
        LyingUpstream(FILE.blocks, name="stockholm", tier="cluster") as stockholm,
        LyingUpstream(FILE.blocks, name="seattle", tier="cluster") as seattle,
        LyingUpstream(name="lacks", tier="cluster") as lacks,
        Kit(
            replace(stockholm.settings, country="SE", latitude=59.33, longitude=18.07),
            replace(seattle.settings, country="US", latitude=47.61, longitude=-122.33),
            lacks.settings,
        ) as kit,
    ):
        yield Fleet([stockholm, seattle, lacks], lacks, kit)


@pytest.mark.parametrize(
    ("place", "near"), [(SWEDEN, "stockholm"), (AMERICA, "seattle")], ids=["sweden", "america"]
)
async def test_a_nearer_one_that_answers_a_little_later_is_waited_for(
    continents: Fleet, place: Place, near: str
) -> None:
    """issue 12, 38: a busy moment of 3 ms made a client of Seattle one of Stockholm."""
    others_have_said = asyncio.Event()

    async def first(answer: Answer) -> None:
        await honest(answer)
        others_have_said.set()

    async def later(answer: Answer) -> None:
        await others_have_said.wait()
        await asyncio.sleep(0.02)
        await honest(answer)

    for node in continents.nodes:
        node.behaviour = later if node.name == near else first
    session = continents.kit.retrieval.open_session(place)
    assert await read(session, FILE.cid) == FILE.content
    await session.close()
    assert {choice.upstream for choice in session.trace.choices} == {near}


async def test_a_farther_one_is_not_waited_for(continents: Fleet) -> None:
    continents.one.behaviour = lies.silent
    async with asyncio.timeout(2):
        found = await continents.holders.find(FILE.cid, AMERICA)
    assert found.holders == {"seattle"}
