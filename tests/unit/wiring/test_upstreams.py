"""The parts that fetch from upstreams, joined as in production."""

import asyncio

import pytest

from gateway.naming.hosts import DnsHosts, SystemHosts
from gateway.settings import RoutingSettings, Settings, UpstreamSettings
from gateway.wiring.upstreams import UpstreamsRoom
from tests.fakes.clock import FakeClock
from tests.fakes.dns_server import DnsServer, addresses
from tests.fakes.lying_upstream import LyingUpstream
from tests.fakes.observer import RecordingObserver
from tests.fakes.store import DictStore
from tests.fakes.upstream_kit import read, sample

FILE = sample(20_000)


async def test_no_thread_waits_for_the_addresses_of_upstreams(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """issue 12, 27."""

    async def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a thread was asked")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", refuse)
    known = addresses({"good.example": ("127.0.0.1",), "bad.example": None})
    async with DnsServer(known) as server, LyingUpstream(FILE.blocks) as upstream:
        for kind in (SystemHosts, DnsHosts):
            monkeypatch.setattr(
                f"gateway.wiring.upstreams.{kind.__name__}",
                lambda kind=kind: kind([server.nameserver]),
            )
        port = upstream.settings.url.rpartition(":")[2]
        settings = Settings(
            upstreams=tuple(
                UpstreamSettings(name=name, url=f"http://{name}.example:{port}")
                for name in ("bad", "good")
            ),
            routing=RoutingSettings(url="http://bad.example"),
        )
        room = UpstreamsRoom(settings, DictStore(), FakeClock(), RecordingObserver())
        session = room.retrieval.open_session(None)
        assert await read(session, FILE.cid) == FILE.content
        await session.close()
        await room.close()
