"""Address lookups for the hosts that the gateway connects to, without blocking threads.

The system's `getaddrinfo` holds a thread until the DNS has answered, and libuv has four: a few
names whose servers are silent would block all other lookups. So its default steps are done here
without threads: /etc/hosts, then the DNS as /etc/resolv.conf says. `getaddrinfo` itself is called
only for names that neither has, since it may know other sources (mDNS, for one).
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
from typing_extensions import override

from gateway.naming.dns import UDP_BYTES, Nameserver
from gateway.ports import HostResolver

LIFETIME_S: Final = 4.0
"""Of one lookup; less than the 5 s of a connection, so that the error names the DNS."""
PATIENCE_S: Final = 1.5  # timeout for one server, before the next server or the next try
RESOLUTION_DELAY_S: Final = 0.05  # RFC 8305, 3: wait for the other address family
MAX_HOSTS_BYTES: Final = 16 * 1024 * 1024  # published block lists of advertisers have 2 MiB
SYSTEM_TURNS: Final = 2  # concurrent `getaddrinfo` calls, of libuv's four threads
LOCAL_NAMESERVER: Final = ("127.0.0.1",)  # resolv.conf(5): when no server is named
LOOPBACK: Final = ("127.0.0.1", "::1")
HOSTS_FILE: Final = Path("/etc/hosts")
RESOLV_CONF: Final = Path("/etc/resolv.conf")


class DnsHosts(HostResolver):
    """Address lookups in the DNS only, for hosts that untrusted input names.

    Args:
        nameservers: addresses, or dnspython's objects; None for those of /etc/resolv.conf.
    """

    searches = False
    """Whether a name is also looked up below the `search` domains of resolv.conf."""

    def __init__(self, nameservers: list[str | Nameserver] | None = None) -> None:
        self._nameservers = nameservers
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._changed_at: float | None = None

    @override
    async def find(self, host: str) -> Sequence[str]:
        """Return the addresses of a host; see `ports.HostResolver`."""
        self._configure()
        kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
        questions = [asyncio.create_task(self._ask(host, kind)) for kind in kinds]
        try:
            answers = await _first_of(questions)
        finally:
            for question in questions:
                question.cancel()
            await asyncio.gather(*questions, return_exceptions=True)
        return _sorted([address for answer in answers for address in answer])

    async def _ask(self, host: str, kind: dns.rdatatype.RdataType) -> list[str]:
        """Return the addresses of one family; empty if the host has none.

        Raises:
            OSError: the servers failed, or none answered in time.
        """
        try:
            # dnspython's own lifetime follows the wall clock, which may jump.
            async with asyncio.timeout(LIFETIME_S):
                answer = await self._resolver.resolve(
                    host, kind, search=self.searches, raise_on_no_answer=False
                )
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, TimeoutError, ValueError) as error:
            raise OSError(None, f"the DNS does not say ({type(error).__name__})") from error
        return [] if answer.rrset is None else [record.address for record in answer.rrset]

    def _configure(self) -> None:
        """Read resolv.conf again if it has changed."""
        changed_at = _changed_at(RESOLV_CONF)
        if changed_at == self._changed_at and self._resolver.nameservers:
            return
        self._changed_at = changed_at
        try:
            resolver = dns.asyncresolver.Resolver(str(RESOLV_CONF))
        except dns.resolver.NoResolverConfiguration:
            resolver = dns.asyncresolver.Resolver(configure=False)
            resolver.nameservers = [*LOCAL_NAMESERVER]
        if self._nameservers is not None:
            resolver.nameservers = self._nameservers
        resolver.timeout, resolver.lifetime = PATIENCE_S, LIFETIME_S
        resolver.use_edns(0, 0, UDP_BYTES)
        self._resolver = resolver


class SystemHosts(DnsHosts):
    """Address lookups as the system does them, for hosts that the operator names.

    Args:
        nameservers: addresses, or dnspython's objects; None for those of /etc/resolv.conf.
    """

    searches = True

    def __init__(self, nameservers: list[str | Nameserver] | None = None) -> None:
        super().__init__(nameservers)
        self._turns = asyncio.Semaphore(SYSTEM_TURNS)
        self._listed: Mapping[str, Sequence[str]] = {}
        self._read_at: float | None = None

    @override
    async def find(self, host: str) -> Sequence[str]:
        """Return the addresses of a host; see `ports.HostResolver`."""
        name = host.lower().rstrip(".")
        listed = (await self._list()).get(name)
        if listed is not None:
            return _sorted(listed)
        if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
            return _sorted(LOOPBACK)
        return await super().find(host) or await self._ask_system(host)

    async def _list(self) -> Mapping[str, Sequence[str]]:
        changed_at = _changed_at(HOSTS_FILE)
        if changed_at != self._read_at:
            self._listed = await asyncio.to_thread(read_hosts, HOSTS_FILE)
            self._read_at = changed_at
        return self._listed

    async def _ask_system(self, host: str) -> Sequence[str]:
        async with self._turns:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
                )
            except socket.gaierror as error:
                if error.errno == socket.EAI_AGAIN:
                    raise OSError(None, "the system does not say") from error
                return ()
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


async def _first_of(questions: Sequence[asyncio.Task[list[str]]]) -> list[list[str]]:
    """Wait for all answers, or `RESOLUTION_DELAY_S` after the first that has addresses.

    Raises:
        OSError: no answer has addresses, and one lookup failed.
    """
    pending = set(questions)
    patience: float | None = None
    while pending:
        done, pending = await asyncio.wait(
            pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            break
        if any(not task.exception() and task.result() for task in done):
            patience = RESOLUTION_DELAY_S
    ended = [task for task in questions if task.done()]
    answers = [task.result() for task in ended if not task.exception()]
    failures = [error for task in ended if (error := task.exception())]
    if failures and not any(answers):
        raise failures[0]
    return answers


def read_hosts(file: Path) -> Mapping[str, Sequence[str]]:
    """Return the addresses in a file like /etc/hosts by name; malformed lines are skipped."""
    found: dict[str, list[str]] = {}
    try:
        with file.open("rb") as lines:
            text = lines.read(MAX_HOSTS_BYTES).decode("utf-8", "replace")
    except OSError:
        return found
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or ("",)
        if _is_address(address):
            for name in names:
                found.setdefault(name.lower().rstrip("."), []).append(address)
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _changed_at(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None


def _sorted(addresses: Sequence[str]) -> tuple[str, ...]:
    """Return each address once, reachable ones first (RFC 6724, rule 1), IPv4 before IPv6.

    Where only one family works, it is IPv4 as a rule, and trying the broken one first costs each
    connection a quarter of a second.
    """
    return tuple(
        sorted(dict.fromkeys(addresses), key=lambda one: (not _has_route(one), ":" in one))
    )


def _has_route(address: str) -> bool:
    """Tell whether the system has a route to an address; sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))  # any port: connecting a UDP socket only selects a route
    except OSError:
        return False
    return True
