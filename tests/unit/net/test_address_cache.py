"""Addresses of upstreams: kept while the DNS is away, and nobody waits for another host's."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.naming.hosts import DnsHosts
from gateway.net import address_cache as module
from gateway.net.address_cache import FRESH_S, RETRY_S, KeptHosts
from gateway.settings import UpstreamSettings
from gateway.upstream.transport.client import Hosts
from tests.fakes.clock import FakeClock
from tests.fakes.dns_server import DnsServer, addresses, silent
from tests.fakes.lying_upstream import LyingUpstream
from tests.fakes.upstream_kit import Kit, sample

FILE = sample(20_000)
HOST = "node.example"


class Bench:
    """A DNS server, and who keeps what it says."""

    def __init__(self, server: DnsServer) -> None:
        self.server = server
        self.clock = FakeClock()
        self.hosts = KeptHosts(DnsHosts([server.nameserver]), self.clock)

    async def find(self, host: str = HOST) -> list[str]:
        return [result["host"] for result in await self.hosts.resolve(host, 80)]


@pytest.fixture(name="bench")
async def bench_fixture(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr("gateway.naming.hosts.LIFETIME_S", 0.3)
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    async with DnsServer(addresses({HOST: ("127.0.0.1", "::1")})) as server:
        bench = Bench(server)
        yield bench
        await bench.hosts.close()


async def test_both_kinds_come_as_aiohttp_has_them(bench: Bench) -> None:
    v4, v6 = sorted(await bench.hosts.resolve(HOST, 80), key=lambda result: result["family"])
    assert (v4["host"], v4["port"], v4["hostname"]) == ("127.0.0.1", 80, HOST)
    assert (v6["host"], int(v6["family"])) == ("::1", 10)


async def test_the_dns_is_asked_once_for_all_and_for_a_while(bench: Bench) -> None:
    await asyncio.gather(*[bench.find() for _ in range(10)])
    bench.clock.advance(FRESH_S - 1)
    await bench.find()
    assert len(bench.server.asked) == 2
    bench.clock.advance(1)
    await bench.find()
    assert len(bench.server.asked) == 4


async def test_the_last_good_address_is_kept_while_the_dns_is_silent(bench: Bench) -> None:
    """issue 12, 27."""
    found = await bench.find()
    bench.server.behaviour = silent
    for _ in range(3):
        bench.clock.advance(3600)
        assert await bench.find() == found


async def test_a_new_address_takes_the_place_of_the_old_one(bench: Bench) -> None:
    await bench.find()
    bench.server.behaviour = addresses({HOST: ("127.0.0.2",)})
    bench.clock.advance(FRESH_S)
    async with asyncio.timeout(5):
        while await bench.find() != ["127.0.0.2"]:
            pass


async def test_a_name_that_is_gone_has_no_address_any_more(bench: Bench) -> None:
    await bench.find()
    bench.server.behaviour = addresses({})
    bench.clock.advance(FRESH_S)

    async def find_until_it_is_gone() -> None:
        async with asyncio.timeout(5):
            while await bench.find():
                pass

    with pytest.raises(OSError, match="no such name"):
        await find_until_it_is_gone()


async def test_a_silent_dns_is_not_waited_for_again_at_once(bench: Bench) -> None:
    bench.server.behaviour = silent
    for _ in range(3):
        with pytest.raises(OSError, match="the DNS does not say"):
            await bench.find()
    asked = len(bench.server.asked)
    bench.server.behaviour = addresses({HOST: ("127.0.0.1",)})
    bench.clock.advance(RETRY_S)
    assert await bench.find() == ["127.0.0.1"]
    assert len(bench.server.asked) == asked + 2


async def test_who_gives_up_ends_no_question_of_others(bench: Bench) -> None:
    first, second = asyncio.create_task(bench.find()), asyncio.create_task(bench.find())
    await asyncio.sleep(0)
    first.cancel()
    assert "127.0.0.1" in await second


async def test_hosts_that_are_kept_are_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_HOSTS", 2)
    bench.server.behaviour = silent
    waiting = [asyncio.create_task(bench.find(f"{n}.example")) for n in range(3)]
    with pytest.raises(OSError, match="too many hosts"):
        await waiting[0]
    assert list(bench.hosts._kept) == ["1.example", "2.example"]
    await bench.hosts.close()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_names_that_nobody_answers_for_keep_no_other_from_being_found(
    bench: Bench,
) -> None:
    """issue 12, 27: four of them took all threads, and the good upstream was ejected."""
    silent_names: dict[str, None] = {f"node{number}.example": None for number in range(40)}
    bench.server.behaviour = addresses({**silent_names, "good.example": ("127.0.0.1",)})
    lost = [
        UpstreamSettings(name=name.partition(".")[0], url=f"http://{name}:80", tier="cluster")
        for name in silent_names
    ]
    async with LyingUpstream(FILE.blocks, tier="cluster") as upstream:
        port = upstream.settings.url.rpartition(":")[2]
        good = UpstreamSettings(name="good", url=f"http://good.example:{port}", tier="cluster")
        async with Kit(*lost, good, hosts=Hosts(bench.hosts)) as kit:
            assert await kit.read(FILE.cid) == FILE.content
            assert (kit.state("good"), kit.failures("good")) == ("healthy", {})
