"""A DNS that tests write by hand."""

import asyncio

from gateway.errors import GatewayError
from gateway.naming.dns import TxtAnswer
from gateway.naming.dnslink import Txts


class FakeTxts:
    """A DNS in which every name has the same records."""

    def __init__(self, *texts: str) -> None:
        self.texts = tuple(text.encode() for text in texts)
        self.ttl_s: float = 60
        self.error: GatewayError | None = None
        self.asked: list[str] = []
        self.pause = asyncio.Event()
        self.pause.set()

    async def find(self, name: str) -> TxtAnswer | None:
        self.asked.append(name)
        await self.pause.wait()
        if self.error is not None:
            raise self.error
        return TxtAnswer(self.texts, self.ttl_s) if self.texts else None


_: Txts = FakeTxts()  # mypy proves the fake still fits the port
