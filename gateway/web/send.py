"""Sending a reply over ASGI, and noticing a client that has left."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from gateway.content.read import cut
from gateway.content.unixfs import Piece
from gateway.pipeline import Reply
from gateway.protocol.answer import BodyBytes, BodyFile, BodyParts
from gateway.protocol.headers import Headers

GENERATION = "gateway.hot.generation"
"""Of the table, in the scope's state, from when the request began."""


TURN_BYTES: Final = 512 * 1024
"""Sent before others have a turn: a fast client never makes us wait. With blocks that come from the
disk it is 0.5 ms of work."""
MIN_PIECE_BYTES: Final = 16 * 1024
"""What a smaller piece counts as: it takes as long."""

MIN_MADE_BYTES: Final = TURN_BYTES // 4
"""Likewise of bodies that are made and not read, where a piece is a few milliseconds of work."""
MAX_HELD_BYTES: Final = 256 * 1024
"""Handed to the connection at once; it waits for its client when it holds more than 64 KiB."""

_READ: Final = (BodyFile, BodyParts)

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def request_target(scope: Scope) -> bytes:
    """Return the request target as it was sent, query included."""
    query: bytes = scope["query_string"]
    raw_path: bytes = scope["raw_path"]
    return raw_path + b"?" + query if query else raw_path


class Watch:
    """Cancels the running request when its client disconnects.

    Started late, before the first wait, so that requests that never wait do not pay for it.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task: asyncio.Task[None] | None = None
        self.has_left = False
        """Whether the client is gone."""

    def start(self) -> None:
        """Start to watch; does nothing the second time."""
        if self._task is None:
            request = asyncio.current_task()
            assert request is not None  # noqa: S101 (ASGI applications run in tasks)
            self._task = asyncio.create_task(self._wait(request))

    async def _wait(self, request: "asyncio.Task[Any]") -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.has_left = True
                request.cancel()
                return

    def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()


async def send_reply(
    reply: Reply, fields: Headers, send: Send, watch: Watch, count: Callable[[int], None]
) -> None:
    """Send head and body.

    Args:
        reply: what to send; the caller closes it.
        fields: header fields of the edge, such as RateLimit.
        send: the ASGI callable; waits while the client is slow to read.
        watch: started before a body that takes long.
        count: told of the bytes of the body as they are sent.

    Raises:
        GatewayError: a block could not be had after the head was sent. The response is not
            complete then, and must never look so: the server closes the connection.
    """
    answer = reply.answer
    headers = [*answer.headers, *fields]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if reply.pieces is None:
        data = answer.body.data if isinstance(answer.body, BodyBytes) else b""
        if len(data) > MAX_HELD_BYTES:
            watch.start()
            await _send_piece(data, send, count)
            data = b""
        count(len(data))
        await send({"type": "http.response.body", "body": data})
        return
    watch.start()
    least = MIN_PIECE_BYTES if isinstance(answer.body, _READ) else MIN_MADE_BYTES
    turn_bytes = 0
    async for piece in reply.pieces:
        await _send_piece(piece, send, count)
        turn_bytes += max(len(piece), least)
        if turn_bytes >= TURN_BYTES:
            turn_bytes = 0
            await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


async def _send_piece(piece: Piece, send: Send, count: Callable[[int], None]) -> None:
    """Send a piece in parts, so that the connection of a slow client never holds all of it."""
    for start in range(0, len(piece), MAX_HELD_BYTES):
        part = cut(piece, start, start + MAX_HELD_BYTES)
        await send({"type": "http.response.body", "body": part, "more_body": True})
        count(len(part))
