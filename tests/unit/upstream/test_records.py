"""IPNS records from upstreams that lie, lag, fail and say nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from gateway.content.ipns import IpnsRecord
from gateway.content.public_key import KeyType
from gateway.errors import DeadlineExceeded, NotFound, RetrievalError, Unavailable, Unverifiable
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.upstream.records import FANOUT, UpstreamRecords
from gateway.upstream.transport.client import TrustlessClient
from tests.fakes import record_upstream as acts
from tests.fakes.clock import FakeClock
from tests.fakes.ipns_forge import old_fields, owner
from tests.fakes.observer import RecordingObserver
from tests.fakes.record_upstream import Behaviour, RecordUpstream, says
from tests.fakes.upstream_kit import PATIENT

OWNER = owner()
KEY = OWNER.name
OLD, NEW = OWNER.raw(sequence=1), OWNER.raw(sequence=2)
FORGED = owner(number=1).raw(sequence=9)


class Kit:
    """A source of records with its upstreams."""

    def __init__(self, upstreams: list[RecordUpstream], patience: float, search_s: float) -> None:
        self.clock = FakeClock()
        self.observer = RecordingObserver()
        self.upstreams = {upstream.name: upstream for upstream in upstreams}
        settings = [upstream.settings for upstream in upstreams]
        self.pool = UpstreamPool(settings, self.clock, self.observer)
        self.client = TrustlessClient(replace(PATIENT, first_byte_timeout=patience), self.clock)
        self.source = UpstreamRecords(self.pool, self.client, search_s)

    async def fetch(self) -> IpnsRecord:
        return await self.source.fetch(KEY)

    async def fail(self) -> RetrievalError:
        with pytest.raises(RetrievalError, match=str(KEY)) as caught:
            await self.fetch()
        return caught.value

    def row(self, name: str) -> dict[str, object]:
        return next(row for row in self.pool.rows() if row["name"] == name)


@asynccontextmanager
async def kit(
    *behaviours: Behaviour, patience: float = 10.0, search_s: float = 15.0, cluster: int = 0
) -> AsyncIterator[Kit]:
    """Start an upstream for each behaviour, named `0`, `1` ...; the first `cluster` are ours."""
    async with AsyncExitStack() as stack:
        upstreams = [
            await stack.enter_async_context(
                RecordUpstream(act, name=str(n), tier="cluster" if n < cluster else "public")
            )
            for n, act in enumerate(behaviours)
        ]
        made = Kit(upstreams, patience, search_s)
        stack.push_async_callback(made.client.close)
        yield made


async def test_a_record_is_asked_for_by_name_and_type() -> None:
    async with kit(says(NEW)) as made:
        assert (await made.fetch()).sequence == 2
        upstream = made.upstreams["0"]
    assert upstream.targets == [f"/ipns/{KEY}?format=ipns-record"]
    assert upstream.headers[0]["accept"] == "application/vnd.ipfs.ipns-record"
    assert upstream.headers[0]["accept-encoding"] == "identity"


@pytest.mark.parametrize("kind", KeyType)
async def test_records_of_all_kinds_of_keys_are_fetched(kind: KeyType) -> None:
    signer = owner(kind)
    async with kit(says(signer.raw())) as made:
        assert (await made.source.fetch(signer.name)).name == signer.name


@pytest.mark.parametrize("order", [(OLD, NEW), (NEW, OLD)], ids=["old-first", "new-first"])
async def test_of_those_who_answer_the_newest_counts(order: tuple[bytes, bytes]) -> None:
    async with kit(*map(says, order)) as made:
        assert (await made.fetch()).raw == NEW


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(says(FORGED), id="forged"),
        pytest.param(says(OWNER.raw(Validity=b"2020-01-01T00:00:00Z")), id="over"),
        pytest.param(says(old_fields()), id="version-1-alone"),
        pytest.param(says(b"<html>"), id="garbage"),
        pytest.param(says(b""), id="empty"),
        pytest.param(says(b"x" * 10_241), id="large"),
        pytest.param(acts.endless, id="endless"),
        pytest.param(acts.absent, id="absent"),
        pytest.param(acts.hang_up, id="hang-up"),
        pytest.param(says(NEW, media_type="text/html"), id="html"),
        pytest.param(says(NEW, more={"content-encoding": "gzip"}), id="gzip"),
        pytest.param(says(b"", "302 Found", more={"location": "/x"}), id="redirect"),
        pytest.param(says(b"", "500 Internal Server Error"), id="500"),
        pytest.param(acts.silent, id="silent"),
        pytest.param(acts.drip, id="drip"),
    ],
)
async def test_one_that_is_of_no_use_hides_no_valid_record(lie: Behaviour) -> None:
    async with kit(lie, says(NEW)) as made:
        assert (await made.fetch()).raw == NEW


async def test_redirects_are_not_followed() -> None:
    async with kit(says(b"", "301 Moved", more={"location": "/elsewhere"})) as made:
        await made.fail()
        assert made.upstreams["0"].targets == [f"/ipns/{KEY}?format=ipns-record"]


async def test_what_all_sent_is_told_by_name() -> None:
    async with kit(says(FORGED), says(b"", "500 Oops")) as made:
        error = await made.fail()
    assert isinstance(error, Unverifiable)
    assert {(a.upstream, a.step, a.outcome) for a in error.attempts} == {
        (
            "0",
            "record",
            "sent what is not a valid IPNS record: the signature does not match its key",
        ),
        ("1", "record", "answered with status 500"),
    }


async def test_a_name_that_all_say_is_absent_is_not_found() -> None:
    async with kit(acts.absent, acts.absent) as made:
        assert isinstance(await made.fail(), NotFound)


async def test_nobody_to_ask_is_not_the_same_as_absent() -> None:
    async with kit() as made:
        assert isinstance(await made.fail(), Unavailable)


@pytest.mark.parametrize("act", [acts.silent, acts.drip], ids=["silent", "drip"])
async def test_silence_is_too_late(act: Behaviour) -> None:
    async with kit(act, patience=0.2, search_s=0.5) as made:
        assert isinstance(await made.fail(), DeadlineExceeded)


async def test_who_had_not_answered_is_told() -> None:
    async with kit(acts.silent, acts.absent, search_s=0.3) as made:
        error = await made.fail()
    assert ("0", "had not answered") in {(a.upstream, a.outcome) for a in error.attempts}


async def test_time_over_with_a_record_at_hand_is_no_failure() -> None:
    async with kit(says(NEW), acts.silent, search_s=0.2) as made:
        assert (await made.fetch()).raw == NEW


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(acts.absent, id="404"),
        pytest.param(says(b"", "400 Bad Request"), id="400"),
        pytest.param(says(b"", "406 Not Acceptable"), id="406"),
        pytest.param(says(b"", "415 Unsupported"), id="415"),
    ],
)
async def test_who_is_no_gateway_is_asked_as_a_router(first: Behaviour) -> None:
    async with kit(acts.by_path(ipns=first, routing=says(NEW))) as made:
        assert (await made.fetch()).raw == NEW
        assert made.upstreams["0"].targets[1:] == [f"/routing/v1/ipns/{KEY}"]


@pytest.mark.parametrize("status", ["429 Slow Down", "500 Oops", "503 Busy", "504 Late"])
async def test_who_is_a_gateway_in_trouble_is_not_asked_as_a_router(status: str) -> None:
    async with kit(says(b"", status)) as made:
        await made.fail()
        assert len(made.upstreams["0"].targets) == 1


@pytest.mark.parametrize(
    ("routing", "kind"),
    [
        pytest.param(acts.absent, NotFound, id="404"),
        pytest.param(says(b"not found", media_type="text/plain"), NotFound, id="ipip-513"),
        pytest.param(says(b"", "400 Bad Request"), Unavailable, id="400"),
        pytest.param(says(b"", "500 Oops"), Unavailable, id="500"),
        pytest.param(says(FORGED), Unverifiable, id="forged"),
    ],
)
async def test_a_router_says_what_the_gateway_did_not(
    routing: Behaviour, kind: type[RetrievalError]
) -> None:
    async with kit(acts.by_path(ipns=says(b"", "400 No"), routing=routing)) as made:
        assert type(await made.fail()) is kind


async def test_our_own_nodes_are_asked_first() -> None:
    async with kit(says(OLD), says(NEW), cluster=1) as made:
        assert (await made.fetch()).raw == OLD
        assert made.upstreams["1"].targets == []


async def test_public_ones_are_asked_when_our_own_fail() -> None:
    async with kit(acts.absent, says(NEW), cluster=1) as made:
        assert (await made.fetch()).raw == NEW


async def test_no_more_than_a_few_are_asked_at_once() -> None:
    release = asyncio.Event()
    async with kit(*[acts.after(release, acts.absent)] * (FANOUT + 1)) as made:
        fetching = asyncio.create_task(made.fail())
        for number in range(FANOUT):
            await made.upstreams[str(number)].asked.acquire()
        assert made.upstreams[str(FANOUT)].targets == []
        release.set()
        assert isinstance(await fetching, NotFound)
        assert made.upstreams[str(FANOUT)].targets != []


async def test_slow_nodes_of_our_own_have_a_head_start_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.upstream.records.HEAD_START_S", 0.05)
    async with kit(acts.silent, says(NEW), cluster=1) as made:
        assert (await made.fetch()).raw == NEW


async def test_absence_and_failed_searches_are_no_fault() -> None:
    for act in (acts.absent, says(b"", "500 Oops"), says(FORGED), says(b"", "504 Late")):
        async with kit(act) as made:
            for _ in range(6):
                await made.fail()
            assert made.row("0")["state"] == "healthy"
            assert made.row("0")["in_flight"] == 0


async def test_a_search_that_takes_too_long_is_no_fault() -> None:
    async with kit(acts.silent, patience=0.02) as made:
        for _ in range(6):
            await made.fail()
        assert made.row("0")["state"] == "healthy"


async def test_who_cannot_be_reached_is_ejected() -> None:
    async with kit(acts.hang_up) as made:
        for _ in range(5):
            await made.fail()
        assert made.row("0")["state"] == "ejected"


async def test_an_ejected_one_is_asked_when_nobody_else_is_left() -> None:
    async with kit(acts.hang_up, acts.absent) as made:
        for _ in range(5):
            await made.fail()
        assert made.row("0")["state"] == "ejected"
        made.upstreams["0"].behaviour = says(NEW)
        assert (await made.fetch()).raw == NEW


async def test_who_asks_for_a_pause_gets_it() -> None:
    busy = says(b"", "429 Slow Down", more={"retry-after": "60"})
    async with kit(busy) as made:
        await made.fail()
        error = await made.fail()
        assert len(made.upstreams["0"].targets) == 1
        assert [a.outcome for a in error.attempts] == ["asked to be left alone for 60 s"]
        made.clock.advance(61)
        made.upstreams["0"].behaviour = says(NEW)
        assert (await made.fetch()).raw == NEW


async def test_the_speed_of_searches_says_nothing_about_blocks() -> None:
    async with kit(says(NEW)) as made:
        await made.fetch()
        assert made.row("0")["ttfb_ms"] is None
        assert made.row("0")["requests"] == 1
        assert [event[0] for event in made.observer.upstream] == ["asked", "received"]


async def test_a_search_that_is_given_up_leaves_nothing_behind() -> None:
    async with kit(acts.silent, acts.silent) as made:
        fetching = asyncio.create_task(made.fetch())
        for upstream in made.upstreams.values():
            await upstream.asked.acquire()
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
        await asyncio.sleep(0)
        assert [row["in_flight"] for row in made.pool.rows()] == [0, 0]


async def test_an_answer_that_nobody_asked_for_is_no_answer() -> None:
    async def chatter(writer: asyncio.StreamWriter, target: str) -> None:
        await says(OLD)(writer, target)
        await says(owner(number=1).raw())(writer, target)

    async with kit(chatter) as made:
        for _ in range(3):
            assert (await made.fetch()).raw == OLD


async def test_a_record_counts_by_our_clock() -> None:
    async with kit(says(OWNER.raw(Validity=b"2023-11-14T22:13:21Z"))) as made:
        await made.fetch()
        made.clock.jump(5)
        assert isinstance(await made.fail(), Unavailable)
