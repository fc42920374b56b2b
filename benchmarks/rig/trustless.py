"""A trustless gateway in our own loop that counts what it sends, and fails as it is told to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final

from aiohttp import web

from gateway.content.block import Block
from gateway.content.car import car_header, car_section
from gateway.content.car_walk import walk_car
from gateway.content.cid import Cid, parse_cid
from gateway.content.walk import Scope

HANG_S: Final = 0.3  # before a reset
CAR_TYPE: Final = "application/vnd.ipld.car; version=1; order=dfs; dups=y"
RAW_TYPE: Final = "application/vnd.ipld.raw"


class Manner(StrEnum):
    """How an upstream answers."""

    HONEST = "honest"
    ERROR = "500"
    RESET = "hang and reset"
    LIE = "lie"
    ABSENT = "404"
    HEAD_ONLY = "head only"
    """Heads are sent, bodies are not."""
    HALF_BODY = "half body"
    """Every body is cut half-way."""
    STALL = "stall"
    """Silent for good once it has sent so many blocks as `stall_after`."""


class Origin:
    """One upstream; see `running_origins`.

    Args:
        name: as the gateway is told.
        blocks: what it has.
        pace_s: before each block.
    """

    def __init__(self, name: str, blocks: Iterable[Block], pace_s: float = 0.0) -> None:
        self.name = name
        self.blocks = {block.cid.multihash: block for block in blocks}
        self.pace_s = pace_s
        self.manner = Manner.HONEST
        self.stall_after = 0
        self.on_request: Callable[[Origin], None] | None = None
        """Called before a request for content is answered."""
        self.port = 0
        self.requests = 0
        """For content; probes with the empty CID are not counted."""
        self.sent_bytes = 0
        self.sent_blocks = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request as the manner of the moment wants it."""
        cid = parse_cid(request.match_info["cid"])
        if cid.is_identity:
            return web.Response(content_type=RAW_TYPE)
        self.requests += 1
        if self.on_request is not None:
            self.on_request(self)
        if self.manner is Manner.RESET:
            await asyncio.sleep(HANG_S)
            return self._cut(request)
        is_absent = self.manner is Manner.ABSENT or cid.multihash not in self.blocks
        if is_absent or self.manner is Manner.ERROR:
            return web.Response(status=404 if is_absent else 500)
        try:
            return await self._send(request, cid)
        except ConnectionError:  # it was left, or cut
            return self._cut(request)

    async def _send(self, request: web.Request, cid: Cid) -> web.StreamResponse:
        is_car = request.query["format"] == "car"
        response = web.StreamResponse()
        response.headers["Content-Type"] = CAR_TYPE if is_car else RAW_TYPE
        await response.prepare(request)
        if self.manner is Manner.HEAD_ONLY:
            await asyncio.Event().wait()
        blocks = (
            list(_walked(self.blocks, cid, request)) if is_car else [self.blocks[cid.multihash]]
        )
        if is_car:
            await self._write(response, car_header([cid]))
        for number, block in enumerate(blocks):
            await self._wait(self.sent_blocks)
            data = b"".join(car_section(block)) if is_car else block.data
            if self.manner is Manner.LIE:
                data = data[:-1] + bytes([data[-1] ^ 1])
            if self.manner is Manner.HALF_BODY and number == len(blocks) // 2:
                await self._write(response, data[: len(data) // 2])
                return self._cut(request)
            await self._write(response, data)
            self.sent_blocks += 1
        await response.write_eof()
        return response

    async def _wait(self, sent_blocks: int) -> None:
        if self.manner is Manner.STALL and sent_blocks >= self.stall_after:
            await asyncio.Event().wait()
        if self.pace_s:
            await asyncio.sleep(self.pace_s)

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        await response.write(data)
        self.sent_bytes += len(data)

    def _cut(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


def _walked(blocks: dict[bytes, Block], cid: Cid, request: web.Request) -> Iterator[Block]:
    """Yield the blocks of a CAR."""
    first, _, last = request.query.get("entity-bytes", "0:*").partition(":")
    stop = None if last == "*" else int(last) + 1
    walk = walk_car(cid, (), Scope(request.query["dag-scope"]), int(first), stop)
    try:
        want = next(walk)
        while True:
            block = blocks[want.cid.multihash]
            yield block
            want = walk.send(block)
    except StopIteration:
        return


@asynccontextmanager
async def running_origins(origins: Iterable[Origin]) -> AsyncIterator[None]:
    """Have upstreams listen on ports of loopback."""
    runners: list[web.AppRunner] = []
    try:
        for origin in origins:
            app = web.Application()
            app.router.add_get("/ipfs/{cid}", origin.answer)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            runners.append(runner)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            origin.port = runner.addresses[0][1]
        yield
    finally:
        for runner in runners:
            await runner.cleanup()
