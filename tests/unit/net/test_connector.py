"""Connections on which something was said that nobody asked for."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp.client_proto import ResponseHandler

from gateway.errors import UpstreamUnreachable
from gateway.net import connector as connector_module
from gateway.upstream.transport.client import TrustlessClient
from tests.fakes import lies
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock
from tests.fakes.lying_upstream import Answer, LyingUpstream, honest
from tests.fakes.upstream_kit import QUICK

BLOCK = numbered(1, 40_000)


@pytest.fixture(name="client")
async def client_fixture() -> AsyncIterator[TrustlessClient]:
    client = TrustlessClient(QUICK, FakeClock())
    yield client
    await client.close()


async def raw(client: TrustlessClient, upstream: LyingUpstream) -> bytes:
    return await client.fetch_raw(upstream.settings, BLOCK.cid, lambda _size: None)


async def test_an_answer_that_nobody_asked_for_is_never_taken(client: TrustlessClient) -> None:
    """The planted answer comes with the end of the first, and is parsed before the next request."""
    async with LyingUpstream([BLOCK], lies.plant) as upstream:
        for _ in range(20):
            assert await raw(client, upstream) == BLOCK.data
    assert upstream.connections == 20


async def test_an_answer_planted_on_an_idle_connection_is_never_taken(
    client: TrustlessClient,
) -> None:
    planted = asyncio.Event()
    idle = asyncio.Event()

    async def plant_later(answer: Answer) -> None:
        await honest(answer)
        if not planted.is_set():
            await idle.wait()
            await answer.head(body=4)
            await answer.send(b"evil")
            planted.set()

    async with LyingUpstream([BLOCK], plant_later) as upstream:
        assert await raw(client, upstream) == BLOCK.data
        idle.set()
        await planted.wait()
        for _ in range(10):  # loopback delivers at once; the loop only has to look
            await asyncio.sleep(0)
        assert await raw(client, upstream) == BLOCK.data
    assert upstream.connections == 2


async def test_who_speaks_before_being_asked_is_left(
    client: TrustlessClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector_module, "MAX_STALE", 3)
    monkeypatch.setattr(ResponseHandler, "should_close", True)
    async with LyingUpstream([BLOCK]) as upstream:
        with pytest.raises(UpstreamUnreachable, match="liar broke the connection"):
            await raw(client, upstream)
