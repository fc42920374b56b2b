"""Small answers of APIs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.errors import UpstreamRefused, UpstreamSilent, UpstreamUnreachable
from gateway.upstream.transport import api as module
from gateway.upstream.transport.api import ApiClient
from tests.fakes.cluster_api import ClusterApi, peer


@pytest.fixture(name="server")
async def server_fixture() -> AsyncIterator[ClusterApi]:
    async with ClusterApi([peer("node0")]) as server:
        yield server


async def test_an_answer_is_its_body(server: ClusterApi) -> None:
    client = ApiClient("cluster", server.url)
    assert b"id-of-node0" in (await client.get("/peers") or b"")
    await client.close()
    assert "Authorization" not in server.log[0]


async def test_404_is_nothing(server: ClusterApi) -> None:
    client = ApiClient("cluster", server.url)
    assert await client.get("/allocations/x") is None
    await client.close()


async def test_user_and_password_are_sent(server: ClusterApi) -> None:
    client = ApiClient("cluster", server.url, ("me", "s3cret"))
    await client.get("/peers")
    await client.close()
    assert "Authorization: Basic bWU6czNjcmV0" in server.log[0]


async def test_another_status_is_an_error(server: ClusterApi) -> None:
    server.status = 401
    client = ApiClient("cluster", server.url)
    with pytest.raises(UpstreamRefused, match="cluster answered with status 401"):
        await client.get("/peers")
    await client.close()


async def test_an_answer_without_end_is_refused(
    server: ClusterApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 10)
    client = ApiClient("cluster", server.url)
    with pytest.raises(UpstreamRefused, match="too many bytes"):
        await client.get("/peers")
    await client.close()


async def test_nobody_there_is_an_error() -> None:
    client = ApiClient("cluster", "http://127.0.0.1:1")
    with pytest.raises(UpstreamUnreachable, match="cluster takes no connection"):
        await client.get("/peers")
    await client.close()


async def test_silence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.1)
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = ApiClient("cluster", f"http://127.0.0.1:{port}")
    with pytest.raises(UpstreamSilent, match="cluster sent nothing"):
        await client.get("/peers")
    await client.close()
    server.close()
    for writer in writers:
        writer.close()


async def test_closing_before_the_first_request_is_no_error() -> None:
    await ApiClient("cluster", "http://127.0.0.1:1").close()
