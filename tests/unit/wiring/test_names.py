"""The parts that turn names into paths, joined as in production."""

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator

import dns.message
import pytest

from gateway.content.path import MutablePath
from gateway.errors import BadSetting, NotFound
from gateway.naming.dns import HttpsNameserver, TxtAnswer, TxtResolver
from gateway.settings import NamesSettings, Settings, SharedSettings
from gateway.upstream.balancing.pool import UpstreamPool
from gateway.upstream.transport.doh import DohClient
from gateway.wiring.names import NamesRoom
from tests.fakes.clock import FakeClock
from tests.fakes.dns_server import txt
from tests.fakes.ipns_forge import owner
from tests.fakes.observer import RecordingObserver
from tests.fakes.record_upstream import RecordUpstream, head, says
from tests.fakes.redis_server import RedisServer

OWNER = owner()
PATH = MutablePath(OWNER.name, ("a",))


@pytest.fixture(name="upstream")
async def upstream_fixture() -> AsyncIterator[RecordUpstream]:
    async with RecordUpstream(says(OWNER.raw())) as upstream:
        yield upstream


def room(upstream: RecordUpstream, settings: Settings) -> NamesRoom:
    clock = FakeClock()
    return NamesRoom(settings, UpstreamPool([upstream.settings], clock, RecordingObserver()), clock)


async def test_a_name_is_followed_through_upstreams(upstream: RecordUpstream) -> None:
    made = room(upstream, Settings())
    found = await made.resolver.resolve(PATH)
    assert str(found.path) == "/ipfs/bafkqabtimvwgy3yk/a"
    await made.close()


async def test_workers_share_what_redis_keeps(upstream: RecordUpstream) -> None:
    async with RedisServer() as redis:
        settings = Settings(shared=SharedSettings(redis=redis.url, timeout=5.0))
        for _ in range(2):
            made = room(upstream, settings)
            await made.resolver.resolve(PATH)
            await made.close()
    assert len(upstream.targets) == 1


@pytest.mark.parametrize("resolver", ["system", "127.0.0.1:5353", "https://dns.example/dns-query"])
async def test_each_kind_of_resolver_can_be_made(upstream: RecordUpstream, resolver: str) -> None:
    names = NamesSettings(resolver=resolver, allowed=(), dnslink={"a.example": "/ipfs/bafkqaaa"})
    made = room(upstream, Settings(names=names))
    assert (await made.resolver.look_up_host("a.example")).is_website
    with pytest.raises(NotFound, match=r"names\.allowed"):
        await made.resolver.resolve(MutablePath("b.example"))
    await made.close()


async def test_a_bad_static_map_is_told(upstream: RecordUpstream) -> None:
    names = NamesSettings(dnslink={"a.example": "/ipfs/nothing"})
    with pytest.raises(BadSetting, match=r'names\.dnslink\."a\.example"'):
        room(upstream, Settings(names=names))


async def test_the_dns_is_asked_over_http_messages_and_all() -> None:
    async def serve(writer: asyncio.StreamWriter, target: str) -> None:
        text = target.partition("dns=")[2]
        query = dns.message.from_wire(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        body = txt("dnslink=/ipfs/bafkqaaa", ttl=9)(query) or b""
        fields = {"content-type": "application/dns-message", "content-length": str(len(body))}
        writer.write(head("200 OK", fields) + body)

    async with RecordUpstream(serve) as server:
        client = DohClient(f"{server.url}/dns-query", FakeClock())
        resolver = TxtResolver([HttpsNameserver(client)])
        answer = await resolver.find("_dnslink.site.example")
        await client.close()
    assert answer == TxtAnswer((b"dnslink=/ipfs/bafkqaaa",), 9.0)
