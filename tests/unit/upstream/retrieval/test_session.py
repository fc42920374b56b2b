"""What a request gets from its session, and what that costs upstream."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.content.block import Block
from gateway.content.build import build_directory, collect
from gateway.content.cid import DAG_PB, Cid, parse_cid
from gateway.content.walk import Scope, Want
from gateway.errors import DeadlineExceeded, NotFound, Unavailable
from gateway.ports import Place, Tier
from gateway.settings import RetrievalSettings, SelectionSettings, UpstreamSettings
from gateway.upstream.retrieval import fetch as fetch_module
from gateway.upstream.retrieval import session as retrieve_module
from gateway.upstream.retrieval.recent_failures import REST_S
from tests.fakes import lies
from tests.fakes.blocks import alias, numbered
from tests.fakes.lying_upstream import Answer, LyingUpstream, honest
from tests.fakes.store import DictStore
from tests.fakes.upstream_kit import Kit, NoStore, pieces_of, read, sample

FILE = sample(60_000)
ROOT = Want(FILE.cid, (), Scope.ENTITY)
ABSENT = parse_cid("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")
HELLO = parse_cid("bafkqablimvwgy3y")  # identity: the bytes are in the CID


@pytest.fixture(name="upstream")
async def upstream_fixture() -> AsyncIterator[LyingUpstream]:
    async with LyingUpstream(FILE.blocks) as upstream:
        yield upstream


@pytest.fixture(name="kit")
async def kit_fixture(upstream: LyingUpstream) -> AsyncIterator[Kit]:
    async with Kit(upstream.settings) as kit:
        yield kit


async def test_a_cold_file_is_one_request(kit: Kit, upstream: LyingUpstream) -> None:
    session = kit.retrieval.open_session(None)
    assert await read(session, FILE.cid) == FILE.content
    assert upstream.asked("car") == [FILE.cid]
    assert session.trace.fetched == len(FILE.blocks)
    assert session.trace.found == {}
    assert [(c.upstream, c.reason) for c in session.trace.choices] == [("liar", "only")]


async def test_a_warm_file_is_none(kit: Kit, upstream: LyingUpstream) -> None:
    await kit.read(FILE.cid)
    session = kit.retrieval.open_session(None)
    assert await read(session, FILE.cid) == FILE.content
    assert len(upstream.log) == 1
    assert session.trace.found == {Tier.MEMORY: len(FILE.blocks)}
    assert session.trace.fetched == 0


async def test_blocks_on_the_disk_are_found(upstream: LyingUpstream) -> None:
    async with Kit(upstream.settings, store=DictStore(FILE.blocks, is_near=False)) as kit:
        session = kit.retrieval.open_session(None)
        assert await read(session, FILE.cid) == FILE.content
        await session.close()
    assert session.trace.found == {Tier.DISK: len(FILE.blocks)}
    assert upstream.log == []


async def test_identity_cids_are_opened_and_never_asked_for(
    kit: Kit, upstream: LyingUpstream
) -> None:
    session = kit.retrieval.open_session(None)
    assert (await session.get(Want(HELLO))).data == b"hello"
    assert upstream.log == []
    assert session.trace.fetched == 0


async def test_peek_never_waits(kit: Kit) -> None:
    session = kit.retrieval.open_session(None)
    assert session.peek(FILE.cid) is None
    await session.get(ROOT)
    assert session.peek(FILE.cid) is not None


async def test_a_block_comes_under_the_cid_it_was_asked_by(kit: Kit) -> None:
    leaf = FILE.blocks[0].cid
    await kit.read(FILE.cid)
    session = kit.retrieval.open_session(None)
    other = alias(leaf, DAG_PB)
    block = session.peek(other)
    assert block is not None
    assert block.cid == other
    assert (await session.get(Want(other))).cid == other


async def test_a_range_fetches_no_more_than_it_needs(kit: Kit, upstream: LyingUpstream) -> None:
    assert await kit.read(FILE.cid, start=50_000, stop=52_000) == FILE.content[50_000:52_000]
    assert "entity-bytes=50000:51999" in upstream.log[0].target
    assert upstream.sent_bytes < 10_000


async def test_a_path_is_one_request() -> None:
    top, blocks = collect(build_directory([("a b", FILE.built)]))
    async with (
        LyingUpstream([*blocks, *FILE.blocks]) as upstream,
        Kit(upstream.settings) as kit,
    ):
        assert await kit.read(top.cid, ("a b",)) == FILE.content
    assert [logged.segments for logged in upstream.log] == [("a b",)]


async def test_only_what_is_missing_is_asked_for(upstream: LyingUpstream) -> None:
    store = DictStore()
    async with Kit(upstream.settings, store=store) as kit:
        await kit.read(FILE.cid, stop=40_000)
        first = upstream.sent_bytes
        await kit.read(FILE.cid)
    assert "entity-bytes=40960:" in upstream.log[1].target
    assert upstream.sent_bytes - first < 30_000


async def test_a_hole_in_the_cache_costs_no_more_than_itself(upstream: LyingUpstream) -> None:
    store = DictStore(FILE.blocks)
    leaves = [block.cid.multihash for block in FILE.blocks if len(block.data) == 1024]
    del store.blocks[leaves[3]]
    async with Kit(upstream.settings, store=store) as kit:
        assert await kit.read(FILE.cid) == FILE.content
        received = kit.pool.rows()[0]["bytes"]
    assert len(upstream.log) == 1
    assert received <= len(
        FILE.content
    )  # loopback sends it all at once; the rest is not waited for
    assert kit.context.tasks == set()


async def test_cached_only_asks_nobody(kit: Kit, upstream: LyingUpstream) -> None:
    session = kit.retrieval.open_session(None, cached_only=True)
    with pytest.raises(NotFound, match=f"{FILE.cid} was not found on any upstream$"):
        await session.get(ROOT)
    assert upstream.log == []


async def test_cached_only_finds_what_is_kept(upstream: LyingUpstream) -> None:
    async with Kit(upstream.settings, store=DictStore(FILE.blocks, is_near=False)) as kit:
        session = kit.retrieval.open_session(None, cached_only=True)
        assert await read(session, FILE.cid) == FILE.content
    assert session.trace.found == {Tier.DISK: len(FILE.blocks)}


async def test_what_nobody_has_is_not_found(kit: Kit) -> None:
    with pytest.raises(NotFound, match=r"liar .raw.: does not have"):
        await kit.read(ABSENT)


async def test_a_missing_part_of_something_that_exists_is_a_404(
    kit: Kit, upstream: LyingUpstream
) -> None:
    """issue 12, 17: what is true of a root is true of a leaf."""
    leaf = FILE.blocks[0].cid
    del upstream.blocks[leaf.multihash]
    with pytest.raises(NotFound, match=f"^{leaf} .*liar .car.: .*liar .raw.: does not have"):
        await kit.read(FILE.cid)
    assert kit.state("liar") == "healthy"


async def test_a_request_has_one_deadline_for_everything(upstream: LyingUpstream) -> None:
    upstream.behaviour = lies.silent
    settings = RetrievalSettings(first_byte_timeout=5, idle_timeout=5, total_timeout=0.1)
    async with Kit(upstream.settings, settings=settings) as kit:
        with pytest.raises(DeadlineExceeded, match="was not delivered in time"):
            await kit.read(FILE.cid)


async def test_an_upstream_that_asks_for_peace_gets_it(upstream: LyingUpstream) -> None:
    upstream.behaviour = lies.once(lies.status("429 Slow Down", {"retry-after": "60"}))
    async with Kit(upstream.settings) as kit:
        with pytest.raises(Unavailable, match="status 429"):
            await kit.read(FILE.cid)
        kit.clock.advance(REST_S)
        with pytest.raises(Unavailable, match=r"liar .none.: asked to be left alone for 57 s"):
            await kit.read(FILE.cid)
        assert len(upstream.log) == 1
        kit.clock.advance(57)
        assert await kit.read(FILE.cid) == FILE.content


async def test_the_nearest_upstream_is_asked_then_the_next() -> None:
    def placed(upstream: LyingUpstream, latitude: float, longitude: float) -> UpstreamSettings:
        url = upstream.settings.url
        return UpstreamSettings(name=upstream.name, url=url, latitude=latitude, longitude=longitude)

    async with (
        LyingUpstream(FILE.blocks, name="tokyo") as tokyo,
        LyingUpstream(FILE.blocks, name="stockholm") as stockholm,
        Kit(placed(tokyo, 35.7, 139.7), placed(stockholm, 59.3, 18.1)) as kit,
    ):
        sweden = Place("SE", "EU", 62.0, 15.0)
        await kit.read(FILE.cid, stop=1000, place=sweden)
        assert (len(tokyo.log), len(stockholm.log)) == (0, 1)
        await stockholm.stop()
        session = kit.retrieval.open_session(sweden)
        assert await read(session, FILE.cid) == FILE.content
    assert [(c.upstream, c.reason) for c in session.trace.choices] == [
        ("stockholm", "nearest"),
        ("tokyo", "next-after-failure"),
    ]


async def test_many_readers_of_a_cold_file_cost_one_fetch(
    kit: Kit, upstream: LyingUpstream
) -> None:
    got = await asyncio.gather(*[kit.read(FILE.cid) for _ in range(200)])
    assert set(got) == {FILE.content}
    assert len(upstream.log) == 1
    assert kit.observer.verified_bytes == sum(len(block.data) for block in FILE.blocks)


async def test_many_readers_of_a_file_on_the_disk_cost_one_lookup_each_block(
    upstream: LyingUpstream,
) -> None:
    class Counting(DictStore):
        lookups = 0

        async def find(self, cid: object, *, is_scan: bool = False) -> tuple[Block, Tier] | None:
            self.lookups += 1
            await asyncio.sleep(0)
            return await super().find(cid)  # type: ignore[arg-type]  # a Cid, as the port says

    store = Counting(FILE.blocks, is_near=False)
    async with Kit(upstream.settings, store=store) as kit:
        got = await asyncio.gather(*[kit.read(FILE.cid, stop=10_000) for _ in range(50)])
    assert set(got) == {FILE.content[:10_000]}
    assert store.lookups < 3 * len(FILE.blocks)


async def test_many_readers_of_what_nobody_has_ask_once(kit: Kit, upstream: LyingUpstream) -> None:
    got = await asyncio.gather(*[kit.read(ABSENT) for _ in range(200)], return_exceptions=True)
    assert {type(error) for error in got} == {NotFound}
    assert len(upstream.log) == 1
    assert len(kit.context.in_flight) == 0


async def test_many_readers_survive_a_break_with_one_more_request(
    kit: Kit, upstream: LyingUpstream
) -> None:
    upstream.behaviour = lies.once(lies.reset(40))
    got = await asyncio.gather(*[kit.read(FILE.cid) for _ in range(100)])
    assert set(got) == {FILE.content}
    assert [logged.step for logged in upstream.log] == ["car", "raw", "car"]
    assert upstream.sent_bytes < 1.3 * len(FILE.content)


class Gate:
    """Holds an upstream back before one block."""

    def __init__(self, upstream: LyingUpstream, block: Block) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self._block = block
        upstream.before_block = self._hold

    async def _hold(self, block: Block) -> None:
        if block is self._block:
            self.reached.set()
            await self.open.wait()


async def test_the_first_reader_may_leave(kit: Kit, upstream: LyingUpstream) -> None:
    gate = Gate(upstream, FILE.blocks[20])
    leader = asyncio.create_task(kit.read(FILE.cid))
    await gate.reached.wait()
    followers = [asyncio.create_task(kit.read(FILE.cid)) for _ in range(10)]
    await asyncio.sleep(0)
    leader.cancel()
    gate.open.set()
    assert set(await asyncio.gather(*followers)) == {FILE.content}
    assert len(upstream.log) == 1


async def test_when_the_last_reader_leaves_the_fetch_ends(
    kit: Kit, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "LINGER_S", 0.02)
    gate = Gate(upstream, FILE.blocks[20])
    readers = [asyncio.create_task(kit.read(FILE.cid)) for _ in range(10)]
    await gate.reached.wait()
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    await asyncio.gather(*kit.context.tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert (len(kit.context.in_flight), kit.context.tasks) == (0, set())
    assert kit.pool.rows()[0]["in_flight"] == 0
    assert kit.failures("liar") == {}


async def test_readers_that_leave_leave_nothing_behind(
    kit: Kit, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "LINGER_S", 0.0)
    before = len(asyncio.all_tasks())
    for number in range(20):
        session = kit.retrieval.open_session(None)
        pieces = pieces_of(session, FILE.cid)
        await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]  # an async generator
        await session.close()
        kit.blocks.clear()
        assert len(kit.context.tasks) <= 1, number
    await asyncio.gather(*kit.context.tasks, return_exceptions=True)
    await upstream.stop()
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) <= before
    assert len(kit.context.in_flight) == 0


async def test_a_broken_stream_goes_on_elsewhere_with_what_is_missing() -> None:
    async with (
        LyingUpstream(FILE.blocks, lies.reset(60), name="breaks") as breaks,
        LyingUpstream(FILE.blocks, name="other") as other,
        Kit(breaks.settings, other.settings) as kit,
    ):
        assert await kit.read(FILE.cid) == FILE.content
    assert "entity-bytes=4" in other.log[0].target
    assert breaks.sent_bytes + other.sent_bytes < 1.2 * len(FILE.content)


async def test_an_upstream_stopped_in_the_middle_is_not_noticed() -> None:
    async with (
        LyingUpstream(FILE.blocks, name="dies") as dies,
        LyingUpstream(FILE.blocks, name="lives") as lives,
        Kit(dies.settings, lives.settings, store=NoStore()) as kit,
    ):

        async def die(block: Block) -> None:
            if block is FILE.blocks[50]:
                raise ConnectionResetError

        dies.before_block = die
        assert await kit.read(FILE.cid) == FILE.content
    assert (len(dies.log), len(lives.log)) == (1, 1)


async def test_closing_twice_is_no_error(kit: Kit) -> None:
    session = kit.retrieval.open_session(None)
    await session.get(ROOT)
    await session.close()
    await session.close()


class ScanStore(DictStore):
    """Remembers how much was read and kept in passing."""

    def __init__(self) -> None:
        super().__init__(is_near=False)
        self.kept_close = 0
        self.found_close = 0

    async def find(self, cid: Cid, *, is_scan: bool = False) -> tuple[Block, Tier] | None:
        found = await super().find(cid)
        self.found_close += not is_scan and found is not None
        return found

    async def keep(self, block: Block, *, is_scan: bool = False) -> None:
        await super().keep(block)
        self.kept_close += not is_scan


@pytest.mark.parametrize("is_scan", [False, True], ids=["file", "scan"])
async def test_only_the_beginning_of_a_scan_comes_into_memory(
    upstream: LyingUpstream,
    monkeypatch: pytest.MonkeyPatch,
    is_scan: bool,  # noqa: FBT001 (a table)
) -> None:
    monkeypatch.setattr(retrieve_module, "SCAN_BYTES", 4096)
    store = ScanStore()
    async with Kit(upstream.settings, store=store) as kit:
        for _ in range(2):  # from upstream, then from the disk
            session = kit.retrieval.open_session(None, is_scan=is_scan)
            assert await read(session, FILE.cid) == FILE.content
            await session.close()
    everything = len(store.blocks)
    assert (store.kept_close < everything / 2) == is_scan
    assert (store.found_close < everything / 2) == is_scan


class Trio:
    """Three upstreams that lack everything."""

    def __init__(self, upstreams: list[LyingUpstream], kit: Kit) -> None:
        self.upstreams = upstreams
        self.kit = kit

    def asked(self) -> int:
        return sum(len(upstream.log) for upstream in self.upstreams)


@pytest.fixture(name="trio")
async def trio_fixture() -> AsyncIterator[Trio]:
    async with (
        LyingUpstream(name="one") as one,
        LyingUpstream(name="two") as two,
        LyingUpstream(name="three") as three,
        Kit(one.settings, two.settings, three.settings) as kit,
    ):
        yield Trio([one, two, three], kit)


async def test_when_one_lacks_it_all_others_are_asked_at_once(trio: Trio) -> None:
    barrier = asyncio.Barrier(3)

    async def meet(answer: Answer) -> None:
        if not answer.is_car:
            await barrier.wait()  # nobody answers before all were asked
        await honest(answer)

    for upstream in trio.upstreams:
        upstream.behaviour = meet
    with pytest.raises(NotFound, match="not found on any upstream") as caught:
        await trio.kit.read(FILE.cid)
    assert caught.value.attempts[0].step == "car"
    assert {a.upstream for a in caught.value.attempts} == {"one", "two", "three"}
    assert trio.asked() == 4


async def test_what_nobody_has_is_asked_for_once_in_a_while(trio: Trio) -> None:
    for _ in range(3):
        with pytest.raises(NotFound, match="three"):
            await trio.kit.read(FILE.cid)
    assert trio.asked() == 4
    trio.kit.clock.advance(3)
    with pytest.raises(NotFound, match="three"):
        await trio.kit.read(FILE.cid)
    assert trio.asked() == 8


async def test_what_appears_is_served_soon(trio: Trio) -> None:
    with pytest.raises(NotFound, match="two"):
        await trio.kit.read(FILE.cid)
    trio.upstreams[1].blocks = {block.cid.multihash: block for block in FILE.blocks}
    trio.kit.clock.advance(3)
    assert await trio.kit.read(FILE.cid) == FILE.content


async def test_what_came_into_the_cache_is_served_at_once(trio: Trio) -> None:
    with pytest.raises(NotFound, match="two"):
        await trio.kit.read(FILE.cid)
    for block in FILE.blocks:
        await trio.kit.store.keep(block)
    assert await trio.kit.read(FILE.cid) == FILE.content


async def test_what_pinned_clients_do_not_get_is_not_remembered(upstream: LyingUpstream) -> None:
    policy = SelectionSettings(pins=("continent:EU",))
    async with LyingUpstream(name="europe") as lacks:
        europe = replace(lacks.settings, continent="EU")
        async with Kit(upstream.settings, europe, policy=policy) as kit:
            with pytest.raises(NotFound, match="europe"):
                await kit.read(FILE.cid, place=Place("SE", "EU"))
            assert await kit.read(FILE.cid) == FILE.content


async def test_retries_end_when_everybody_fails() -> None:
    async with (
        LyingUpstream(behaviour=lies.status("500 Oh"), name="one") as one,
        LyingUpstream(behaviour=lies.status("500 Oh"), name="two") as two,
        Kit(one.settings, two.settings) as kit,
    ):
        absent = [numbered(number, 100).cid for number in range(100)]
        for cid in absent:
            with pytest.raises(Unavailable, match="500"):
                await kit.read(cid)
        assert len(one.log) + len(two.log) <= 1.2 * len(absent) + 3


async def test_one_dead_upstream_is_never_noticed_whatever_the_budget() -> None:
    files = [sample(8 * (10 + number)) for number in range(50)]
    async with (
        LyingUpstream(behaviour=lies.status("500 Oh"), name="dead") as dead,
        LyingUpstream([block for file in files for block in file.blocks], name="well") as well,
        Kit(dead.settings, well.settings) as kit,
    ):
        got = await asyncio.gather(*[kit.read(file.cid) for file in files])
    assert got == [file.content for file in files]
