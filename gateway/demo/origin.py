"""A trustless gateway over one CAR file, in a process of its own.

    python -m gateway.demo.origin FILE.car

It listens on a free loopback port, writes its URL as one line to standard output, and ends at the
end of its standard input, so when its parent ends. It implements
https://specs.ipfs.tech/http-gateways/trustless-gateway/ and nothing else.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import uvicorn
import uvloop
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.content.car import car_header, car_section
from gateway.content.car_walk import walk_car
from gateway.content.path import ContentPath
from gateway.content.resolve import resolve
from gateway.content.walk import Walk
from gateway.demo.carfile import CarFile
from gateway.errors import BlockAbsent, ClientError, ContentError, NoSuchLink, NotTraversable
from gateway.protocol.car import CarParams
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.request import GatewayRequest, parse_request

T = TypeVar("T")

_FOREVER = "public, max-age=29030400, immutable"
_DRAIN_S = 1
"""Seconds for responses in flight once the parent has ended."""


class Origin:
    """The ASGI application of the demo's upstream."""

    def __init__(self, blocks: CarFile) -> None:
        self._blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        try:
            wanted = parse_request(
                request.method, scope["raw_path"], scope["query_string"], request.headers.raw
            )
            if isinstance(wanted, GatewayRequest) and isinstance(wanted.path, ContentPath):
                response = self._answer(wanted, wanted.path)
            else:
                response = _refusal()
        except ClientError as exc:
            response = PlainTextResponse(f"{exc}\n", 400)
        await response(scope, receive, send)

    def _answer(self, wanted: GatewayRequest, path: ContentPath) -> Response:
        if path.root not in self._blocks:
            status = 412 if wanted.only_if_cached else 404
            return PlainTextResponse(f"{path.root} is not here\n", status)
        if wanted.format is ResponseFormat.RAW:
            return self._raw(wanted, path)
        if wanted.format is ResponseFormat.CAR:
            return self._car(wanted, path)
        return _refusal()

    def _raw(self, wanted: GatewayRequest, path: ContentPath) -> Response:
        try:
            block = self._run(resolve(path.root, path.segments)).block
        except (ContentError, BlockAbsent) as exc:
            return PlainTextResponse(f"{exc}\n", 404)
        headers = _headers(wanted, "application/vnd.ipld.raw") | {
            "Content-Length": str(len(block.data))
        }
        return Response(b"" if wanted.is_head else block.data, headers=headers)

    def _run(self, walk: Walk[T]) -> T:
        """Run a walk on the blocks of the file."""
        try:
            want = next(walk)
            while True:
                want = walk.send(self._blocks.get(want.cid))
        except StopIteration as stop:
            value: T = stop.value
            return value

    def _car(self, wanted: GatewayRequest, path: ContentPath) -> Response:
        dups = "y" if wanted.car.dups else "n"
        headers = _headers(
            wanted, f"application/vnd.ipld.car; version=1; order=dfs; dups={dups}"
        ) | {"Accept-Ranges": "none"}
        if wanted.is_head:
            response = Response(headers=headers)
            del response.headers["Content-Length"]  # not known before all blocks were walked
            return response
        return StreamingResponse(self._sections(wanted.car, path), headers=headers)

    async def _sections(self, car: CarParams, path: ContentPath) -> AsyncIterator[bytes]:
        """Yield the CAR in pieces; a missing name ends it after the blocks that prove its absence.

        Raises:
            BlockAbsent, BadBlock: the file is incomplete or damaged; the connection is then cut.
        """
        sent: set[bytes] = set()
        walk = walk_car(
            path.root, path.segments, car.scope, car.start, car.stop, is_unique=not car.dups
        )
        yield car_header((path.root,))
        try:
            want = next(walk)
            while True:
                block = self._blocks.get(want.cid)
                if car.dups or block.cid.multihash not in sent:
                    sent.add(block.cid.multihash)
                    yield b"".join(car_section(block))
                want = walk.send(block)
        except (StopIteration, NoSuchLink, NotTraversable):
            return


def _headers(wanted: GatewayRequest, media_type: str) -> dict[str, str]:
    suffix = "car" if wanted.format is ResponseFormat.CAR else "bin"
    return {
        "Content-Type": media_type,
        "Content-Disposition": f'attachment; filename="{wanted.path.root_name}.{suffix}"',
        "Cache-Control": _FOREVER,
        "X-Content-Type-Options": "nosniff",
    }


def _refusal() -> Response:
    return PlainTextResponse("this gateway is trustless: ask for format=raw or format=car\n", 406)


async def serve_origin(car: Path) -> None:
    """Serve a CAR file until standard input ends.

    Raises:
        BadCar: the file is malformed.
        OSError: it cannot be opened.
    """
    with CarFile(car) as blocks, socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            Origin(blocks),
            lifespan="off",
            log_level="critical",
            timeout_graceful_shutdown=_DRAIN_S,
        )
        server = uvicorn.Server(config)
        host, port = listener.getsockname()
        sys.stdout.write(f"http://{host}:{port}\n")
        sys.stdout.flush()
        parent = sys.stdin.fileno()
        asyncio.get_running_loop().add_reader(parent, lambda: _end_with(parent, server))
        await server.serve(sockets=[listener])


def _end_with(parent: int, server: uvicorn.Server) -> None:
    """Stop the server once the other end of the pipe is closed."""
    if not os.read(parent, 1):
        asyncio.get_running_loop().remove_reader(parent)
        server.should_exit = True


if __name__ == "__main__":
    uvloop.run(serve_origin(Path(sys.argv[1])))
