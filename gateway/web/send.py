"""Sending a reply over ASGI, and noticing a client that has left."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from gateway.pipeline import Reply
from gateway.protocol.answer import BodyBytes
from gateway.protocol.headers import Headers

TURN_BYTES: Final = 512 * 1024
"""Sent before others have a turn: a fast client never makes us wait. With blocks that come from the
disk it is 0.5 ms of work."""
MIN_PIECE_BYTES: Final = 16 * 1024
"""What a smaller piece counts as: it takes as long."""

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
        count(len(data))
        await send({"type": "http.response.body", "body": data})
        return
    watch.start()
    turn_bytes = 0
    async for piece in reply.pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        count(len(piece))
        turn_bytes += max(len(piece), MIN_PIECE_BYTES)
        if turn_bytes >= TURN_BYTES:
            turn_bytes = 0
            await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})
