"""Addresses of hosts: of /etc/hosts, of the DNS, and of the system for the rest."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from gateway.naming import hosts as module
from gateway.naming.hosts import DnsHosts, SystemHosts, read_hosts
from tests.fakes.dns_server import DnsServer, addresses, rcode, silent

GOOD = "good.example"


@pytest.fixture(name="files")
def files_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a hosts file and a resolv.conf."""
    (tmp_path / "hosts").write_text("127.0.0.9 listed.example other # a comment\n")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\nsearch cluster.example\n")
    monkeypatch.setattr(module, "HOSTS_FILE", tmp_path / "hosts")
    monkeypatch.setattr(module, "RESOLV_CONF", tmp_path / "resolv.conf")
    return tmp_path


@pytest.fixture(name="server")
async def server_fixture(files: Path) -> AsyncIterator[DnsServer]:
    assert files.name
    known = {
        GOOD: ("127.0.0.1", "::1"),
        "kubo.cluster.example": ("127.0.0.2",),
        "empty.example": (),
    }
    async with DnsServer(addresses(known)) as server:
        yield server


@pytest.fixture(name="no_system")
def no_system_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody ask the system."""

    async def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the system was asked")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", refuse)


async def test_the_dns_is_asked_and_no_thread(server: DnsServer, no_system: None) -> None:
    assert no_system is None
    found = await SystemHosts([server.nameserver]).find(GOOD)
    assert set(found) == {"127.0.0.1", "::1"}
    assert found[0] == "127.0.0.1"
    assert server.asked == [GOOD, GOOD]


async def test_the_hosts_file_goes_before_the_dns(server: DnsServer, files: Path) -> None:
    hosts = SystemHosts([server.nameserver])
    assert await hosts.find("Listed.Example.") == ("127.0.0.9",)
    (files / "hosts").unlink()
    assert await hosts.find("other.localhost") != ()
    assert server.asked == []


@pytest.mark.parametrize("name", ["localhost", "a.localhost", "LOCALHOST."])
async def test_localhost_is_this_machine(server: DnsServer, name: str) -> None:
    assert set(await SystemHosts([server.nameserver]).find(name)) == set(module.LOOPBACK)


async def test_short_names_are_looked_for_where_resolv_conf_says(server: DnsServer) -> None:
    assert await SystemHosts([server.nameserver]).find("kubo") == ("127.0.0.2",)


async def test_names_of_strangers_are_not_looked_for_nearby(
    server: DnsServer, no_system: None
) -> None:
    assert no_system is None
    hosts = DnsHosts([server.nameserver])
    assert [await hosts.find(name) for name in ("kubo", "listed.example", GOOD + ".x")] == [()] * 3
    assert "kubo.cluster.example" not in server.asked


async def test_what_is_in_no_file_and_no_dns_the_system_may_know(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def know(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.7", 0))] * 2

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", know)
    hosts = SystemHosts([server.nameserver])
    assert await hosts.find("printer.local") == ("127.0.0.7",)
    assert await hosts.find("empty.example") == ("127.0.0.7",)


async def test_what_the_system_does_not_know_either_is_nowhere(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [socket.EAI_NONAME, socket.EAI_AGAIN]

    async def fail(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(codes.pop(0), "none")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", fail)
    hosts = SystemHosts([server.nameserver])
    assert await hosts.find("gone.example") == ()
    with pytest.raises(OSError, match="the system does not say"):
        await hosts.find("gone.example")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("a..b", "EmptyLabel", id="empty-label"),
        pytest.param("a" * 64 + ".b", "LabelTooLong", id="long-label"),
        pytest.param("a." * 130 + "b", "NameTooLong", id="long-name"),
    ],
)
async def test_a_name_that_is_none_is_not_asked_for(
    server: DnsServer, name: str, reason: str
) -> None:
    with pytest.raises(OSError, match=reason):
        await DnsHosts([server.nameserver]).find(name)
    assert server.asked == []


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(rcode(dns.rcode.SERVFAIL), "NoNameservers", id="servfail"),
        pytest.param(silent, "LifetimeTimeout|TimeoutError", id="silent"),
    ],
)
async def test_a_server_that_does_not_say_is_no_absence(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch, behaviour: object, reason: str
) -> None:
    monkeypatch.setattr(module, "LIFETIME_S", 0.1)
    server.behaviour = behaviour  # type: ignore[assignment]  # a behaviour
    with pytest.raises(OSError, match=rf"the DNS does not say .({reason})"):
        await SystemHosts([server.nameserver]).find(GOOD)


async def test_one_kind_of_address_is_enough(server: DnsServer) -> None:
    known = server.behaviour

    def half(query: dns.message.Message) -> bytes | None:
        return None if query.question[0].rdtype == dns.rdatatype.AAAA else known(query)

    server.behaviour = half
    assert await SystemHosts([server.nameserver]).find(GOOD) == ("127.0.0.1",)


async def test_resolv_conf_is_read_again_when_it_changes(server: DnsServer, files: Path) -> None:
    hosts = DnsHosts([server.nameserver])
    hosts.searches = True
    assert await hosts.find("kubo") == ("127.0.0.2",)
    (files / "resolv.conf").unlink()
    assert await hosts.find("kubo") == ()


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        pytest.param("nameserver 10.0.0.53\nnameserver ::1\n", ["10.0.0.53", "::1"], id="some"),
        pytest.param("search a.example\n", ["127.0.0.1"], id="none"),
        pytest.param("", ["127.0.0.1"], id="empty"),
    ],
)
async def test_servers_are_those_of_resolv_conf(files: Path, text: str, servers: list[str]) -> None:
    (files / "resolv.conf").write_text(text)
    hosts = DnsHosts()
    hosts._configure()
    assert list(hosts._resolver.nameservers) == servers


async def test_an_address_without_a_way_goes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_has_route", lambda address: address == "::1")
    assert module._sorted(["10.0.0.1", "::1", "::1", "10.0.0.2"]) == (
        "::1",
        "10.0.0.1",
        "10.0.0.2",
    )


def test_what_cannot_be_read_of_a_hosts_file_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_bytes(
        b"# x\n\n10.0.0.1 a A. b\nnonsense c\n10.0.0.2\n::1 a\n\xff\xfe\n10.0.0.3 \xff"
    )
    found = dict(read_hosts(file))
    assert found.pop("\ufffd") == ["10.0.0.3"]
    assert found == {"a": ["10.0.0.1", "10.0.0.1", "::1"], "b": ["10.0.0.1"]}
    assert read_hosts(tmp_path) == {}
