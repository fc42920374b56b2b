"""Connections of the pool whose peer has vanished."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.content.cid import parse_cid
from gateway.errors import UpstreamSilent, UpstreamUnreachable
from gateway.net import resend as module
from gateway.net.connector import open_session
from gateway.net.resend import Again
from gateway.settings import RetrievalSettings
from gateway.upstream.transport.api import ApiClient
from gateway.upstream.transport.client import TrustlessClient
from tests.fakes import lies
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock
from tests.fakes.lying_upstream import Answer, Behaviour, LyingUpstream, honest
from tests.fakes.upstream_kit import Kit, sample

BLOCK = numbered(1, 1000)
FILE = sample(20_000)
SOON = RetrievalSettings(first_byte_timeout=10, idle_timeout=10, total_timeout=15)


@pytest.fixture(name="client")
async def client_fixture(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TrustlessClient]:
    monkeypatch.setattr(module, "AFTER_S", 0.05)
    client = TrustlessClient(SOON, FakeClock())
    yield client
    await client.close()


async def raw(client: TrustlessClient, upstream: LyingUpstream) -> bytes:
    return await client.fetch_raw(upstream.settings, BLOCK.cid, lambda _size: None)


async def open_connections(client: TrustlessClient, upstream: LyingUpstream, count: int) -> None:
    """Leave so many connections in the pool."""
    barrier = asyncio.Barrier(count)

    async def together(answer: Answer) -> None:
        await barrier.wait()
        await honest(answer)

    before, upstream.behaviour = upstream.behaviour, together
    await asyncio.gather(*[raw(client, upstream) for _ in range(count)])
    upstream.behaviour = before


async def test_a_request_on_a_dead_connection_is_made_again_on_a_new_one(
    client: TrustlessClient,
) -> None:
    """issue 12, 34: it was a 504 after `first_byte_timeout`."""
    async with LyingUpstream([BLOCK], lies.vanish()) as upstream:
        for _ in range(3):
            assert await raw(client, upstream) == BLOCK.data
        assert await client.has(upstream.settings, BLOCK.cid, 5)
    assert upstream.connections == 4


async def test_many_requests_on_dead_connections_are_all_made_again(
    client: TrustlessClient,
) -> None:
    """issue 12, 34: more than the budget, as soon as one of them is known to be lost."""
    async with LyingUpstream([BLOCK]) as upstream:
        await open_connections(client, upstream, 20)
        upstream.behaviour = lies.vanish(after=0)
        alive = lies.vanish(after=100)
        asked = 0

        async def behave(answer: Answer) -> None:
            nonlocal asked
            asked += 1
            await (lies.silent if asked <= 20 else alive)(answer)

        upstream.behaviour = behave
        got = await asyncio.gather(*[raw(client, upstream) for _ in range(20)])
    assert got == [BLOCK.data] * 20
    assert asked == 40


async def test_the_only_upstream_has_not_failed_when_a_connection_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """issue 12, 34."""
    monkeypatch.setattr(module, "AFTER_S", 0.05)
    async with (
        LyingUpstream(FILE.blocks, lies.vanish(), name="only") as upstream,
        Kit(upstream.settings) as kit,
    ):
        for _ in range(2):
            kit.blocks.clear()
            assert await kit.read(FILE.cid) == FILE.content
        assert kit.failures("only") == {}
    assert upstream.connections == 2


async def test_who_is_slow_is_asked_twice_by_few(client: TrustlessClient) -> None:
    """A node that searches for content is silent, too."""

    async def search(answer: Answer) -> None:
        await asyncio.sleep(0.15)
        await honest(answer)

    async with LyingUpstream([BLOCK]) as upstream:
        await open_connections(client, upstream, 1)
        upstream.behaviour = search
        for _ in range(8):
            assert await raw(client, upstream) == BLOCK.data
    assert 1 + 8 < len(upstream.log) <= 1 + 8 + 3  # budget.RETRY_FLOOR


async def test_a_new_connection_that_is_silent_is_no_reason_for_another() -> None:
    client = TrustlessClient(
        RetrievalSettings(first_byte_timeout=0.3, idle_timeout=0.3, total_timeout=1), FakeClock()
    )
    async with LyingUpstream([BLOCK], lies.silent) as upstream:
        with pytest.raises(UpstreamSilent, match=r"0\.3 s"):
            await raw(client, upstream)
        await client.close()
    assert upstream.connections == 1


async def test_the_first_answer_counts_when_it_comes_first(client: TrustlessClient) -> None:
    second = asyncio.Event()

    async def late(answer: Answer) -> None:
        await second.wait()
        await honest(answer)

    async def never(answer: Answer) -> None:
        second.set()
        await lies.silent(answer)

    async with LyingUpstream([BLOCK]) as upstream:
        await open_connections(client, upstream, 1)
        upstream.behaviour = lies.once(late, never)
        assert await raw(client, upstream) == BLOCK.data
        assert len(upstream.log) == 3


async def test_a_second_that_fails_leaves_it_to_the_first(client: TrustlessClient) -> None:
    second = asyncio.Event()

    async def late(answer: Answer) -> None:
        await second.wait()
        await asyncio.sleep(0.01)
        await honest(answer)

    async def broken(answer: Answer) -> None:
        second.set()
        await lies.hang_up(answer)

    async with LyingUpstream([BLOCK]) as upstream:
        await open_connections(client, upstream, 1)
        upstream.behaviour = lies.once(late, broken)
        assert await raw(client, upstream) == BLOCK.data


@pytest.mark.parametrize(
    "then", [pytest.param(honest, id="answers"), pytest.param(lies.hang_up, id="fails")]
)
async def test_a_first_that_breaks_leaves_it_to_the_second(
    client: TrustlessClient, then: Behaviour
) -> None:
    second = asyncio.Event()

    async def break_late(answer: Answer) -> None:
        await second.wait()
        await answer.send(b"nonsense\r\n\r\n")
        answer.close()

    async def later(answer: Answer) -> None:
        second.set()
        await asyncio.sleep(0.05)
        await then(answer)

    async with LyingUpstream([BLOCK]) as upstream:
        await open_connections(client, upstream, 1)
        upstream.behaviour = lies.once(break_late, later)
        if then is honest:
            assert await raw(client, upstream) == BLOCK.data
        else:
            with pytest.raises(Exception, match="liar answered with malformed HTTP"):
                await raw(client, upstream)


async def test_who_goes_away_leaves_no_second_behind(client: TrustlessClient) -> None:
    both = asyncio.Event()

    async def note(answer: Answer) -> None:
        if len(upstream.log) == 3:
            both.set()
        await lies.silent(answer)

    async with LyingUpstream([BLOCK]) as upstream:
        await open_connections(client, upstream, 1)
        upstream.behaviour = note
        asking = asyncio.create_task(raw(client, upstream))
        await both.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(0)
        names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]  # a coroutine
        assert "_Request._send_new" not in names


async def test_an_api_is_asked_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """issue 12, 34: a router behind a NAT that forgot made a 404 of what it knows."""
    monkeypatch.setattr(module, "AFTER_S", 0.05)
    cid = parse_cid("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")
    async with LyingUpstream([BLOCK], lies.vanish()) as upstream:
        api = ApiClient("api", upstream.settings.url)
        for _ in range(2):
            assert await api.get(f"/ipfs/{cid}?format=raw") is None
        await api.close()
    assert upstream.connections == 2


async def test_servers_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SERVERS", 2)
    again = Again()
    for server in ("a", "b", "a", "c"):
        again._lost(server)
    assert list(again._lost_at) == ["a", "c"]


async def test_idle_connections_are_looked_after_by_the_system() -> None:
    """issue 12, 34: no byte may be left unanswered for ever, nor an idle peer unasked."""
    async with (
        LyingUpstream([BLOCK], lies.stall()) as upstream,
        open_session(1.0) as session,
        session.get(f"{upstream.settings.url}/ipfs/{BLOCK.cid}?format=raw") as response,
    ):
        assert response.connection is not None
        assert response.connection.transport is not None
        opened = response.connection.transport.get_extra_info("socket")
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5_000


async def test_nobody_there_is_told_as_before(client: TrustlessClient) -> None:
    async with LyingUpstream([BLOCK]) as upstream:
        await raw(client, upstream)
    with pytest.raises(UpstreamUnreachable, match="takes no connection"):
        await raw(client, upstream)
