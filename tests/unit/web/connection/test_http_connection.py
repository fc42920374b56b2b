"""The connection: heads out of bounds, and hot answers that are the slow ones' twins."""

import asyncio
import contextlib
import re
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from gateway.settings import LimitsSettings
from gateway.web.connection.http_connection import HEADS_PER_TURN
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
        # The parser takes all of these (issue 12, 4).
        pytest.param("GET /\r\n\r\n", 400, id="no-version"),
        pytest.param("GET /\r\nHost: h\r\n\r\n", 400, id="no-version-but-a-host"),
        pytest.param("GET / HTTP/0.9\r\nHost: h\r\n\r\n", 400, id="version-before-the-first"),
        pytest.param("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 400, id="version-of-another-framing"),
        pytest.param("GET / RTSP/1.0\r\nHost: h\r\n\r\n", 400, id="another-protocol"),
        pytest.param("SOURCE / ICE/1.0\r\nHost: h\r\n\r\n", 400, id="another-protocol-of-sound"),
        pytest.param("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400, id="two-blanks-before-the-target"),
        pytest.param("GET /  HTTP/1.1\r\nHost: h\r\n\r\n", 400, id="two-blanks-behind-it"),
        pytest.param("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400, id="blank-behind-the-version"),
        pytest.param("GET " + " " * 9000, 414, id="blanks-without-end"),
    ],
)
async def test_a_malformed_head_gets_its_status(
    listening: Listening, head: str, status: int
) -> None:
    answer = await listening.send(head.encode("latin-1"))
    assert status_of(answer) == status
    assert b"\r\nconnection: close\r\n" in answer
    assert status_of(await listening.get("/")) == 200


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 12, 14])
@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param(b"GET / HTTP/1.1", 200, id="well-formed"),
        pytest.param(b"\r\nGET / HTTP/1.1", 200, id="empty-line-before"),
        pytest.param(b"GET  / HTTP/1.1", 400, id="two-blanks"),
        pytest.param(b"GET /", 400, id="no-version"),
    ],
)
async def test_a_request_line_is_judged_alike_however_it_is_cut(
    listening: Listening, line: bytes, status: int, cut: int
) -> None:
    wire, protocol = listening.wire()
    head = line + b"\r\nHost: h\r\n\r\n"
    protocol.data_received(head[:cut])
    protocol.data_received(head[cut:])
    await listening.answered(wire)
    assert status_of(wire.sent) == status


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 27\r\n", id="body"),
        pytest.param(b"CONNECT / HTTP/1.1\r\nHost: h\r\n", id="tunnel"),
    ],
)
async def test_what_may_be_no_request_is_not_taken_for_one(
    listening: Listening, first: bytes
) -> None:
    """The parser does not skip the body of a request that offers a protocol (issue 12, 3)."""
    offer = b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = await listening.send(first + offer + b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert len(re.findall(rb"HTTP/1.1 \d+", answer)) == 1
    assert status_of(answer) in (400, 405)


async def test_an_offer_of_another_protocol_is_ignored(
    listening: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    """There was one answer of two, then silence, and advice to install something (issue 12, 3)."""
    offer = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    last = b"GET /ipfs HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    answer = await listening.send(offer + last)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"400"]
    assert caplog.messages == []


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
    monkeypatch.setattr("gateway.processes.serving.KEEP_ALIVE_S", 0.1)
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
    monkeypatch.setattr("gateway.web.connection.write_timeout.STALLED_S", 0)
    wire, protocol = listening.wire()
    wire.unsent_bytes = 1000
    protocol.data_received(f"GET / {last}\r\nHost: h\r\n\r\n".encode())
    await listening.answered(wire)
    async with asyncio.timeout(5):
        await wire.was_aborted.wait()


async def test_an_idle_connection_with_something_unread_is_cut_in_the_end(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.connection.write_timeout.STALLED_S", 0)
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
    monkeypatch.setattr("gateway.web.connection.request_reader.HEAD_TIMEOUT_S", 0.1)
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


SLOW_HEAD = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    ("second", "status"),
    [
        pytest.param(b"", 200, id="hot-answer"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", 400, id="no-http"),
        pytest.param(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, id="long-target"),
        pytest.param(b"GET /\r\n\r\n", 400, id="no-version"),
    ],
)
async def test_nothing_overtakes_the_answer_to_a_head(
    listening: Listening, second: bytes, status: int
) -> None:
    """What comes in the moment in which the answer is complete goes behind it (issue 12, 1)."""
    (head,) = await known_heads(listening)
    wire, protocol = listening.wire()
    listening.records.then = lambda: protocol.data_received(second or head)
    protocol.data_received(SLOW_HEAD)
    await asyncio.gather(*protocol.tasks)
    codes = re.findall(rb"HTTP/1.1 (\d+) ", wire.sent)
    assert codes == [b"200", b"%d" % status]
    assert b"cache-control: public, max-age=300" in wire.sent.partition(b"\r\n\r\n")[0]


async def test_requests_sent_ahead_of_an_answer_that_nobody_reads_cost_little(
    listening: Listening,
) -> None:
    """They were 8.2 MiB of requests that waited (issue 12, 21)."""
    wire, protocol = listening.wire()
    protocol.data_received(SLOW_HEAD)
    protocol.pause_writing()
    many = SLOW_HEAD * (256 * 1024 // len(SLOW_HEAD))
    tracemalloc.start()
    try:
        protocol.data_received(many)
        assert tracemalloc.get_traced_memory()[0] < 512 * 1024
    finally:
        tracemalloc.stop()
    assert not wire.is_read


async def test_what_was_sent_ahead_is_answered_once_the_client_reads(listening: Listening) -> None:
    request = b"HEAD / HTTP/1.1\r\nHost: h\r\nX-Long: %b\r\n\r\n" % (b"a" * 2000)
    wire, protocol = listening.wire()
    protocol.data_received(request)
    protocol.pause_writing()
    protocol.data_received(request * 50)
    assert not wire.is_read
    protocol.resume_writing()
    async with asyncio.timeout(20):
        while wire.sent.count(b"HTTP/1.1 200 ") < 51:
            await asyncio.gather(*protocol.tasks)
    assert wire.is_read


async def test_hot_answers_to_many_requests_in_one_read_take_turns(listening: Listening) -> None:
    (head,) = await known_heads(listening)
    wire, protocol = listening.wire()
    protocol.data_received(head * (2 * HEADS_PER_TURN + 1))
    assert wire.sent.count(PAGE) == HEADS_PER_TURN
    protocol.data_received(head)
    assert wire.sent.count(PAGE) == HEADS_PER_TURN
    await asyncio.sleep(0)
    assert wire.sent.count(PAGE) == 2 * HEADS_PER_TURN
    await asyncio.sleep(0)
    assert wire.sent.count(PAGE) == 2 * HEADS_PER_TURN + 2


async def test_a_client_that_leaves_is_noticed_although_it_sent_ahead(listening: Listening) -> None:
    """uvicorn tells only the last of the requests that wait."""
    wire, protocol = listening.wire()
    protocol.data_received(SLOW_HEAD + b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert wire.is_read
    protocol.connection_lost(None)
    await asyncio.gather(*protocol.tasks)
    assert wire.sent == b""


async def test_a_body_that_does_not_end_is_cut(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.connection.request_reader.BODY_TIMEOUT_S", 0.1)
    async with connected(listening) as (reader, writer), asyncio.timeout(5):
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        assert status_of(await reader.read()) == 400


async def test_a_request_right_behind_a_body_is_not_answered(listening: Listening) -> None:
    wire, protocol = listening.wire()
    protocol.data_received(
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n" + b"abc" + SLOW_HEAD
    )
    await listening.answered(wire)
    assert re.findall(rb"HTTP/1.1 (\d+) ", wire.sent) == [b"400"]
    assert wire.is_closing()


async def test_a_connection_too_many_is_refused_and_others_go_on(listening: Listening) -> None:
    """One client's idle connections could take all descriptors (issue 12, 23)."""
    taken = [listening.connections.enter("192.0.2.1") for _ in range(100)]
    taken += [listening.connections.enter(None) for _ in range(100)]
    assert listening.connections.total == 200
    wire, protocol = listening.wire()
    protocol.data_received(SLOW_HEAD)
    assert status_of(wire.sent) == 429
    assert wire.is_closing()
    protocol.connection_lost(None)
    assert listening.connections.total == 200
    listening.connections.leave(taken[0] or "")
    assert status_of(await listening.get("/")) == 200


async def test_a_connection_that_ends_is_not_counted_any_more(listening: Listening) -> None:
    async with connected(listening) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        await reader.read()
    async with asyncio.timeout(5):
        while listening.connections.total:  # noqa: ASYNC110 (the kernel has no event for it)
            await asyncio.sleep(0)
