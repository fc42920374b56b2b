"""CAR streams: order, early blocks, how far they read ahead and when they end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.content.build import (
    PROFILE_V1_2025,
    Build,
    Profile,
    build_directory,
    build_file,
    build_hamt,
    collect,
)
from gateway.content.car import NO_ROOT, car_header
from gateway.content.cid import Cid
from gateway.content.walk import Scope, Want
from gateway.errors import BadCar, ContentError, NoSuchLink, NotTraversable
from gateway.upstream.retrieval import car_fetch as carstream_module
from gateway.upstream.retrieval import fetch as fetch_module
from gateway.upstream.retrieval.car_fetch import (
    MAX_EARLY_BYTES,
    TURN_BYTES,
    TURN_OVERHEAD_BYTES,
    EarlyBlocks,
)
from tests.fakes import lies
from tests.fakes.blocks import numbered
from tests.fakes.dag_forge import Forge, Part
from tests.fakes.lying_upstream import Answer, Behaviour, LyingUpstream, honest
from tests.fakes.store import DictStore
from tests.fakes.upstream_kit import Kit, NoStore, Sample, pieces_of, read, sample

FILE = sample(100_000)
BIG = sample(12_000_000, Profile(chunk_bytes=65_536, max_links=174, raw_leaves=True, cid_version=1))
SPARSE = Sample(bytes(1024) * 40 + b"end")  # 40 times the same leaf


@pytest.fixture(name="upstream")
async def upstream_fixture() -> AsyncIterator[LyingUpstream]:
    async with LyingUpstream([*FILE.blocks, *BIG.blocks, *SPARSE.blocks]) as upstream:
        yield upstream


@pytest.fixture(name="kit")
async def kit_fixture(upstream: LyingUpstream) -> AsyncIterator[Kit]:
    async with Kit(upstream.settings) as kit:
        yield kit


@pytest.fixture(name="bare")
async def bare_fixture(upstream: LyingUpstream) -> AsyncIterator[Kit]:
    """A kit without a cache."""
    async with Kit(upstream.settings, store=NoStore()) as kit:
        yield kit


def test_early_blocks_are_given_when_due() -> None:
    early = EarlyBlocks()
    block = numbered(1, 100)
    early.add(block)
    assert early.take(block.cid.multihash) is block
    assert early.take(block.cid.multihash) is None


def test_early_blocks_have_a_limit_that_taking_frees() -> None:
    early = EarlyBlocks()
    big = numbered(1, 1024 * 1024)
    for _ in range(100):
        early.add(big)
        early.take(big.cid.multihash)
    for number in range(3):
        early.add(numbered(number, 1024 * 1024))
    with pytest.raises(BadCar, match="too many blocks in it are not due"):
        early.add(numbered(3, 1024 * 1024))


def test_early_blocks_count_what_each_costs() -> None:
    early = EarlyBlocks()
    tiny = numbered(1, 8)
    for _ in range(MAX_EARLY_BYTES // 264):
        early.add(tiny)
    with pytest.raises(BadCar, match="not due"):
        early.add(tiny)


@pytest.mark.parametrize(
    "behaviour",
    [lies.backwards, lies.with_extras, lies.without_duplicates],
    ids=["backwards", "extras", "no-duplicates"],
)
async def test_order_does_not_matter_as_long_as_it_fits(
    kit: Kit, upstream: LyingUpstream, behaviour: Behaviour
) -> None:
    upstream.behaviour = behaviour
    assert await kit.read(FILE.cid) == FILE.content
    assert await kit.read(SPARSE.cid) == SPARSE.content
    assert upstream.asked("car").count(FILE.cid) == 1


async def test_without_a_cache_one_reader_fetches_nothing_twice(
    bare: Kit, upstream: LyingUpstream
) -> None:
    assert await bare.read(FILE.cid) == FILE.content
    assert len(upstream.log) == 1


async def test_without_a_cache_the_same_leaf_many_times_is_one_request(
    bare: Kit, upstream: LyingUpstream
) -> None:
    assert await bare.read(SPARSE.cid) == SPARSE.content
    assert len(upstream.log) == 1


async def test_without_a_cache_duplicates_that_do_not_come_are_asked_for_again(
    bare: Kit, upstream: LyingUpstream
) -> None:
    upstream.behaviour = lies.without_duplicates
    assert await bare.read(SPARSE.cid) == SPARSE.content


async def test_the_same_leaf_many_times_is_kept_once(kit: Kit) -> None:
    await kit.read(SPARSE.cid)
    assert len(kit.blocks) == len({block.cid for block in SPARSE.blocks})


async def test_a_slow_reader_bounds_what_is_read_ahead(
    bare: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carstream_module, "AHEAD_BYTES", 1_000_000)
    session = bare.retrieval.open_session(None)
    pieces = pieces_of(session, BIG.cid)
    got = await anext(pieces)
    await settle(bare)
    assert bare.observer.verified_bytes < 1_000_000 + 3 * 512 * 1024
    rest = [piece async for piece in pieces]
    assert b"".join([got, *rest]) == BIG.content
    assert len(bare.observer.upstream) > 0
    await session.close()


async def settle(kit: Kit) -> None:
    """Wait until nothing more comes from upstream."""
    before = -1
    while before != kit.observer.verified_bytes:
        before = kit.observer.verified_bytes
        await asyncio.sleep(0.05)


async def test_a_fast_follower_is_not_held_back_by_a_slow_leader(
    kit: Kit, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carstream_module, "AHEAD_BYTES", 500_000)
    leader = kit.retrieval.open_session(None)
    pieces = pieces_of(leader, BIG.cid)
    await anext(pieces)
    assert await kit.read(BIG.cid) == BIG.content
    assert len(upstream.log) == 1
    rest = [piece async for piece in pieces]
    assert sum(len(piece) for piece in rest) == len(BIG.content) - 65_536
    assert len(upstream.log) == 1
    await leader.close()


async def test_a_follower_goes_on_when_the_leader_leaves(
    kit: Kit, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carstream_module, "AHEAD_BYTES", 500_000)
    leader = kit.retrieval.open_session(None)
    first = pieces_of(leader, BIG.cid)
    await anext(first)
    follower = kit.retrieval.open_session(None)
    second = pieces_of(follower, BIG.cid)
    got = [await anext(second) for _ in range(30)]
    await leader.close()
    got += [piece async for piece in second]
    assert b"".join(got) == BIG.content
    assert len(upstream.log) == 1
    await follower.close()


async def test_who_jumps_to_the_end_does_not_wait_for_the_middle(
    kit: Kit, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carstream_module, "AHEAD_BYTES", 500_000)
    leader = kit.retrieval.open_session(None)
    await anext(pieces_of(leader, BIG.cid))
    assert await kit.read(BIG.cid, start=11_900_000) == BIG.content[11_900_000:]
    assert len(upstream.log) == 2
    assert kit.observer.verified_bytes < 4_000_000
    await leader.close()


async def test_who_jumps_leaves_the_stream_behind(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "LINGER_S", 0.0)
    session = kit.retrieval.open_session(None)
    await anext(pieces_of(session, BIG.cid))
    assert await read(session, BIG.cid, start=11_900_000) == BIG.content[11_900_000:]
    await asyncio.gather(*kit.context.tasks, return_exceptions=True)
    assert kit.observer.verified_bytes < 7_000_000
    await session.close()


async def test_a_stream_that_nobody_reads_gives_its_connection_back(
    bare: Kit, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carstream_module, "AHEAD_BYTES", 500_000)
    monkeypatch.setattr(carstream_module, "MAX_PAUSE_S", 0.05)
    session = bare.retrieval.open_session(None)
    pieces = pieces_of(session, BIG.cid)
    got = [await anext(pieces)]
    await asyncio.gather(*bare.context.tasks)
    assert bare.pool.rows()[0]["in_flight"] == 0
    got += [piece async for piece in pieces]
    assert b"".join(got) == BIG.content
    assert len(upstream.log) > 1
    assert bare.failures("liar") == {}
    await session.close()


async def test_a_stream_ends_where_the_cache_begins(upstream: LyingUpstream) -> None:
    store = DictStore(BIG.blocks)
    del store.blocks[BIG.blocks[1].cid.multihash]
    async with Kit(upstream.settings, store=store) as kit:
        assert await kit.read(BIG.cid) == BIG.content
        received = kit.pool.rows()[0]["bytes"]
    assert received < 2_000_000
    assert len(upstream.log) == 1


async def test_a_stream_reads_on_for_who_comes_back_soon(
    kit: Kit, upstream: LyingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "LINGER_S", 5.0)
    monkeypatch.setattr(carstream_module, "AHEAD_BYTES", 500_000)
    session = kit.retrieval.open_session(None)
    await anext(pieces_of(session, BIG.cid))
    await session.close()
    assert await kit.read(BIG.cid) == BIG.content
    assert len(upstream.log) == 1


async def test_a_name_that_does_not_exist_ends_the_stream_without_blame() -> None:
    forge = Forge()
    top = forge.directory(("a", forge.raw(b"a")))
    async with LyingUpstream(forge.blocks.values()) as upstream, Kit(upstream.settings) as kit:
        with pytest.raises(NoSuchLink, match='no link named "b"'):
            await kit.read(top, ("b",))
        await asyncio.gather(*kit.context.tasks)
        await asyncio.sleep(0)
        assert kit.failures("liar") == {}


def proof(root: Cid | None) -> Behaviour:
    """Prove an absence with a CAR that names no root, or the one that is asked for."""

    async def behave(answer: Answer) -> None:
        await answer.head()
        await answer.chunk(car_header([root or answer.request.cid]))
        await answer.send_blocks(answer.blocks())
        await answer.end()

    return behave


@pytest.mark.parametrize("root", [pytest.param(NO_ROOT, id="no-root"), pytest.param(None, id="it")])
@pytest.mark.parametrize("has_root", [False, True])
@pytest.mark.parametrize(
    ("path", "error"),
    [("nope", NoSuchLink), ("shards/nope", NoSuchLink), ("shards/n7/nope", NotTraversable)],
)
async def test_a_proof_of_absence_is_believed_block_by_block(
    path: str, error: type[ContentError], root: Cid | None, *, has_root: bool
) -> None:
    """Issue 12, 18: also when some of it is in the cache; one request, and nobody is blamed."""

    def build() -> Build:
        leaf = yield from build_file(b"x", PROFILE_V1_2025)
        shards = yield from build_hamt([(f"n{i}", leaf) for i in range(999)], fanout=8)
        return (yield from build_directory([("shards", shards)]))

    built, blocks = collect(build())
    async with LyingUpstream(blocks) as upstream, Kit(upstream.settings) as kit:
        upstream.behaviour = proof(root)
        if has_root:
            await kit.context.store.keep(blocks[-1])
        with pytest.raises(error):
            await kit.read(built.cid, tuple(path.split("/")))
        await asyncio.gather(*kit.context.tasks)
        await asyncio.sleep(0)
        assert kit.failures("liar") == {}
        assert len(upstream.log) == (0 if has_root and path == "nope" else 1)


async def test_a_car_without_the_blocks_proves_no_absence() -> None:
    """Issue 12, 18: Kubo sends the root's block alone with 200 when it lacks the next one."""
    forge = Forge()
    inner = forge.directory(("a", forge.raw(b"a")))
    top = forge.directory(("dir", inner))

    async def root_only(answer: Answer) -> None:
        if not answer.is_car:
            await honest(answer)
            return
        await answer.head()
        await answer.chunk(car_header([NO_ROOT]))
        await answer.send_blocks([forge.blocks[top.multihash]])
        await answer.end()

    async with LyingUpstream(forge.blocks.values()) as upstream, Kit(upstream.settings) as kit:
        upstream.behaviour = root_only
        assert await kit.read(top, ("dir", "a")) == b"a"


async def test_a_malformed_file_ends_the_stream_without_blame() -> None:
    forge = Forge()
    leaf = forge.raw(b"leaf")
    wrong = forge.file(Part(leaf, 7), Part(leaf, 4))
    async with LyingUpstream(forge.blocks.values()) as upstream, Kit(upstream.settings) as kit:
        with pytest.raises(ContentError, match="has 4 bytes, its parent says 7"):
            await kit.read(wrong)
        assert "mismatch" not in kit.failures("liar")


async def test_a_complete_car_without_the_block_is_no_reason_to_ask_for_ever(
    kit: Kit, upstream: LyingUpstream
) -> None:
    """The plan names one file, the want a block that is not in it."""
    stray = numbered(1, 100)
    upstream.blocks[stray.cid.multihash] = stray
    session = kit.retrieval.open_session(None)
    want = Want(stray.cid, (), Scope.ENTITY, root=FILE.cid)
    assert (await session.get(want)).data == stray.data
    assert [logged.step for logged in upstream.log] == ["car", "raw"]


async def test_the_end_of_a_stream_frees_the_connection_for_the_next(
    kit: Kit, upstream: LyingUpstream
) -> None:
    await kit.read(FILE.cid)
    await asyncio.gather(*kit.context.tasks)
    await kit.read(BIG.cid, stop=1000)
    assert upstream.connections == 1


async def test_many_tiny_blocks_let_others_have_a_turn(kit: Kit, upstream: LyingUpstream) -> None:
    tiny = sample(10_000, Profile(chunk_bytes=8, max_links=100, raw_leaves=True, cid_version=1))
    upstream.blocks |= {block.cid.multihash: block for block in tiny.blocks}

    async def all_at_once(answer: Answer) -> None:
        answer.held = bytearray()
        await answer.begin()
        await answer.send_blocks(answer.blocks())
        await answer.end()
        await answer.flush()

    upstream.behaviour = all_at_once
    seen: set[int] = set()

    async def look() -> None:
        while True:
            seen.add(len(kit.blocks))
            await asyncio.sleep(0)

    looker = asyncio.create_task(look())
    session = kit.retrieval.open_session(None)
    await session.get(Want(tiny.cid, (), Scope.ENTITY))
    await asyncio.gather(*kit.context.tasks)
    looker.cancel()
    assert len(seen) >= len(tiny.blocks) * TURN_OVERHEAD_BYTES // TURN_BYTES
    await session.close()


async def test_what_is_asked_for_is_what_is_missing(kit: Kit, upstream: LyingUpstream) -> None:
    asked: list[Cid] = []
    await read(kit.retrieval.open_session(None), FILE.cid, stop=2048)
    asked += upstream.asked("car")
    assert asked == [FILE.cid]
    assert "entity-bytes=0:2047" in upstream.log[0].target


async def test_a_car_that_is_cut_in_a_section_is_incomplete(
    kit: Kit, upstream: LyingUpstream
) -> None:
    async def cut(answer: Answer) -> None:
        await answer.begin()
        await answer.chunk(b"\x30")
        await answer.end()

    upstream.behaviour = lies.once(cut)
    assert await kit.read(FILE.cid) == FILE.content
    assert kit.failures("liar") == {"bad-car": 1}
