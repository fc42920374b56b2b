"""Bodies that the kernel sends from files: the bytes of the slow path, whatever clients do."""

import asyncio
import contextlib
import hashlib
import os
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from gateway.content.build import build_file, collect
from gateway.ops.record import Outcome
from gateway.settings import LimitsSettings
from tests.unit.web.conftest import PAGE, Listening
from tests.unit.web.connection.test_http_connection import keep_alive, status_of

SIZE = 12 * 1024 * 1024 + 3  # more than the kernel takes for a reader that does not read
DATA = bytes(range(251)) * (SIZE // 251 + 1)
DATA = DATA[:SIZE]
DIGEST = hashlib.sha256(DATA).hexdigest()


class Large:
    """A listener that has a large file, and what it is asked for by."""

    def __init__(self, limits: LimitsSettings | None = None) -> None:
        self.listening = Listening(limits)
        self.target = f"/ipfs/{self.listening.add(collect(build_file(DATA)))}"
        self.head = f"GET {self.target} HTTP/1.1\r\nHost: example.com\r\n\r\n".encode()

    async def start(self) -> None:
        """Listen, and ask until the body is a file."""
        await self.listening.start()
        for _ in range(2):
            assert digest((await self.ask())[-SIZE:]) == DIGEST
        await self.listening.filler.settle()
        assert self.listening.table.files_bytes >= SIZE

    async def ask(self, *lines: str, method: str = "GET") -> bytes:
        return await keep_alive(self.listening, self.target, *lines, method=method)

    @contextlib.asynccontextmanager
    async def asked(
        self, sent: bytes
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Send something, and read by hand, with little room for what comes."""
        client = socket.create_connection(("127.0.0.1", self.listening.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        reader, writer = await asyncio.open_connection(sock=client, limit=65536)
        writer.write(sent)
        try:
            async with asyncio.timeout(20):
                yield reader, writer
        finally:
            writer.close()

    async def outcome(self) -> Outcome:
        """Wait until the request that was asked last has ended, and say how."""
        records = self.listening.records
        async with asyncio.timeout(5):
            while len(records.finished) < records.started:
                records.has_finished.clear()
                await records.has_finished.wait()
        return records.finished[-1].outcome


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(name="large")
async def large_fixture() -> AsyncIterator[Large]:
    large = Large()
    await large.start()
    yield large
    await large.listening.stop()


async def test_a_file_is_sent_and_counted(large: Large) -> None:
    answers = [await large.ask() for _ in range(4)]
    assert b"detail=hot" in answers[-1]
    assert digest(answers[-1][-SIZE:]) == DIGEST
    assert await large.outcome() is Outcome.COMPLETE
    record = large.listening.records.finished[-1]
    assert (record.tier, record.status, record.size_bytes) == ("hot", 200, SIZE)
    assert len(large.listening.table.heads.ready) == 1
    assert large.listening.admission.active == 0


async def test_pipelined_requests_behind_a_file_wait(large: Large) -> None:
    small = f"GET /ipfs/{large.listening.root}/a.txt HTTP/1.1\r\nHost: example.com\r\n"
    last = f"{small}Connection: close\r\n\r\n".encode()
    async with large.asked(large.head + f"{small}\r\n".encode() + large.head + last) as (reader, _):
        answer = await reader.read(-1)
    heads = re.findall(rb"HTTP/1\.1 200 OK\r\n.*?\r\n\r\n", answer, re.DOTALL)
    assert len(heads) == 4
    assert answer.count(DATA) == 2


async def test_a_slow_reader_gets_all_and_others_do_not_wait(large: Large) -> None:
    async with large.asked(large.head) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        assert digest((await large.ask())[-SIZE:]) == DIGEST
        assert digest(await reader.readexactly(SIZE)) == DIGEST


async def test_a_client_that_leaves_is_forgotten(large: Large) -> None:
    before = open_descriptors()
    async with large.asked(large.head) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
    assert await large.outcome() is Outcome.LEFT
    assert large.listening.admission.active == 0
    assert large.listening.records.finished[-1].size_bytes < SIZE
    async with asyncio.timeout(5):
        while open_descriptors() > before:  # noqa: ASYNC110 (the kernel has no event for it)
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("more", "tier"),
    [
        pytest.param(b"", "hot", id="sent-by-the-kernel"),
        pytest.param(b"X-Unheard-Of: 1\r\n", "memory", id="slow-path"),
        pytest.param(b"Connection: close\r\n", "memory", id="last-answer"),
    ],
)
async def test_a_reader_that_stalls_is_cut(
    large: Large, monkeypatch: pytest.MonkeyPatch, more: bytes, tier: str
) -> None:
    for module in ("connection.write_timeout", "hot.sendfile"):
        monkeypatch.setattr(f"gateway.web.{module}.STALLED_S", 0.05)
    async with large.asked(large.head[:-2] + more + b"\r\n") as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        assert await large.outcome() is Outcome.LEFT
    assert large.listening.records.finished[-1].tier == tier
    assert large.listening.admission.active == 0
    assert all(session.is_closed for session in large.listening.retriever.sessions)


async def test_a_client_that_will_ask_nothing_more_gets_all(large: Large) -> None:
    async with large.asked(large.head) as (reader, writer):
        writer.write_eof()
        answer = await reader.read(-1)
    assert digest(answer.partition(b"\r\n\r\n")[2]) == DIGEST


@pytest.mark.parametrize(
    ("garbage", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\r\n\r\n", 400, id="no-http"),
        pytest.param(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", 414, id="long-target"),
        pytest.param(b"GET /\r\n\r\n", 400, id="no-version"),
    ],
)
async def test_garbage_behind_a_request_is_answered_behind_its_body(
    large: Large, garbage: bytes, status: int
) -> None:
    async with large.asked(large.head + garbage) as (reader, _):
        answer = (await reader.read(-1)).partition(b"\r\n\r\n")[2]
    assert digest(answer[:SIZE]) == DIGEST
    assert status_of(answer[SIZE:]) == status


async def test_a_client_that_ends_gets_what_it_asked_for_behind_a_file(large: Large) -> None:
    small = f"GET /ipfs/{large.listening.root}/a.txt HTTP/1.1\r\nHost: example.com\r\n\r\n"
    async with large.asked(large.head + small.encode() + small.encode()[:20]) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write_eof()
        answer = await reader.read(-1)
    assert digest(answer[:SIZE]) == DIGEST
    assert answer.endswith(PAGE)


async def test_stopping_lets_a_file_end() -> None:
    large = Large()
    await large.start()
    async with large.asked(large.head) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        stopping = asyncio.create_task(large.listening.stop())
        assert digest(await reader.readexactly(SIZE)) == DIGEST
        assert await reader.read() == b""
        await stopping


async def test_a_purge_takes_nothing_from_an_answer_under_way(large: Large) -> None:
    async with large.asked(large.head) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        large.listening.table.clear()
        assert large.listening.table.files_bytes == 0
        assert digest(await reader.readexactly(SIZE)) == DIGEST


async def test_without_descriptors_a_file_takes_the_slow_path(
    large: Large, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "dup", fail)
    answer = await large.ask()
    assert b"detail=memory" in answer
    assert digest(answer[-SIZE:]) == DIGEST


async def test_a_file_counts_against_the_limit_of_the_client() -> None:
    large = Large(LimitsSettings(requests="1/minute", burst=4))
    await large.start()
    heads = [(await large.ask())[:13] for _ in range(3)]
    await large.listening.stop()
    assert heads == [b"HTTP/1.1 200 ", b"HTTP/1.1 200 ", b"HTTP/1.1 429 "]


def test_uvloop_sends_files_too() -> None:
    async def run() -> None:
        large = Large()
        await large.start()
        async with large.asked(b"") as (reader, writer):
            for _ in range(3):
                writer.write(large.head)
                assert b"detail=hot" in await reader.readuntil(b"\r\n\r\n")
                assert digest(await reader.readexactly(SIZE)) == DIGEST
        await large.listening.stop()

    uvloop.run(run())


@pytest.mark.parametrize("more", [b"", b"X-Unheard-Of: 1\r\n", b"Connection: close\r\n"])
def test_uvloop_cuts_readers_that_stall_too(monkeypatch: pytest.MonkeyPatch, more: bytes) -> None:
    for module in ("connection.write_timeout", "hot.sendfile"):
        monkeypatch.setattr(f"gateway.web.{module}.STALLED_S", 0.05)

    async def run() -> Outcome:
        large = Large()
        await large.start()
        async with large.asked(large.head[:-2] + more + b"\r\n") as (reader, _):
            await reader.readuntil(b"\r\n\r\n")
            outcome = await large.outcome()
        await large.listening.stop()
        return outcome

    assert uvloop.run(run()) is Outcome.LEFT
