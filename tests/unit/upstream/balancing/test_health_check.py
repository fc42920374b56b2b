"""Probes: who is there, who is gone, who is back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.background import Background
from gateway.errors import BlockMismatch, Unavailable, UpstreamUnreachable
from gateway.ports import Choice
from gateway.upstream.balancing import health_check as module
from gateway.upstream.balancing.health_check import EVERY_S, UNHEARD_S, HealthCheck
from gateway.upstream.retrieval.fetch import RawFetch
from gateway.upstream.retrieval.in_flight import Gone
from gateway.upstream.retrieval.reader_buffer import ReaderBuffer
from gateway.upstream.transport.client import PROBE
from tests.fakes import lies
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock
from tests.fakes.lying_upstream import Answer, Behaviour, LyingUpstream, honest
from tests.fakes.upstream_kit import Kit, sample

BLOCK = numbered(1, 1000)


async def well(answer: Answer) -> None:
    """Answer a probe."""
    assert answer.request.cid == PROBE
    await answer.head(body=0)


class Ward:
    """One upstream under watch."""

    def __init__(self, upstream: LyingUpstream, kit: Kit, health_check: HealthCheck) -> None:
        self.upstream = upstream
        self.kit = kit
        self.health_check = health_check

    def fail(self, error: type[UpstreamUnreachable] | type[BlockMismatch], times: int) -> None:
        for _ in range(times):
            exchange = self.kit.pool.ask(Choice("node", "only"), "raw")
            exchange.failed(error("node", "node"))
            exchange.close()

    async def probe(self) -> str:
        await self.health_check.check("node")
        return self.kit.state("node")


@pytest.fixture(name="ward")
async def ward_fixture(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ward]:
    monkeypatch.setattr(module, "MAX_TIMEOUT_S", 0.1)
    async with (
        LyingUpstream(behaviour=well, name="node", tier="cluster") as upstream,
        Kit(upstream.settings) as kit,
    ):
        upstream.answers_probes = False
        health_check = HealthCheck(kit.pool, kit.client, kit.clock)
        yield Ward(upstream, kit, health_check)
        await health_check.close()


async def test_one_answer_says_that_it_is_there(ward: Ward) -> None:
    assert await ward.probe() == "healthy"
    assert len(ward.upstream.log) == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(lies.silent, id="silent"),
        pytest.param(lies.hang_up, id="hangs-up"),
        pytest.param(lies.status("503 Service Unavailable"), id="503"),
        pytest.param(lies.html, id="html"),
    ],
)
async def test_two_probes_that_fail_eject(ward: Ward, behaviour: Behaviour) -> None:
    ward.upstream.behaviour = behaviour
    assert await ward.probe() == "ejected"
    assert len(ward.upstream.log) >= 2  # aiohttp tries again once where the connection broke


async def test_one_probe_that_fails_says_nothing(ward: Ward) -> None:
    ward.upstream.behaviour = lies.once(lies.status("503 Busy"), well)
    assert await ward.probe() == "healthy"


async def test_a_late_answer_counts_while_the_second_probe_runs(ward: Ward) -> None:
    second = asyncio.Event()

    async def late(answer: Answer) -> None:
        await second.wait()
        await well(answer)

    async def silent_after_it(answer: Answer) -> None:
        second.set()
        await lies.silent(answer)

    ward.upstream.behaviour = lies.once(late, silent_after_it)
    assert await ward.probe() == "healthy"
    assert len(ward.upstream.log) == 2


def serve(ward: Ward) -> None:
    """Take note that it has served a block, and let it answer as a gateway does."""
    ward.upstream.blocks = {BLOCK.cid.multihash: BLOCK}
    ward.upstream.answers_probes = True
    ward.upstream.behaviour = honest
    exchange = ward.kit.pool.ask(Choice("node", "only"), "raw")
    exchange.delivered(BLOCK)
    exchange.close()


BODILESS = [
    pytest.param(lies.head_only, "silent", id="head-only"),
    pytest.param(lies.half_body, "unreachable", id="half-body"),
    pytest.param(lies.flip(), "mismatch", id="another-body"),
    pytest.param(lies.endless, "mismatch", id="endless"),
]


@pytest.mark.parametrize(("behaviour", "reason"), BODILESS)
async def test_who_is_suspected_and_sends_no_bodies_is_ejected(
    ward: Ward, behaviour: Behaviour, reason: str
) -> None:
    """issue 12, 33."""
    serve(ward)
    assert await ward.probe() == "healthy"
    ward.upstream.behaviour = behaviour
    assert await ward.probe() == "ejected"
    row = ward.kit.pool.rows()[0]
    assert row["reason"] == reason
    assert row["problem"]


@pytest.mark.parametrize(("behaviour", "reason"), BODILESS)
async def test_who_sends_no_bodies_is_not_brought_back(
    ward: Ward, behaviour: Behaviour, reason: str
) -> None:
    """issue 12, 33: probes with the empty block brought it back again and again."""
    assert reason
    serve(ward)
    ward.upstream.behaviour = behaviour
    ward.fail(UpstreamUnreachable, 5)
    assert await ward.probe() == "ejected"
    ward.upstream.behaviour = honest
    assert await ward.probe() == "healthy"


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(honest, id="gone"),
        pytest.param(lies.silent, id="searched-for"),
        pytest.param(lies.status("429 Too Many Requests"), id="refused"),
    ],
)
async def test_what_it_has_served_it_need_not_have_for_ever(
    ward: Ward, behaviour: Behaviour
) -> None:
    serve(ward)
    ward.upstream.blocks.clear()
    ward.upstream.behaviour = behaviour
    assert await ward.probe() == "healthy"


async def test_who_is_not_suspected_is_asked_for_no_body(ward: Ward) -> None:
    serve(ward)
    ward.health_check.tick()
    await asyncio.gather(*ward.health_check._checks.values())
    assert ward.upstream.log == []


async def test_who_cuts_every_body_is_asked_by_few(ward: Ward) -> None:
    """issue 12, 33: 16-26 % of all requests went on to such an upstream."""
    files = [sample(8_000 + 8 * number) for number in range(40)]
    blocks = {block.cid.multihash: block for file in files for block in file.blocks}
    async with LyingUpstream(name="honest", tier="cluster") as other:
        ward.kit.pool.set_discovered([other.settings])
        ward.upstream.answers_probes = True
        ward.upstream.blocks = other.blocks = blocks
        ward.upstream.behaviour = lies.half_body
        for file in files:
            assert await ward.kit.read(file.cid) == file.content
            ward.kit.clock.advance(EVERY_S)
            ward.health_check.tick()
            await asyncio.gather(*ward.health_check._checks.values())
    rows = {row["name"]: row["requests"] for row in ward.kit.pool.rows()}
    assert rows["honest"] >= 40
    assert rows["node"] <= 5


async def test_a_redirect_is_told_with_what_to_write_instead(ward: Ward) -> None:
    """issue 12, 32: Kubo as http://localhost:PORT was "silent"."""
    location = f"http://{PROBE}.ipfs.localhost:8080/"
    ward.upstream.behaviour = lies.status("301 Moved Permanently", {"location": location})
    assert await ward.probe() == "ejected"
    row = ward.kit.pool.rows()[0]
    assert row["reason"] == "redirected"
    assert row["problem"].endswith("write http://127.0.0.1:8080 as its url")
    assert ward.kit.observer.problems == [row["problem"]]
    with pytest.raises(Unavailable, match=r"write http://127\.0\.0\.1:8080 as its url"):
        await ward.kit.read(BLOCK.cid)


async def test_404_to_a_probe_is_an_answer(ward: Ward) -> None:
    ward.upstream.behaviour = lies.status("404 Not Found")
    assert await ward.probe() == "healthy"


async def test_two_answers_bring_an_upstream_back_that_was_gone(ward: Ward) -> None:
    ward.fail(UpstreamUnreachable, 5)
    assert ward.kit.state("node") == "ejected"
    await asyncio.gather(*ward.health_check._checks.values())
    assert ward.kit.state("node") == "healthy"
    assert len(ward.upstream.log) == 2


async def test_who_came_back_is_tried_by_one_request_alone(ward: Ward) -> None:
    ward.fail(UpstreamUnreachable, 5)
    await ward.probe()
    ward.fail(UpstreamUnreachable, 1)
    assert ward.kit.state("node") == "ejected"


async def test_an_answer_does_not_excuse_a_lie(ward: Ward) -> None:
    ward.fail(BlockMismatch, 1)
    assert await ward.probe() == "ejected"


async def test_a_probe_is_no_request_and_tells_the_speed_only_at_first(ward: Ward) -> None:
    await ward.probe()
    row = ward.kit.pool.rows()[0]
    assert (row["requests"], row["ttfb_ms"]) == (0, 0.0)
    ward.kit.clock.advance(1)
    ward.fail(UpstreamUnreachable, 1)
    await ward.probe()
    assert ward.kit.pool.rows()[0]["ttfb_ms"] == 0.0


@pytest.mark.parametrize(
    ("max_per_s", "every_s"),
    [pytest.param(20.0, EVERY_S, id="few"), pytest.param(0.2, 5.0, id="too-many-for-that")],
)
async def test_cluster_nodes_are_probed_again_and_again(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, max_per_s: float, every_s: float
) -> None:
    monkeypatch.setattr(module, "MAX_PROBES_PER_S", max_per_s)
    for passed_s in (0, every_s / 4, every_s * 3 / 4, 0, every_s):
        ward.kit.clock.advance(passed_s)
        ward.health_check.tick()
        await asyncio.gather(*ward.health_check._checks.values())
    assert len(ward.upstream.log) == 3


async def test_who_cannot_be_reached_is_probed_at_once(ward: Ward) -> None:
    ward.fail(UpstreamUnreachable, 1)
    await asyncio.gather(*ward.health_check._checks.values())
    assert len(ward.upstream.log) == 1
    assert ward.kit.state("node") == "healthy"


async def test_probes_do_not_bring_back_who_was_ejected_while_they_ran(ward: Ward) -> None:
    async def fail_more(answer: Answer) -> None:
        ward.fail(UpstreamUnreachable, 4)
        await lies.hang_up(answer)

    ward.upstream.behaviour = lies.once(fail_more, lies.hang_up)
    ward.fail(UpstreamUnreachable, 1)
    await asyncio.gather(*ward.health_check._checks.values())
    assert ward.kit.state("node") == "ejected"


async def test_a_lie_is_no_reason_to_probe(ward: Ward) -> None:
    ward.fail(BlockMismatch, 1)
    assert ward.health_check._checks == {}


async def test_public_gateways_are_probed_only_while_they_are_ejected() -> None:
    async with (
        LyingUpstream(behaviour=well, name="node") as upstream,
        Kit(upstream.settings) as kit,
    ):
        upstream.answers_probes = False
        ward = Ward(upstream, kit, HealthCheck(kit.pool, kit.client, kit.clock))
        ward.health_check.tick()
        assert ward.health_check._checks == {}
        ward.fail(UpstreamUnreachable, 5)
        ward.health_check.tick()
        await asyncio.gather(*ward.health_check._checks.values())
        assert kit.state("node") == "healthy"
        await ward.health_check.close()


class PublicWard(Ward):
    """A public gateway under watch, which has answered requests before."""

    def deliver(self, times: int) -> None:
        for _ in range(times):
            exchange = self.kit.pool.ask(Choice("node", "only"), "raw")
            exchange.received(1)
            exchange.close()

    async def tick(self, passed_s: float) -> int:
        """Return how many probes there were until some time from now."""
        self.kit.clock.advance(passed_s)
        self.health_check.tick()
        await asyncio.gather(*self.health_check._checks.values())
        return len(self.upstream.log)


@pytest.fixture(name="public")
async def public_fixture() -> AsyncIterator[PublicWard]:
    async with (
        LyingUpstream(behaviour=well, name="node") as upstream,
        Kit(upstream.settings) as kit,
    ):
        upstream.answers_probes = False
        health_check = HealthCheck(kit.pool, kit.client, kit.clock)
        yield PublicWard(upstream, kit, health_check)
        await health_check.close()


async def test_a_public_gateway_in_use_is_probed_when_nothing_comes(public: PublicWard) -> None:
    public.deliver(100)
    probes = [await public.tick(passed_s) for passed_s in (0, UNHEARD_S, 0, UNHEARD_S, 60)]
    assert probes == [0, 1, 1, 2, 2]  # 100 requests are worth two


async def test_a_public_gateway_that_is_heard_is_not_probed(public: PublicWard) -> None:
    for _ in range(20):
        public.deliver(100)
        assert await public.tick(UNHEARD_S / 2) == 0


async def test_a_public_gateway_that_was_never_asked_is_not_probed(public: PublicWard) -> None:
    assert await public.tick(60) == 0


async def test_who_is_suspected_is_probed_once_at_a_time(ward: Ward) -> None:
    ward.kit.pool.suspect("node")
    ward.kit.pool.suspect("node")
    await asyncio.gather(*ward.health_check._checks.values())
    assert len(ward.upstream.log) == 1


async def test_silent_requests_end_when_their_upstream_is_ejected(ward: Ward) -> None:
    context = ward.kit.context
    ward.upstream.behaviour = lies.silent
    reader_buffer = ReaderBuffer()
    entry = context.in_flight.announce(BLOCK.cid.multihash)
    exchange = context.pool.ask(Choice("node", "only"), "raw")
    RawFetch(context, exchange, reader_buffer, BLOCK.cid).start(BLOCK.cid.multihash, entry)
    waiting = asyncio.create_task(entry.wait(reader_buffer))
    await asyncio.sleep(0)
    ward.kit.clock.advance(1)
    await ward.probe()
    outcome = await waiting
    assert isinstance(outcome, Gone)
    assert outcome.failures[0].reason == "sent nothing and was ejected"


async def test_who_is_slow_by_nature_has_more_time(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TIMEOUT_S", 3.0)
    for _ in range(20):
        exchange = ward.kit.pool.ask(Choice("node", "only"), "raw")
        ward.kit.clock.advance(0.3)
        exchange.delivered()
        exchange.close()
    assert ward.health_check._timeout_s("node") == pytest.approx(1.2)


async def test_it_probes_from_the_start_on(ward: Ward) -> None:
    probed = asyncio.Event()

    async def tell(answer: Answer) -> None:
        probed.set()
        await well(answer)

    ward.upstream.behaviour = tell
    ward.health_check.start(Background(FakeClock()))
    async with asyncio.timeout(5):
        await probed.wait()


async def test_nothing_is_kept_of_nodes_that_have_left(ward: Ward) -> None:
    """issue 12, 14: nodes of a cluster come and go, with new names."""
    for number in range(5):
        node = replace(ward.upstream.settings, name=f"node-{number}")
        ward.kit.pool.set_discovered([node])
        ward.kit.clock.advance(EVERY_S)
        ward.health_check.tick()
        await asyncio.gather(*ward.health_check._checks.values())
    assert ward.health_check._next_at.keys() == {"node", "node-4"}
