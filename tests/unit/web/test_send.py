"""Sending a body: others have their turn, however fast the client is."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.pipeline import Reply
from gateway.protocol.answer import Answer, BodyBytes, BodyFile
from gateway.web.send import MAX_HELD_BYTES, MIN_PIECE_BYTES, TURN_BYTES, Message, Watch, send_reply


async def take(message: Message) -> None:
    """Be a client that is always ready."""


async def stay() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def pieces(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(size)


@pytest.mark.parametrize(
    ("count", "size", "turns"),
    [
        pytest.param(16, TURN_BYTES // 2, 8, id="two-pieces"),
        pytest.param(8, 2 * TURN_BYTES, 8, id="each-large-piece"),
        pytest.param(8 * TURN_BYTES // MIN_PIECE_BYTES, 1, 8, id="tiny-pieces"),
        pytest.param(1, TURN_BYTES // 2, 0, id="short-body"),
    ],
)
async def test_others_have_their_turn_after_so_much(count: int, size: int, turns: int) -> None:
    had = 0

    async def be_another() -> None:
        nonlocal had
        while True:
            await asyncio.sleep(0)
            had += 1

    other = asyncio.create_task(be_another())
    await asyncio.sleep(0)
    reply = Reply(Answer(200, (), BodyFile(0, count * size)), pieces(count, size))
    watch, counted = Watch(stay), list[int]()
    await send_reply(reply, (), take, watch, counted.append)
    watch.stop()
    other.cancel()
    assert sum(counted) == count * size
    assert had == turns


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_a_connection_is_never_handed_more_than_its_share(*, is_streamed: bool) -> None:
    """Issue 12, 21: what a client does not read stays in the connection, as a copy of its own."""
    data = bytes(range(256)) * 4096
    answer = Answer(200, (), BodyFile(0, len(data)) if is_streamed else BodyBytes(data))
    sent: list[bytes] = []

    async def note(message: Message) -> None:
        sent.append(bytes(message.get("body", b"")))

    async def one() -> AsyncIterator[bytes]:
        yield data

    watch, counted = Watch(stay), list[int]()
    await send_reply(Reply(answer, one() if is_streamed else None), (), note, watch, counted.append)
    watch.stop()
    assert b"".join(sent) == data
    assert max(map(len, sent)) == MAX_HELD_BYTES
    assert sum(counted) == len(data)
