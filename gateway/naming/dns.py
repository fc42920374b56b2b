"""TXT lookups, through the system's name servers, one configured server, or DNS over HTTPS.

dnspython follows aliases, matches answers to questions, and repeats truncated answers over TCP.
"""

import asyncio
from typing import Any, Final, NamedTuple

import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import dns.query
import dns.rdatatype
import dns.resolver
from typing_extensions import override

from gateway.errors import Attempt, DeadlineExceeded, Unavailable, UpstreamError
from gateway.naming.turns import Turns
from gateway.ports import DnsOverHttps

LIFETIME_S: Final = 5.0  # of one lookup, all servers and retries included
PATIENCE_S: Final = 2.0  # timeout for one server, before the next server or the next try
MAX_QUESTIONS: Final = 64  # concurrent lookups, one socket each; more wait for their turn
LEAST_S: Final = 0.5
"""Seconds that a lookup always gets, however many others wait: resolving a name that no cache has
takes one server after the other, from the root on."""
MAX_NAME_CHARACTERS: Final = 253  # RFC 1035, 2.3.4, without the final dot
UDP_BYTES: Final = 1232  # DNS Flag Day 2020: fits into any path's packets
STEP: Final = "txt"

Nameserver = dns.nameserver.Nameserver
Do53Nameserver = dns.nameserver.Do53Nameserver


class TxtAnswer(NamedTuple):
    """The TXT records of a name."""

    texts: tuple[bytes, ...]
    """The strings of each record, joined."""
    ttl_s: float
    """The smallest TTL of the records and of all aliases that lead to them."""


class HttpsNameserver(Nameserver):
    """A DNS-over-HTTPS server, as dnspython uses name servers."""

    def __init__(self, transport: DnsOverHttps) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # it has no types
        self._transport = transport

    @override
    def __str__(self) -> str:
        """Return the name of the transport."""
        return "DNS over HTTPS"

    @override
    def kind(self) -> str:
        """Return dnspython's word for the transport."""
        return "DoH"

    @override
    def is_always_max_size(self) -> bool:
        """Return True: answers over HTTPS are never truncated."""
        return True

    @override
    def answer_nameserver(self) -> str:
        """Return the server name that dnspython writes into answers and errors."""
        return "https"

    @override
    def answer_port(self) -> int:
        """Return the port that dnspython writes into answers and errors."""
        return 443

    @override
    async def async_query(
        self,
        request: dns.message.QueryMessage,
        timeout: float,
        *_how: Any,
        **_options: Any,
    ) -> dns.message.Message:
        """Send a query and return the response.

        Raises:
            dns.exception.Timeout: no response within `timeout` seconds.
            OSError: the server failed.
            dns.query.BadResponse: the response belongs to another query.
        """
        request.id = 0  # RFC 8484, 4.1: the same question is the same URL for caches
        try:
            async with asyncio.timeout(timeout):
                wire = await self._transport.exchange(request.to_wire())
        except TimeoutError:
            raise dns.exception.Timeout from None
        except UpstreamError as error:
            raise OSError(str(error)) from error  # dnspython's sign of a failed server
        response = dns.message.from_wire(wire)
        if not request.is_response(response):
            raise dns.query.BadResponse
        return response


def system_nameservers() -> list[str | Nameserver]:
    """Return the servers of /etc/resolv.conf; 127.0.0.1 if it names none (resolv.conf(5))."""
    try:
        return list(dns.resolver.Resolver().nameservers)
    except dns.resolver.NoResolverConfiguration:
        return ["127.0.0.1"]


class TxtResolver:
    """A client for TXT lookups.

    Args:
        nameservers: IP addresses, or dnspython's objects for servers with another transport.
        lifetime_s: seconds for one lookup.
    """

    def __init__(self, nameservers: list[str | Nameserver], lifetime_s: float = LIFETIME_S) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = nameservers
        self._resolver.timeout = min(PATIENCE_S, lifetime_s)
        self._resolver.lifetime = lifetime_s
        self._resolver.use_edns(0, 0, UDP_BYTES)
        self._lifetime_s = lifetime_s
        self._turns = Turns(MAX_QUESTIONS, LEAST_S)

    async def find(self, name: str) -> TxtAnswer | None:
        """Return the TXT records of a name; None if it has none or does not exist.

        Raises:
            DeadlineExceeded: no server answered in time.
            Unavailable: the servers failed, or their answers were malformed.
        """
        if len(name) > MAX_NAME_CHARACTERS:
            return None
        try:
            # dnspython's own lifetime follows the wall clock, which may jump.
            async with asyncio.timeout(self._lifetime_s + 1), self._turns.take(_zone(name)):
                answer = await self._resolver.resolve(
                    f"{name}.", dns.rdatatype.TXT, raise_on_no_answer=False, search=False
                )
        except dns.resolver.NXDOMAIN:
            return None
        except (TimeoutError, dns.resolver.LifetimeTimeout):
            raise DeadlineExceeded(name, [Attempt("DNS", STEP, "did not answer")]) from None
        except (dns.exception.DNSException, OSError) as error:
            reason = f"failed ({type(error).__name__})"
            raise Unavailable(name, [Attempt("DNS", STEP, reason)]) from error
        if answer.rrset is None:
            return None
        texts = tuple(b"".join(record.strings) for record in answer.rrset)
        return TxtAnswer(texts, float(answer.chaining_result.minimum_ttl))


def _zone(name: str) -> str:
    """Return the last two labels: the owner of a domain can make any number of names below it."""
    return ".".join(name.rsplit(".", 2)[-2:])
