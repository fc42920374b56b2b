"""Messages arrive whole, and the end of the other side is seen."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.processes.channel import Channel


@pytest.fixture(name="ends")
async def ends_fixture() -> AsyncIterator[tuple[Channel, Channel]]:
    left, right = [await Channel.open(end) for end in socket.socketpair()]
    yield left, right
    left.close()
    right.close()


async def test_messages_arrive_in_order(ends: tuple[Channel, Channel]) -> None:
    left, right = ends
    large = {"text": "x" * 1_000_000}

    sending = asyncio.gather(left.send({"ask": 1}), left.send(large))

    assert await right.receive() == {"ask": 1}
    assert await right.receive() == large
    await sending


async def test_the_end_of_the_other_side_is_none(ends: tuple[Channel, Channel]) -> None:
    left, right = ends
    left.close()

    assert await right.receive() is None
    assert await right.receive() is None


async def test_sending_to_nobody_is_harmless(ends: tuple[Channel, Channel]) -> None:
    left, right = ends
    right.close()
    await left.receive()

    for _ in range(3):
        await left.send({"ask": 1})


async def test_a_message_that_was_cut_is_none() -> None:
    ours, its = socket.socketpair()
    channel = await Channel.open(ours)
    its.sendall(b'{"ask": 1')
    its.close()

    assert await channel.receive() is None
    channel.close()
