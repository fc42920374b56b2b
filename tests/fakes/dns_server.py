"""A DNS server on loopback, over UDP and TCP, as honest as it is told."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Behaviour = Callable[[dns.message.Message], bytes | None]
"""Makes what is sent of a question; None for silence."""


def txt(*values: str, ttl: int = 60, alias: tuple[str, int] | None = None) -> Behaviour:
    """Answer with TXT records, behind an alias with a TTL of its own if one is given."""

    def answer(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        name = query.question[0].name
        if alias is not None:
            target = dns.name.from_text(alias[0])
            response.answer.append(
                dns.rrset.from_text(name, alias[1], "IN", "CNAME", target.to_text())
            )
            name = target
        texts = [
            " ".join(f'"{value[i : i + 255]}"' for i in range(0, len(value), 255))
            for value in values
        ]
        if texts:
            response.answer.append(dns.rrset.from_text(name, ttl, "IN", "TXT", *texts))
        return response.to_wire()

    return answer


def addresses(hosts: Mapping[str, Sequence[str] | None]) -> Behaviour:
    """Answer with the addresses of hosts, those that are None with silence; others do not exist."""

    def answer(query: dns.message.Message) -> bytes | None:
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        response = dns.message.make_response(query)
        if name not in hosts:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return response.to_wire()
        found = hosts[name]
        if found is None:
            return None
        is_6 = question.rdtype == dns.rdatatype.AAAA
        values = [address for address in found if (":" in address) == is_6]
        if values:
            response.answer.append(
                dns.rrset.from_text(question.name, 60, "IN", question.rdtype, *values)
            )
        return response.to_wire()

    return answer


def rcode(code: dns.rcode.Rcode) -> Behaviour:
    """Answer with a code alone."""

    def answer(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.set_rcode(code)
        return response.to_wire()

    return answer


def silent(_query: dns.message.Message) -> None:
    """Say nothing."""


def alias_loop(query: dns.message.Message) -> bytes:
    """Answer with aliases that lead back."""
    response = dns.message.make_response(query)
    name = query.question[0].name
    other = dns.name.from_text("other.example.")
    for one, next_ in ((name, other), (other, name)):
        response.answer.append(dns.rrset.from_text(one, 60, "IN", "CNAME", next_.to_text()))
    return response.to_wire()


def wrong_id(query: dns.message.Message) -> bytes:
    """Answer another question's number, with a DNSLink that must not be followed."""
    response = dns.message.make_response(query)
    response.id = query.id ^ 1
    response.answer.append(
        dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", '"dnslink=/ipfs/bafkqaaa"')
    )
    return response.to_wire()


def wrong_question(query: dns.message.Message) -> bytes:
    """Answer a question that was not asked."""
    other = dns.message.make_query("_dnslink.other.example.", "TXT")
    other.id = query.id
    response = dns.message.make_response(other)
    response.answer.append(
        dns.rrset.from_text("_dnslink.other.example.", 60, "IN", "TXT", '"dnslink=/ipfs/bafkqaaa"')
    )
    return response.to_wire()


class DnsServer:
    """Answers every question on loopback in one way; use as `async with`."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.tcp_behaviour: Behaviour | None = None
        """Over TCP, if it is another."""
        self.asked: list[str] = []
        """Names, in order, without the final dot."""
        self._port = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def nameserver(self) -> dns.nameserver.Nameserver:
        """How dnspython is told about it."""
        return dns.nameserver.Do53Nameserver("127.0.0.1", self._port)

    def reply(self, wire: bytes, behaviour: Behaviour) -> bytes | None:
        """Take a question down and answer it."""
        query = dns.message.from_wire(wire)
        self.asked.append(query.question[0].name.to_text(omit_final_dot=True))
        return behaviour(query)

    def send(self, answer: bytes, address: tuple[str, int]) -> None:
        """Send an answer over UDP."""
        if self._transport is not None:
            self._transport.sendto(answer, address)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=("127.0.0.1", self._port)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None and self._transport is not None:
            self._server.close()
            self._transport.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        size = int.from_bytes(await reader.readexactly(2), "big")
        wire = await reader.readexactly(size)
        answer = self.reply(wire, self.tcp_behaviour or self.behaviour)
        if answer is not None:
            writer.write(len(answer).to_bytes(2, "big") + answer)
            await writer.drain()
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.reply(data, self._server.behaviour)
        if answer is not None:
            self._server.send(answer, addr)


def truncated(query: dns.message.Message) -> bytes:
    """Answer that the answer is too long."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.TC
    return response.to_wire()
