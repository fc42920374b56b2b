"""The connection: heads out of bounds, and hot answers that are the slow ones' twins."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import pytest

from gateway.settings import LimitsSettings
from tests.unit.web.conftest import PAGE, Listening


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def without_times(answer: bytes) -> bytes:
    """Drop what may differ between two answers: date, name, and which tier it came from."""
    return re.sub(rb"\r\n(date|cache-status|x-request-id|server-timing): [^\r]*", b"", answer)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param("GET /" + "a" * 9000 + " HTTP/1.1\r\nHost: h\r\n\r\n", 414, id="long-target"),
        pytest.param(
            "GET / HTTP/1.1\r\nHost: h\r\n" + "X-A: b\r\n" * 200 + "\r\n", 431, id="many-lines"
        ),
        pytest.param(
            "GET / HTTP/1.1\r\nHost: h\r\nX-A: " + "b" * 40000 + "\r\n\r\n", 431, id="long-line"
        ),
        pytest.param("GET / HTTP/1.1\r\n\r\n", 400, id="no-host"),
        pytest.param("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, id="two-hosts"),
        pytest.param("GET / HTTP/1.1\r\nHost: a/b?c=\r\n\r\n", 400, id="host-with-path"),
        pytest.param("GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", 400, id="host-with-user"),
        pytest.param("GET @evil HTTP/1.1\r\nHost: h\r\n\r\n", 400, id="at-target"),
        pytest.param("GET ipfs/x HTTP/1.1\r\nHost: h\r\n\r\n", 400, id="relative-target"),
        pytest.param("GET / HTTP/9.9\r\nHost: h\r\n\r\n", 400, id="version"),
        pytest.param("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 400, id="unknown-method"),
        pytest.param("PURGE / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 405, id="purge"),
        pytest.param(
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
            400,
            id="body",
        ),
        pytest.param(
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            id="two-framings",
        ),
        pytest.param("GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400, id="space-before-colon"),
        pytest.param("\x16\x03\x01\x02\x00\x01\x00\x01", 400, id="tls-hello"),
    ],
)
async def test_a_malformed_head_gets_its_status(
    listening: Listening, head: str, status: int
) -> None:
    answer = await listening.send(head.encode("latin-1"))
    assert status_of(answer) == status
    assert status_of(await listening.get("/")) == 200


async def test_a_second_request_is_answered_hot_and_alike(listening: Listening) -> None:
    target = f"/ipfs/{listening.root}/a.txt"
    slow = await listening.get(target)
    assert b"detail=memory" in slow
    hot = await keep_alive(listening, target)
    assert b"detail=hot" in hot
    assert b"\r\nserver-timing: total;dur=" in slow
    assert b"\r\nserver-timing: total;dur=" in hot
    assert without_times(hot) == without_times(slow).replace(b"\r\nconnection: close", b"")


async def keep_alive(listening: Listening, target: str, *lines: str, method: str = "GET") -> bytes:
    """Ask on a connection that stays open, and close it from our side."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    head = "\r\n".join((f"{method} {target} HTTP/1.1", "Host: example.com", *lines, "", ""))
    writer.write(head.encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    if found := re.search(rb"content-length: (\d+)", answer):
        answer += await reader.readexactly(int(found[1]) if method == "GET" else 0)
    writer.close()
    return answer


async def test_known_bytes_that_are_no_head_where_they_stand_are_parsed(
    listening: Listening,
) -> None:
    (head,) = await known_heads(listening)
    transport, protocol = listening.wire()
    protocol.data_received(b"POST / HTTP/1.1\r\nX-Half: ")
    protocol.data_received(head)
    await listening.answered(transport)
    assert status_of(transport.sent) == 405


async def test_known_heads_are_answered_one_after_the_other_on_a_connection(
    listening: Listening,
) -> None:
    (head,) = await known_heads(listening)
    async with connected(listening) as (reader, writer):
        for _ in range(5):
            writer.write(head)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            assert await reader.readexactly(len(PAGE)) == PAGE
    assert listening.table.heads.ready[head].times == 6


async def test_a_head_of_a_forgotten_entry_is_parsed(listening: Listening) -> None:
    target = f"/ipfs/{listening.root}/a.txt"
    for _ in range(4):
        await keep_alive(listening, target)
    listening.table.clear()
    assert b"detail=memory" in await keep_alive(listening, target)
    assert listening.records.started == len(listening.records.finished) == 5


async def test_an_idle_connection_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.wiring.serving.KEEP_ALIVE_S", 0.1)
    listening = Listening()
    await listening.start()
    (head,) = await known_heads(listening)
    async with connected(listening) as (reader, writer), asyncio.timeout(5):
        writer.write(head)
        assert (await reader.read()).endswith(PAGE)
    await listening.stop()


async def test_a_connection_that_was_asked_since_is_not_idle(listening: Listening) -> None:
    (head,) = await known_heads(listening)
    transport, protocol = listening.wire()
    protocol.data_received(head)
    protocol.timeout_keep_alive_handler()
    assert not transport.is_closing()
    protocol.timeout_keep_alive_handler()
    assert transport.is_closing()


async def test_a_connection_whose_answer_is_under_way_is_not_idle(listening: Listening) -> None:
    transport, protocol = listening.wire()
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    protocol.timeout_keep_alive_handler()
    protocol.timeout_keep_alive_handler()
    assert not transport.is_closing()
    await listening.answered(transport)


async def test_a_reader_that_does_not_read_gets_nothing_ready(listening: Listening) -> None:
    (head,) = await known_heads(listening)
    transport, protocol = listening.wire()
    protocol.pause_writing()
    protocol.data_received(head)
    assert transport.sent == b""
    protocol.resume_writing()
    await listening.answered(transport)


@pytest.mark.parametrize("last", ["HTTP/1.1\r\nConnection: close", "HTTP/1.0"])
async def test_the_last_answer_does_not_hold_a_connection_for_ever(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    monkeypatch.setattr("gateway.web.sending.STALLED_S", 0)
    wire, protocol = listening.wire()
    wire.unsent_bytes = 1000
    protocol.data_received(f"GET / {last}\r\nHost: h\r\n\r\n".encode())
    await listening.answered(wire)
    async with asyncio.timeout(5):
        await wire.was_aborted.wait()


async def test_an_idle_connection_with_something_unread_is_cut_in_the_end(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.sending.STALLED_S", 0)
    (head,) = await known_heads(listening)
    wire, protocol = listening.wire()
    wire.unsent_bytes = 1000
    protocol.data_received(head)
    protocol.timeout_keep_alive_handler()
    protocol.timeout_keep_alive_handler()
    async with asyncio.timeout(5):
        await wire.was_aborted.wait()


async def known_heads(listening: Listening) -> list[bytes]:
    """Ask until the head is known to the byte."""
    for _ in range(4):
        await keep_alive(listening, f"/ipfs/{listening.root}/a.txt")
    return list(listening.table.heads.ready)


@contextlib.asynccontextmanager
async def connected(
    listening: Listening,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_a_hot_answer_is_counted_and_logged(listening: Listening) -> None:
    target = f"/ipfs/{listening.root}/a.txt"
    await keep_alive(listening, target)
    await keep_alive(listening, target, "User-Agent: test", "X-Forwarded-For: 192.0.2.7")
    record = listening.records.finished[-1]
    assert (record.tier, record.client, record.user_agent) == ("hot", "192.0.2.7", b"test")
    assert (record.status, record.size_bytes, record.root) == (200, len(PAGE), listening.root)
    assert listening.records.started == 2


async def test_pipelined_requests_are_answered_in_order(listening: Listening) -> None:
    target = f"/ipfs/{listening.root}/a.txt"
    await keep_alive(listening, target)
    one = f"GET {target} HTTP/1.1\r\nHost: example.com\r\n\r\n"
    other = f"GET /ipfs/{listening.root}/nope HTTP/1.1\r\nHost: example.com\r\n\r\n"
    last = f"GET {target} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
    answer = await listening.send((one + other + one + last).encode())
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"200", b"200"]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHos", id="half-a-head"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HT", id="half-a-second-head"),
    ],
)
async def test_a_head_that_does_not_end_is_cut(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr("gateway.web.connection.HEAD_TIMEOUT_S", 0.1)
    answer = await listening.send(sent)
    assert answer.rpartition(b"HTTP/1.1 ")[2].startswith(b"408 ")


async def test_a_client_over_its_limit_is_refused_before_hot_answers_too() -> None:
    listening = Listening(LimitsSettings(requests="1/minute", burst=3))
    await listening.start()
    target = f"/ipfs/{listening.root}/a.txt"
    answers = [await keep_alive(listening, target) for _ in range(5)]
    await listening.stop()
    assert [status_of(answer) for answer in answers] == [200, 200, 200, 429, 429]
    assert b"detail=hot" in answers[1]
    assert b"ratelimit-remaining: 0" in answers[2].lower()
