"""An upstream for IPNS records, or a resolver over HTTPS, on a raw socket; as honest as it is told.

No framework: it has to break the framing, too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from typing_extensions import override

from gateway.settings import UpstreamSettings
from tests.fakes.server import FakeServer

RECORD_TYPE = "application/vnd.ipfs.ipns-record"

Tier = Literal["cluster", "public"]
Behaviour = Callable[[asyncio.StreamWriter, str], Awaitable[None]]
"""Answers a request, given its target; what it does not close is kept alive."""


def head(status: str, fields: Mapping[str, str]) -> bytes:
    """Return the head of an answer."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode()


def says(
    body: bytes = b"",
    status: str = "200 OK",
    media_type: str = RECORD_TYPE,
    more: Mapping[str, str] = {},
) -> Behaviour:
    """Answer with a body."""
    fields = {"content-type": media_type, "content-length": str(len(body)), **more}

    async def answer(writer: asyncio.StreamWriter, _target: str) -> None:
        writer.write(head(status, fields) + body)

    return answer


absent = says(b"no\n", "404 Not Found", "text/plain")


async def silent(_writer: asyncio.StreamWriter, _target: str) -> None:
    """Say nothing."""


async def drip(writer: asyncio.StreamWriter, _target: str) -> None:
    """Send a byte of the body now and then, for ever."""
    writer.write(head("200 OK", {"content-type": RECORD_TYPE, "transfer-encoding": "chunked"}))
    while True:
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless(writer: asyncio.StreamWriter, _target: str) -> None:
    """Send a body without an end."""
    writer.write(head("200 OK", {"content-type": RECORD_TYPE, "transfer-encoding": "chunked"}))
    while True:
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        await writer.drain()


async def hang_up(writer: asyncio.StreamWriter, _target: str) -> None:
    """Close the connection without a word."""
    writer.transport.abort()


def by_path(**answers: Behaviour) -> Behaviour:
    """Answer `/ipns/...` and `/routing/...` differently."""

    async def answer(writer: asyncio.StreamWriter, target: str) -> None:
        await answers[target.split("/")[1]](writer, target)

    return answer


def after(event: asyncio.Event, behaviour: Behaviour) -> Behaviour:
    """Wait for an event, then answer."""

    async def answer(writer: asyncio.StreamWriter, target: str) -> None:
        await event.wait()
        await behaviour(writer, target)

    return answer


class RecordUpstream(FakeServer):
    """Answers every request on loopback in one way."""

    def __init__(
        self, behaviour: Behaviour = absent, *, name: str = "records", tier: Tier = "public"
    ) -> None:
        super().__init__()
        self.behaviour = behaviour
        self.name = name
        self.targets: list[str] = []
        self.asked = asyncio.Semaphore(0)
        """Released by each request."""
        self.headers: list[dict[str, str]] = []
        self._tier = tier

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def settings(self) -> UpstreamSettings:
        """How a gateway is told about it."""
        return UpstreamSettings(name=self.name, url=self.url, tier=self._tier)

    @override
    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            target = request.split(" ")[1]
            self.targets.append(target)
            self.headers.append(dict(line.lower().split(": ", 1) for line in lines if line))
            self.asked.release()
            await self.behaviour(writer, target)
