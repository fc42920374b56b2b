"""TXT records from servers that lie, fail and say nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import dns.message
import dns.rcode
import dns.resolver
import pytest

from gateway.errors import DeadlineExceeded, Unavailable, UpstreamSilent
from gateway.naming.dns import (
    MAX_QUESTIONS,
    HttpsNameserver,
    TxtAnswer,
    TxtResolver,
    system_nameservers,
)
from gateway.ports import DnsOverHttps
from tests.fakes import dns_server as acts
from tests.fakes.dns_server import Behaviour, DnsServer, rcode, txt

NAME = "_dnslink.site.example"


@pytest.fixture(name="server")
async def server_fixture() -> AsyncIterator[DnsServer]:
    async with DnsServer(txt("dnslink=/ipfs/bafkqaaa")) as server:
        yield server


def ask(
    server: DnsServer, name: str = NAME, lifetime_s: float = 5.0
) -> Awaitable[TxtAnswer | None]:
    return TxtResolver([server.nameserver], lifetime_s).find(name)


async def test_texts_come_with_their_ttl(server: DnsServer) -> None:
    assert await ask(server) == ((b"dnslink=/ipfs/bafkqaaa",), 60)
    assert server.asked == [NAME]


async def test_the_strings_of_a_record_are_one_text(server: DnsServer) -> None:
    server.behaviour = txt("dnslink=/ipfs/" + "a" * 600, "other")
    answer = await ask(server)
    assert answer is not None
    assert sorted(answer.texts) == [b"dnslink=/ipfs/" + b"a" * 600, b"other"]


@pytest.mark.parametrize(
    ("ttl", "alias_ttl", "least"),
    [
        pytest.param(300, 20, 20, id="of-the-alias"),
        pytest.param(20, 300, 20, id="of-the-record"),
        pytest.param(0, 300, 0, id="zero"),
        pytest.param(2**31 - 1, 2**31 - 1, 2**31 - 1, id="longest"),
    ],
)
async def test_aliases_are_followed_and_count(
    server: DnsServer, ttl: int, alias_ttl: int, least: int
) -> None:
    server.behaviour = txt("x", ttl=ttl, alias=("_dnslink.host.example.", alias_ttl))
    assert await ask(server) == ((b"x",), least)


@pytest.mark.parametrize(
    "act",
    [pytest.param(rcode(dns.rcode.NXDOMAIN), id="nxdomain"), pytest.param(txt(), id="no-data")],
)
async def test_absence_is_an_answer(server: DnsServer, act: Behaviour) -> None:
    server.behaviour = act
    assert await ask(server) is None


async def test_a_name_that_is_too_long_is_not_asked_for(server: DnsServer) -> None:
    assert await ask(server, "_dnslink." + ".".join(["a" * 60] * 4) + ".example") is None
    assert server.asked == []


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(rcode(dns.rcode.SERVFAIL), id="servfail"),
        pytest.param(rcode(dns.rcode.REFUSED), id="refused"),
        pytest.param(acts.alias_loop, id="alias-loop"),
    ],
)
async def test_a_server_that_fails_is_a_failure(server: DnsServer, act: Behaviour) -> None:
    server.behaviour = act
    with pytest.raises(Unavailable, match=rf"{NAME} .*DNS \(txt\): failed"):
        await ask(server)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(acts.silent, id="silent"),
        pytest.param(acts.wrong_id, id="wrong-id"),
        pytest.param(acts.wrong_question, id="wrong-question"),
        pytest.param(lambda _query: b"\0\1garbage", id="garbage"),
    ],
)
async def test_what_answers_another_question_is_silence(server: DnsServer, act: Behaviour) -> None:
    server.behaviour = act
    with pytest.raises(DeadlineExceeded, match="did not answer"):
        await ask(server, lifetime_s=0.4)


async def test_a_second_server_is_asked_when_the_first_fails(server: DnsServer) -> None:
    async with DnsServer(rcode(dns.rcode.SERVFAIL)) as failing:
        resolver = TxtResolver([failing.nameserver, server.nameserver])
        assert await resolver.find(NAME) == ((b"dnslink=/ipfs/bafkqaaa",), 60)


async def test_what_was_cut_off_is_asked_for_over_tcp(server: DnsServer) -> None:
    server.behaviour = acts.truncated
    server.tcp_behaviour = txt("whole")
    assert await ask(server) == ((b"whole",), 60)
    assert len(server.asked) == 2


async def test_nobody_there_is_a_failure() -> None:
    async with DnsServer(acts.silent) as server:
        nameserver = server.nameserver
    with pytest.raises((Unavailable, DeadlineExceeded), match=NAME):
        await TxtResolver([nameserver], 0.4).find(NAME)


class Transport:
    """HTTPS to a resolver, without HTTPS."""

    def __init__(self, act: Callable[[dns.message.Message], bytes | None]) -> None:
        self._act = act
        self.ids: list[int] = []

    async def exchange(self, query: bytes) -> bytes:
        message = dns.message.from_wire(query)
        self.ids.append(message.id)
        answer = self._act(message)
        if answer is None:
            raise UpstreamSilent("resolver", "sent nothing")
        return answer


_: DnsOverHttps = Transport(txt())  # mypy proves the fake still fits the port


async def test_over_https_the_same_question_is_the_same_url() -> None:
    transport = Transport(txt("x", ttl=7))
    resolver = TxtResolver([HttpsNameserver(transport)])
    assert [await resolver.find(NAME) for _ in range(2)] == [((b"x",), 7)] * 2
    assert transport.ids == [0, 0]


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(acts.silent, id="silent"),
        pytest.param(rcode(dns.rcode.SERVFAIL), id="servfail"),
        pytest.param(acts.alias_loop, id="alias-loop"),
        pytest.param(lambda _query: b"garbage", id="garbage"),
    ],
)
async def test_over_https_failures_are_failures(act: Behaviour) -> None:
    resolver = TxtResolver([HttpsNameserver(Transport(act))], 1.0)
    with pytest.raises(Unavailable, match="failed"):
        await resolver.find(NAME)


@pytest.mark.parametrize("act", [acts.wrong_id, acts.wrong_question], ids=["id", "question"])
async def test_over_https_another_answer_is_none(act: Behaviour) -> None:
    resolver = TxtResolver([HttpsNameserver(Transport(act))], 0.4)
    with pytest.raises((DeadlineExceeded, Unavailable), match=NAME):
        await resolver.find(NAME)


async def test_over_https_silence_ends() -> None:
    class Silence:
        async def exchange(self, query: bytes) -> bytes:
            await asyncio.Event().wait()
            return query

    resolver = TxtResolver([HttpsNameserver(Silence())], 0.3)
    with pytest.raises(DeadlineExceeded, match="did not answer"):
        await resolver.find(NAME)


def test_a_server_over_https_has_a_name() -> None:
    server = HttpsNameserver(Transport(txt()))
    assert (str(server), server.kind()) == ("DNS over HTTPS", "DoH")
    assert (server.answer_nameserver(), server.answer_port()) == ("https", 443)
    assert server.is_always_max_size()


def test_without_a_configuration_this_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise dns.resolver.NoResolverConfiguration

    assert len(system_nameservers()) > 0
    monkeypatch.setattr("dns.resolver.Resolver", refuse)
    assert system_nameservers() == ["127.0.0.1"]


async def test_names_that_nobody_answers_for_keep_no_other_name_waiting(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12, 6: 80 hosts with a silent DNS took all turns, and every host waited for them."""
    monkeypatch.setattr("gateway.naming.dns.LEAST_S", 0.0)
    is_full = asyncio.Event()

    def answer(query: dns.message.Message) -> bytes | None:
        if len(server.asked) >= MAX_QUESTIONS:
            is_full.set()
        return None if b"silent" in query.to_wire() else txt("dnslink=/ipfs/bafkqaaa")(query)

    server.behaviour = answer
    resolver = TxtResolver([server.nameserver], 60.0)
    names = [f"_dnslink.h{number}.silent{number}.example" for number in range(80)]
    silent = [asyncio.create_task(resolver.find(name)) for name in names]
    async with asyncio.timeout(10):
        await is_full.wait()
        assert await resolver.find(NAME) is not None
    ended = [task for task in silent if task.done()]
    assert ended
    for task in ended:
        with pytest.raises(DeadlineExceeded, match="did not answer"):
            await task
    for task in silent:
        task.cancel()
    await asyncio.gather(*silent, return_exceptions=True)
