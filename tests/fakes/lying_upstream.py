"""A trustless gateway on a raw socket that can misbehave in every way that a test asks for.

No framework: it has to break the framing, too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from typing_extensions import override

from gateway.content.block import Block
from gateway.content.car import car_header, car_section
from gateway.content.car_walk import walk_car
from gateway.content.cid import Cid, parse_cid
from gateway.content.walk import Scope
from gateway.errors import BadBlock, NoSuchLink, NotTraversable
from gateway.settings import UpstreamSettings
from tests.fakes.server import FakeServer

CAR_TYPE = "application/vnd.ipld.car; version=1; order=dfs; dups=y"
RAW_TYPE = "application/vnd.ipld.raw"


@dataclass(slots=True)
class Logged:
    """One request and what became of it."""

    step: str
    """`car` or `raw`."""
    cid: Cid
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    method: str = "GET"
    segments: tuple[str, ...] = ()
    query: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    sent_bytes: int = 0
    is_cut_off: bool = False
    """The client closed the connection before it had everything."""


@dataclass(slots=True)
class Answer:
    """One answer in the making."""

    upstream: "LyingUpstream"
    request: Logged
    writer: asyncio.StreamWriter
    held: bytearray | None = None
    """What is not sent yet, while everything is to be sent at once."""

    @property
    def is_car(self) -> bool:
        return self.request.step == "car"

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self.held is not None:
            self.held += data
            return
        if self.writer.transport.is_closing():  # uvloop raises RuntimeError
            raise ConnectionResetError("the client has gone")
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(0)  # drain alone gives nobody else a turn
        self.request.sent_bytes += len(data)

    async def flush(self) -> None:
        """Send at once what was held."""
        data, self.held = bytes(self.held or b""), None
        await self.send(data)

    async def head(
        self, status: str = "200 OK", more: Mapping[str, str] = {}, *, body: int | None = None
    ) -> None:
        """Send a head; without the length of a body it is chunked. `more` wins."""
        fields = {"content-type": CAR_TYPE if self.is_car else RAW_TYPE}
        if body is None:
            fields["transfer-encoding"] = "chunked"
        else:
            fields["content-length"] = str(body)
        fields |= more
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await self.send(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode())

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def end(self) -> None:
        await self.send(b"0\r\n\r\n")

    def close(self) -> None:
        self.writer.transport.abort()

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of an honest CAR, until one is missing; of raw the one."""
        if not self.is_car:
            yield self.upstream.blocks[self.request.cid.multihash]
            return
        walk = walk_car(self.request.cid, self.request.segments, *self._selection())
        try:
            want = next(walk)
            while True:
                block = self.upstream.blocks[want.cid.multihash]
                yield block
                want = walk.send(block)
        except (StopIteration, NoSuchLink, NotTraversable):  # Kubo sends what proves the absence
            return

    def _selection(self) -> tuple[Scope, int, int | None]:
        scope = Scope(self.request.query.get("dag-scope", ["all"])[0])
        first, _, last = self.request.query.get("entity-bytes", ["0:*"])[0].partition(":")
        stop = None if last in ("*", "-1") else int(last) + 1
        return scope, int(first), stop

    async def send_blocks(self, blocks: Iterable[Block]) -> None:
        """Send blocks honestly framed, each section a chunk."""
        for block in blocks:
            await self.chunk(b"".join(car_section(block)) if self.is_car else block.data)

    async def begin(self, more: Mapping[str, str] = {}) -> None:
        """Send an honest head, and the header of a CAR."""
        await self.head(more=more)
        if self.is_car:
            await self.chunk(car_header([self.request.cid]))


Behaviour = Callable[[Answer], Awaitable[None]]


async def honest(answer: Answer) -> None:
    """Answer as Kubo does: 404 to raw, a CAR that breaks off, for what is not there."""
    if answer.request.method == "HEAD":  # only-if-cached
        is_here = answer.request.cid.multihash in answer.upstream.blocks
        await answer.head("200 OK" if is_here else "412 Precondition Failed", body=0)
        return
    if answer.is_car:
        await answer.begin()
        try:
            for block in answer.blocks():
                await answer.upstream.before_block(block)
                await answer.send_blocks([block])
        except (KeyError, BadBlock):
            answer.close()
        else:
            await answer.end()
        return
    kept = answer.upstream.blocks.get(answer.request.cid.multihash)
    if kept is None:
        await answer.head("404 Not Found", body=10)
        await answer.send(b"not found\n")
    else:
        await answer.upstream.before_block(kept)
        await answer.head(body=len(kept.data))
        await answer.send(kept.data)


async def _no_pause(_block: Block) -> None:
    """Send at once."""


class LyingUpstream(FakeServer):
    """Serves `blocks` on loopback."""

    def __init__(
        self,
        blocks: Iterable[Block] = (),
        behaviour: Behaviour = honest,
        *,
        name: str = "liar",
        tier: str = "public",
    ) -> None:
        super().__init__()
        self.blocks = {block.cid.multihash: block for block in blocks}
        self.behaviour = behaviour
        self.answers_probes = True
        """Whether probes (`bafkqaaa`) are answered well and not logged, whatever else it does."""
        self.before_block: Callable[[Block], Awaitable[None]] = _no_pause
        """Awaited before an honest block is sent."""
        self.name = name
        self.log: list[Logged] = []
        self._tier = tier

    @property
    def settings(self) -> UpstreamSettings:
        """How a gateway is told about it."""
        url = f"http://127.0.0.1:{self._port}"
        return UpstreamSettings(
            name=self.name, url=url, tier="cluster" if self._tier == "cluster" else "public"
        )

    @property
    def sent_bytes(self) -> int:
        """All that was sent."""
        return sum(logged.sent_bytes for logged in self.log)

    def asked(self, step: str) -> list[Cid]:
        """Return what was asked for in one way, in order; `head` is only about who has it."""
        return [logged.cid for logged in self.log if logged.step == step]

    @override
    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            logged = _parse(head.decode("ascii"))
            if logged.cid.is_identity and self.answers_probes:
                await Answer(self, logged, writer).head(body=0)
                continue
            self.log.append(logged)
            try:
                await self.behaviour(Answer(self, logged, writer))
            except OSError:
                logged.is_cut_off = True
                raise


def _parse(head: str) -> Logged:
    request, *lines = head.split("\r\n")
    method, target, _ = request.split(" ")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    parts = urlsplit(target)
    namespace, cid, *segments = parts.path.removeprefix("/").split("/")
    assert namespace == "ipfs"
    query = parse_qs(parts.query)
    names = tuple(unquote(segment) for segment in segments)
    step = "head" if method == "HEAD" else query["format"][0]
    return Logged(step, parse_cid(cid), target, headers, method, names, query)
