"""A link that is long, narrow or faulty."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from benchmarks.rig.link import Fault, Link, Shape

BODY = bytes(range(256)) * 400


@pytest.fixture(name="link")
async def link_fixture() -> AsyncIterator[Link]:
    answering: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while await reader.read(5):
                writer.write(BODY)
                await writer.drain()
        writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.create_task(answer(reader, writer)))

    target = await asyncio.start_server(accept, "127.0.0.1", 0)
    link = Link(target.sockets[0].getsockname()[1])
    await link.open()
    async with target:
        yield link
        link.close()
        await asyncio.gather(*answering)


async def ask(link: Link, *, limit_s: float = 5.0) -> bytes:
    async with asyncio.timeout(limit_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        try:
            writer.write(b"hello")
            return await reader.readexactly(len(BODY))
        finally:
            writer.close()


async def test_a_good_link_changes_nothing(link: Link) -> None:
    assert await ask(link) == BODY


@pytest.mark.parametrize(
    ("shape", "at_least_s"),
    [
        pytest.param(Shape(round_trip_ms=60), 0.06, id="long"),
        pytest.param(Shape(mbit_s=8), len(BODY) / 1_000_000, id="narrow"),
        pytest.param(Shape(60, 8), 0.06 + len(BODY) / 1_000_000, id="long-and-narrow"),
    ],
)
async def test_a_link_takes_its_time(link: Link, shape: Shape, at_least_s: float) -> None:
    await link.change(shape)
    started = time.monotonic()
    assert await ask(link) == BODY
    assert time.monotonic() - started >= at_least_s


async def test_all_connections_share_a_narrow_link(link: Link) -> None:
    await link.change(Shape(mbit_s=8))
    started = time.monotonic()
    await asyncio.gather(ask(link), ask(link), ask(link))
    assert time.monotonic() - started >= 3 * len(BODY) / 1_000_000


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.RESET])
async def test_a_broken_link_is_an_error_and_works_again(link: Link, fault: Fault) -> None:
    await link.change(Shape(fault=fault))
    with pytest.raises((OSError, EOFError), match=r"."):
        await ask(link)
    await link.change(Shape())
    assert await ask(link) == BODY


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.HALF_OPEN])
async def test_a_silent_link_says_nothing(link: Link, fault: Fault) -> None:
    await link.change(Shape(fault=fault))
    with pytest.raises(TimeoutError):
        await ask(link, limit_s=0.1)
    await link.change(Shape())
    assert await ask(link) == BODY


async def test_a_lying_link_changes_some_bits(link: Link) -> None:
    await link.change(Shape(fault=Fault.LIE))
    got = await ask(link)
    differing = [one ^ other for one, other in zip(got, BODY, strict=True) if one != other]
    assert differing
    assert set(differing) == {1}
