"""A Redis on loopback that knows two commands, and can hang, fail and babble.

https://redis.io/docs/latest/develop/reference/protocol-spec/. The real one is in the integration
tests.
"""

import asyncio
from types import TracebackType
from typing import Self


class RedisServer:
    """Keeps values for ever; use as `async with`."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.lifetimes_s: dict[bytes, int] = {}
        self.connections = 0
        self.commands: list[bytes] = []
        """Names of the commands that were about values."""
        self.is_mute = False
        self.delay_s = 0.0
        """Before each answer."""
        self.babble: bytes | None = None
        """Sent in place of any answer."""
        self._port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """How a gateway is told about it."""
        return f"redis://127.0.0.1:{self._port}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop listening and cut all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                command = await _read(reader)
                answer = self._answer([command[0].upper(), *command[1:]])
                await asyncio.sleep(self.delay_s)
                if not self.is_mute:
                    writer.write(answer if self.babble is None else self.babble)
        except (asyncio.IncompleteReadError, OSError):
            pass  # the client has gone
        finally:
            writer.transport.abort()

    def _answer(self, command: list[bytes]) -> bytes:
        match command:
            case [b"GET", key]:
                self.commands.append(b"GET")
                value = self.kept.get(key)
                return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
            case [b"SET", key, value, b"EX", seconds]:
                self.commands.append(b"SET")
                self.kept[key] = value
                self.lifetimes_s[key] = int(seconds)
                return b"+OK\r\n"
            case _:
                return b"+OK\r\n"


async def _read(reader: asyncio.StreamReader) -> list[bytes]:
    """Read a command: an array of strings."""
    count = int((await reader.readuntil(b"\r\n"))[1:])
    parts = []
    for _ in range(count):
        size = int((await reader.readuntil(b"\r\n"))[1:])
        parts.append((await reader.readexactly(size + 2))[:-2])
    return parts
