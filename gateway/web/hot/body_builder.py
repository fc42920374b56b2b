"""Copies popular files from the block cache into anonymous files, which the kernel sends.

A file that was served whole from the cache more than once is read once more through the pipeline,
block by verified block, into an anonymous file. This happens for one file at a time, in turns with
the requests of clients.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.errors import GatewayError
from gateway.pipeline import Pipeline, Reply
from gateway.protocol.answer import Answer, BodyBytes, BodyFile
from gateway.protocol.request import GatewayRequest
from gateway.web.hot.file_body import CAN_SEND_FILES, BodyWriter, FileBody

MAX_SEEN: Final = 1024  # answers sent once lately; half of all content is requested only once

Keep = Callable[[Answer, FileBody], None]
"""Receives the answer to the plain request, and its body."""


class Filler:
    """Reads files that are requested repeatedly into anonymous files.

    Args:
        pipeline: reads the files.
        largest_bytes: size limit of one body; 0 switches the builder off.
    """

    def __init__(self, pipeline: Pipeline, largest_bytes: int) -> None:
        self._pipeline = pipeline
        self._largest = largest_bytes if CAN_SEND_FILES else 0
        self._seen: dict[bytes, None] = {}
        self._task: asyncio.Task[None] | None = None

    def offer(self, key: bytes, request: GatewayRequest, size: int, keep: Keep) -> None:
        """Start to build the body of a request that was offered before, unless another is built.

        Args:
            key: of the answer in the hot table.
            request: a GET of a whole file, which was answered from the cache.
            size: of the file, in bytes.
            keep: called with the finished body; not called when the build fails.
        """
        if size > self._largest or not self.has_come_before(key):
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._fill(request.plain(), keep))

    def has_come_before(self, key: bytes) -> bool:
        """Return whether this key was passed before, and remember it."""
        if key in self._seen:
            return True
        if len(self._seen) >= MAX_SEEN:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = None
        return False

    async def _fill(self, request: GatewayRequest, keep: Keep) -> None:
        try:
            reply = await self._pipeline.reply(request, None, _do_nothing)
            try:
                body = await self._copy(reply)
            finally:
                await reply.close()
        except (GatewayError, OSError):
            return  # evicted meanwhile, or no memory: the slow path keeps serving the file
        if body is not None:
            keep(reply.answer, body)

    async def _copy(self, reply: Reply) -> FileBody | None:
        """Return the body; None when the cache lacks a part of it, or when it is another file."""
        answer, writer = reply.answer, BodyWriter()
        if answer.status != 200:
            return None
        if isinstance(answer.body, BodyBytes):
            writer.write(answer.body.data)
            return writer.finish()
        if not isinstance(answer.body, BodyFile) or answer.body.stop > self._largest:
            return None
        if reply.pieces is not None:
            async for piece in reply.pieces:
                if reply.trace is None or reply.trace.fetched:
                    return None
                writer.write(piece)
                await asyncio.sleep(0)
        body = writer.finish()
        return body if len(body) == answer.body.stop else None

    async def settle(self) -> None:
        """Wait until no body is being built."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def close(self) -> None:
        """Cancel the build that is under way."""
        if self._task is not None:
            self._task.cancel()
            await self.settle()


def _do_nothing() -> None:
    """Replace the watch over a client, which a build does not have."""
