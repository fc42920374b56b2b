"""A Redis on loopback that knows two commands, and can hang, fail and babble.

https://redis.io/docs/latest/develop/reference/protocol-spec/. The real one is in the integration
tests.
"""

import asyncio

from typing_extensions import override

from tests.fakes.server import FakeServer


class RedisServer(FakeServer):
    """Keeps values for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[bytes, bytes] = {}
        self.lifetimes_s: dict[bytes, int] = {}
        self.commands: list[bytes] = []
        """Names of the commands that were about values."""
        self.is_mute = False
        self.delay_s = 0.0
        """Before each answer."""
        self.babble: bytes | None = None
        """Sent in place of any answer."""

    @property
    def url(self) -> str:
        """How a gateway is told about it."""
        return f"redis://127.0.0.1:{self._port}/0"

    @override
    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            command = await _read(reader)
            answer = self._answer([command[0].upper(), *command[1:]])
            await asyncio.sleep(self.delay_s)
            if not self.is_mute:
                writer.write(answer if self.babble is None else self.babble)

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
