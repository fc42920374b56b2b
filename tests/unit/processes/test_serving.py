"""A listener is drained: who came in gets an answer, who takes too long is cut."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.processes.listeners import open_listener
from gateway.processes.serving import Serving
from tests.fakes.service import FakeService


class Bench:
    """A listener that serves a fake, and one connection to it."""

    def __init__(self) -> None:
        self.service = FakeService()

    async def open(self, grace_s: int = 10) -> None:
        listener = open_listener("127.0.0.1:0")
        self.address = listener.socket.getsockname()[:2]
        self.serving = await Serving.start(self.service.app, listener, grace_s=grace_s)
        self.reader, self.writer = await asyncio.open_connection(*self.address)

    async def ask(self, path: bytes) -> None:
        self.writer.write(b"GET %b HTTP/1.1\r\nhost: gateway\r\n\r\n" % path)
        await self.writer.drain()


@pytest.fixture(name="bench")
async def bench_fixture(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.open(**getattr(request, "param", {}))
    yield bench
    bench.serving.cut()
    bench.writer.close()


async def test_it_accepts_once_started(bench: Bench) -> None:
    await bench.ask(b"/")

    assert (await bench.reader.readline()) == b"HTTP/1.1 200 OK\r\n"


async def test_the_answers_do_not_name_the_server(bench: Bench) -> None:
    await bench.ask(b"/")

    head = await bench.reader.readuntil(b"\r\n\r\n")

    assert b"server:" not in head
    assert b"date:" in head


async def test_draining_finishes_what_is_in_flight(bench: Bench) -> None:
    await bench.ask(b"/wait")
    await bench.service.entered.wait()

    draining = asyncio.create_task(bench.serving.drain())
    bench.service.release.set()
    answer = await bench.reader.read()
    await draining

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_draining_ends_idle_connections(bench: Bench) -> None:
    await bench.ask(b"/")
    await bench.reader.readuntil(b"\r\n\r\n")

    await bench.serving.drain()

    await bench.reader.read()
    assert bench.reader.at_eof()


async def test_nobody_comes_in_after_draining(bench: Bench) -> None:
    await bench.serving.drain()

    with pytest.raises(ConnectionRefusedError, match=r"refused|111"):
        await asyncio.open_connection(*bench.address)


async def test_cutting_ends_a_body_without_its_end(bench: Bench) -> None:
    await bench.ask(b"/endless")
    await bench.reader.readuntil(b"\r\n\r\n")

    bench.serving.cut()

    with pytest.raises(asyncio.IncompleteReadError, match="bytes read"):
        await bench.reader.readuntil(b"0\r\n\r\n")  # the end of a chunked body


@pytest.mark.parametrize("bench", [{"grace_s": 0}], indirect=True)
async def test_draining_cuts_what_outlasts_the_grace(bench: Bench) -> None:
    await bench.ask(b"/endless")
    await bench.reader.readuntil(b"\r\n\r\n")

    await bench.serving.drain()

    with pytest.raises(asyncio.IncompleteReadError, match="bytes read"):
        await bench.reader.readuntil(b"0\r\n\r\n")


async def test_a_listener_that_is_gone_is_told() -> None:
    listener = open_listener("127.0.0.1:0")
    listener.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        await Serving.start(FakeService().app, listener)
