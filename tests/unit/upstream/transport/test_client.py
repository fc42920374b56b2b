"""Requests to trustless gateways, and what is not taken of their answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp.resolver import DefaultResolver

from gateway import __version__
from gateway.content.walk import Scope
from gateway.errors import (
    BlockAbsent,
    UpstreamError,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
)
from gateway.settings import RetrievalSettings, UpstreamSettings
from gateway.upstream.transport.client import TrustlessClient
from gateway.upstream.transport.request import CarPlan
from tests.fakes import lies
from tests.fakes.blocks import numbered
from tests.fakes.clock import FakeClock
from tests.fakes.lying_upstream import Answer, Behaviour, LyingUpstream, honest
from tests.fakes.upstream_kit import QUICK

BLOCK = numbered(1, 40_000)
PLAN = CarPlan(BLOCK.cid, (), Scope.ENTITY)


@pytest.fixture(name="client")
async def client_fixture() -> AsyncIterator[TrustlessClient]:
    client = TrustlessClient(QUICK, FakeClock())
    yield client
    await client.close()


def ignore(_size: int) -> None:
    """Do not count."""


async def raw(client: TrustlessClient, upstream: LyingUpstream) -> bytes:
    return await client.fetch_raw(upstream.settings, BLOCK.cid, ignore)


async def car(client: TrustlessClient, upstream: LyingUpstream) -> bytes:
    pieces: list[bytes] = []
    async with client.open_car(upstream.settings, PLAN) as body:
        while piece := await body.read():
            pieces.append(piece)
    return b"".join(pieces)


async def test_a_block_is_fetched_and_counted(client: TrustlessClient) -> None:
    sizes: list[int] = []
    async with LyingUpstream([BLOCK]) as upstream:
        data = await client.fetch_raw(upstream.settings, BLOCK.cid, sizes.append)
    assert (data, sum(sizes)) == (BLOCK.data, len(BLOCK.data))


async def test_a_car_is_streamed(client: TrustlessClient) -> None:
    async with LyingUpstream([BLOCK]) as upstream:
        assert (await car(client, upstream)).endswith(BLOCK.data)


async def test_both_query_and_accept_name_the_format(client: TrustlessClient) -> None:
    async with LyingUpstream([BLOCK]) as upstream:
        await raw(client, upstream)
        await car(client, upstream)
    assert [logged.headers["accept"] for logged in upstream.log] == [
        "application/vnd.ipld.raw",
        "application/vnd.ipld.car; version=1; order=dfs; dups=y",
    ]
    assert [logged.step for logged in upstream.log] == ["raw", "car"]


async def test_requests_carry_nothing_else_that_tells(client: TrustlessClient) -> None:
    async with LyingUpstream([BLOCK]) as upstream:
        await raw(client, upstream)
    headers = dict(upstream.log[0].headers)
    assert headers.pop("host").startswith("127.0.0.1:")
    assert headers == {
        "accept": "application/vnd.ipld.raw",
        "accept-encoding": "identity",
        "user-agent": f"ipfs-gateway/{__version__}",
    }


async def test_cookies_are_not_kept(client: TrustlessClient) -> None:
    async def set_cookie(answer: Answer) -> None:
        await answer.begin({"set-cookie": "a=b; Path=/"})
        await answer.send_blocks(answer.blocks())
        await answer.end()

    async with LyingUpstream([BLOCK], set_cookie) as upstream:
        await raw(client, upstream)
        await raw(client, upstream)
    assert all("cookie" not in logged.headers for logged in upstream.log)


Ask = Callable[[TrustlessClient, LyingUpstream], Awaitable[bytes]]


@pytest.mark.parametrize("ask", [pytest.param(raw, id="raw"), pytest.param(car, id="car")])
@pytest.mark.parametrize(
    ("behaviour", "error", "reason"),
    [
        pytest.param(lies.html, UpstreamRefused, "text/html", id="html"),
        pytest.param(lies.wrong_type, UpstreamRefused, "text/html", id="wrong-type"),
        pytest.param(lies.redirect, UpstreamRefused, "status 302", id="redirect"),
        pytest.param(lies.gzip, UpstreamRefused, "gzip", id="gzip"),
        pytest.param(lies.truncate, UpstreamUnreachable, "broke", id="truncated"),
        pytest.param(lies.hang_up, UpstreamUnreachable, "broke", id="hang-up"),
        pytest.param(lies.silent, UpstreamSilent, "0.4 s", id="silent"),
        pytest.param(lies.stall(), UpstreamSilent, "0.4 s", id="stall"),
        pytest.param(lies.drip_body, UpstreamSilent, "0.4 s", id="drip-body"),
        pytest.param(lies.drip_head, UpstreamSilent, "0.4 s", id="drip-head"),
        pytest.param(lies.interim, UpstreamRefused, "malformed HTTP", id="interim-answers"),
        pytest.param(lies.many_headers, UpstreamRefused, "malformed HTTP", id="many-headers"),
        pytest.param(lies.long_header, UpstreamRefused, "malformed HTTP", id="long-header"),
        pytest.param(lies.two_lengths, UpstreamRefused, "malformed HTTP", id="two-lengths"),
        pytest.param(lies.length_and_chunks, UpstreamRefused, "malformed HTTP", id="both-framings"),
        pytest.param(lies.broken_chunks, UpstreamRefused, "malformed HTTP", id="broken-chunks"),
        pytest.param(lies.status("404 Not Found"), BlockAbsent, "does not have", id="404"),
        pytest.param(lies.status("206 Partial Content"), UpstreamRefused, "206", id="206"),
        pytest.param(lies.status("101 Switching Protocols"), UpstreamRefused, "101", id="101"),
    ],
)
async def test_bad_answers_become_our_errors(
    client: TrustlessClient,
    behaviour: Behaviour,
    error: type[UpstreamError],
    reason: str,
    ask: Ask,
) -> None:
    async with LyingUpstream([BLOCK], behaviour) as upstream:
        with pytest.raises(error, match=f"^liar .*{reason}"):
            await ask(client, upstream)


@pytest.mark.parametrize("behaviour", [lies.endless, lies.announce_10_gb], ids=["sent", "told"])
async def test_a_block_without_end_is_cut(client: TrustlessClient, behaviour: Behaviour) -> None:
    async with LyingUpstream([BLOCK], behaviour) as upstream:
        with pytest.raises(UpstreamRefused, match=r"bytes"):
            await raw(client, upstream)
    assert upstream.sent_bytes < 20_000_000  # the cap and what fits into socket buffers


async def test_nobody_there_is_told(client: TrustlessClient) -> None:
    async with LyingUpstream([BLOCK]) as upstream:
        settings = upstream.settings
    with pytest.raises(UpstreamUnreachable, match="liar takes no connection"):
        await client.fetch_raw(settings, BLOCK.cid, ignore)


async def test_a_name_that_does_not_exist_is_told(
    client: TrustlessClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(*_args: object, **_more: object) -> list[object]:
        raise OSError("no such name")

    monkeypatch.setattr(DefaultResolver, "resolve", resolve)
    settings = UpstreamSettings(name="u", url="http://gone.example:80")
    with pytest.raises(UpstreamUnreachable, match="u has a name that does not resolve"):
        await client.fetch_raw(settings, BLOCK.cid, ignore)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://a..b:80", id="empty-label"),
        pytest.param("http://kubo:8080:8080", id="two-ports"),
        pytest.param("http://[nonsense]:80", id="no-address"),
        pytest.param("http://a b:80", id="blank"),
        pytest.param(f"http://{'a' * 64}.example:80", id="label-too-long"),
        pytest.param("http://\u2024.example", id="no-idna"),
        pytest.param("nonsense", id="no-url"),
    ],
)
async def test_an_address_that_is_none_is_its_upstreams_failure(
    client: TrustlessClient, url: str
) -> None:
    """issue 12, 12: it was an error of the whole request."""
    settings = UpstreamSettings(name="u", url=url)
    with pytest.raises(UpstreamUnreachable, match=r"^u "):
        await client.fetch_raw(settings, BLOCK.cid, ignore)
    with pytest.raises(UpstreamUnreachable, match=r"^u "):
        await client.has(settings, BLOCK.cid, 1)
    with pytest.raises(UpstreamUnreachable, match=r"^u "):
        await client.probe(settings, 1)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"Mon, 01 Jan 2020 00:00:00 +{10**17}", id="zone-beyond-all-bounds"),
        pytest.param("Mon, 01 Jan 0001 00:00:00 +2359", id="first-year"),
        pytest.param("Mon, 01 Jan 9999 23:59:59 -2359", id="last-year"),
        pytest.param("9" * 4000, id="long-number"),
        pytest.param("\x7f", id="no-text"),
    ],
)
async def test_no_retry_after_is_more_than_its_upstreams_failure(
    client: TrustlessClient, value: str
) -> None:
    """issue 12, 12: the date that `email.utils` cannot hold was an error of the whole request."""
    behaviour = lies.status("503 Service Unavailable", {"retry-after": value})
    async with LyingUpstream([BLOCK], behaviour) as upstream:
        with pytest.raises(UpstreamRefused, match="status 503"):
            await raw(client, upstream)


async def test_http_where_tls_belongs_is_told(client: TrustlessClient) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = UpstreamSettings(name="u", url=f"https://127.0.0.1:{port}")
        with pytest.raises(UpstreamUnreachable, match="u failed to speak TLS"):
            await client.fetch_raw(settings, BLOCK.cid, ignore)


async def test_connections_are_used_again(client: TrustlessClient) -> None:
    async with LyingUpstream([BLOCK]) as upstream:
        for _ in range(3):
            await raw(client, upstream)
            await car(client, upstream)
    assert upstream.connections == 1


async def test_a_pooled_connection_that_the_upstream_closed_is_no_failure(
    client: TrustlessClient,
) -> None:
    async def close_after(answer: Answer) -> None:
        await honest(answer)
        answer.close()

    async with LyingUpstream([BLOCK], close_after) as upstream:
        for _ in range(5):
            assert await raw(client, upstream) == BLOCK.data


async def test_a_car_left_in_the_middle_closes_its_connection(client: TrustlessClient) -> None:
    async with LyingUpstream([BLOCK], lies.with_trailer) as upstream:
        async with client.open_car(upstream.settings, PLAN) as body:
            await body.read()
        upstream.behaviour = honest
        assert await raw(client, upstream) == BLOCK.data
    assert upstream.connections == 2
    assert upstream.log[0].is_cut_off


async def test_a_car_read_to_its_last_block_gives_its_connection_back(
    client: TrustlessClient,
) -> None:
    async def late_end(answer: Answer) -> None:
        await answer.begin()
        await answer.send_blocks(answer.blocks())
        await asyncio.sleep(0.02)
        await answer.end()

    async with LyingUpstream([BLOCK], late_end) as upstream:
        for _ in range(2):
            async with client.open_car(upstream.settings, PLAN) as body:
                size = 0
                while size < len(BLOCK.data):
                    size += len(await body.read())
                await body.end()
    assert upstream.connections == 1


@pytest.mark.parametrize(
    "behaviour", [lies.stall(1), lies.with_trailer, lies.reset(1)], ids=["none", "more", "reset"]
)
async def test_waiting_for_the_end_never_fails(
    client: TrustlessClient, behaviour: Behaviour
) -> None:
    async with LyingUpstream([BLOCK], behaviour) as upstream:
        async with client.open_car(upstream.settings, PLAN) as body:
            await body.read()
            await body.end()
        upstream.behaviour = honest
        assert await raw(client, upstream) == BLOCK.data
    assert upstream.connections == 2


async def test_time_in_which_nothing_is_read_does_not_count(client: TrustlessClient) -> None:
    steady = asyncio.Event()

    async def in_two_parts(answer: Answer) -> None:
        await answer.begin()
        await answer.send_blocks(answer.blocks())
        await steady.wait()
        await answer.end()

    async with (
        LyingUpstream([BLOCK], in_two_parts) as upstream,
        client.open_car(upstream.settings, PLAN) as body,
    ):
        await body.read()
        await asyncio.sleep(QUICK.idle_timeout * 1.5)
        asyncio.get_running_loop().call_later(0.05, steady.set)
        while await body.read():
            pass


async def test_slow_but_steady_is_fast_enough(client: TrustlessClient) -> None:
    """Some 50 KiB come in each window of 0.4 s, over two of them."""
    large = numbered(2, 120_000)

    async def steady(answer: Answer) -> None:
        await answer.begin()
        for start in range(0, 120_000, 5_000):
            await answer.chunk(large.data[start : start + 5_000])
            await asyncio.sleep(0.04)
        await answer.end()

    async with LyingUpstream([large], steady) as upstream:
        assert await client.fetch_raw(upstream.settings, large.cid, ignore) == large.data


async def test_more_requests_than_its_concurrency_wait_for_their_turn() -> None:
    slow = RetrievalSettings(first_byte_timeout=1, idle_timeout=1, total_timeout=5)
    client = TrustlessClient(slow, FakeClock())

    async def unhurried(answer: Answer) -> None:
        await asyncio.sleep(0.3)
        await honest(answer)

    async with LyingUpstream([BLOCK], unhurried) as upstream:
        two = replace(upstream.settings, concurrency=2)
        got = await asyncio.gather(*[client.fetch_raw(two, BLOCK.cid, ignore) for _ in range(10)])
        await client.close()
    assert got == [BLOCK.data] * 10  # 1.5 s for the last: its time runs from its turn
    assert upstream.connections == 2


async def held(answer: Answer) -> None:
    """Say whether it holds what is asked for, as Kubo does."""
    assert answer.request.method == "HEAD"
    assert answer.request.headers["cache-control"] == "only-if-cached"
    is_here = answer.request.cid.multihash in answer.upstream.blocks
    await answer.head("200 OK" if is_here else "412 Precondition Failed", body=0)


async def test_who_holds_a_block_says_so_without_a_body(client: TrustlessClient) -> None:
    async with LyingUpstream([BLOCK], held) as upstream:
        assert await client.has(upstream.settings, BLOCK.cid, 1.0)
        assert not await client.has(upstream.settings, numbered(2, 10).cid, 1.0)
    assert upstream.connections == 1


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        pytest.param(lies.silent, UpstreamSilent, id="silent"),
        pytest.param(lies.status("405 Method Not Allowed"), UpstreamRefused, id="no-head"),
        pytest.param(lies.status("302 Found"), UpstreamRefused, id="redirect"),
        pytest.param(lies.hang_up, UpstreamUnreachable, id="hangs-up"),
    ],
)
async def test_what_is_no_word_about_holding_is_an_error(
    client: TrustlessClient, behaviour: Behaviour, error: type[UpstreamError]
) -> None:
    async with LyingUpstream([BLOCK], behaviour) as upstream:
        with pytest.raises(error, match="liar"):
            await client.has(upstream.settings, BLOCK.cid, 0.2)


async def test_nothing_is_kept_of_upstreams_that_are_not_asked(client: TrustlessClient) -> None:
    """issue 12, 14: strangers whom a router tells of have names without end."""
    async with LyingUpstream([BLOCK]) as upstream:
        for number in range(20):
            settings = replace(upstream.settings, name=f"provider-{number}")
            await client.fetch_raw(settings, BLOCK.cid, ignore)
    assert len(client._turns) == 0
