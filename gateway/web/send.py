"""Sends replies over ASGI, and detects clients that disconnect."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from gateway.content.read import cut
from gateway.content.unixfs import Piece
from gateway.pipeline import Reply
from gateway.protocol.answer import BodyBytes, BodyFile, BodyParts
from gateway.protocol.headers import Headers

GENERATION = "gateway.hot.generation"
"""Key in the scope's state: generation of the hot table when the request began."""


TURN_BYTES: Final = 512 * 1024
"""Bytes sent before other requests get a turn; with a fast client no send would wait. With blocks
from the disk this is 0.5 ms of work."""
MIN_PIECE_BYTES: Final = 16 * 1024
"""A smaller piece counts as this many bytes of the turn, since it takes as long."""

MIN_MADE_BYTES: Final = TURN_BYTES // 4
"""The same for generated bodies, where a piece takes a few milliseconds of work."""
MAX_HELD_BYTES: Final = 256 * 1024
"""Bytes passed to the connection in one call; it waits for the client above 64 KiB."""

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

    Callers start it late, before the first wait, so that requests that never wait do not pay for
    it.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task: asyncio.Task[None] | None = None
        self.has_left = False
        """Whether the client is gone."""

    def start(self) -> None:
        """Start the watch; has no effect the second time."""
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
    """Send the head and the body of a reply.

    Args:
        reply: the reply; the caller closes it.
        fields: further header fields, such as RateLimit.
        send: the ASGI callable; waits while the client is slow to read.
        watch: started before the body, unless that is short and at hand.
        count: called with the number of body bytes after each part is sent.

    Raises:
        GatewayError: a block could not be retrieved after the head was sent. The response is
            then incomplete and must not look complete: the server closes the connection.
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
    """Send a piece in parts, so that the connection of a slow client never buffers all of it."""
    for start in range(0, len(piece), MAX_HELD_BYTES):
        part = cut(piece, start, start + MAX_HELD_BYTES)
        await send({"type": "http.response.body", "body": part, "more_body": True})
        count(len(part))
