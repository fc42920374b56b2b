"""A cache of host addresses that outlives DNS outages.

Callers for one host share one lookup; lookups of different hosts do not wait for each other.
"""

import asyncio
import socket
from dataclasses import dataclass
from math import inf
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from gateway.ports import Clock, HostResolver

FRESH_S: Final = 10.0  # until a host is looked up again; default of aiohttp's and Docker's clients
PATIENCE_S: Final = 0.25  # wait for the DNS when older addresses are known
RETRY_S: Final = 2.0  # pause after a failed lookup, during which no caller waits for the DNS
MAX_HOSTS: Final = 2048  # nodes of a cluster and routed providers; the least recently used goes


@dataclass(slots=True)
class _Kept:
    """The state of one host; times are monotonic seconds."""

    addresses: tuple[str, ...] = ()
    found_at: float = -inf
    retry_at: float = -inf
    problem: str = ""
    question: asyncio.Task[None] | None = None


class KeptHosts(AbstractResolver):
    """A caching resolver for aiohttp.

    Args:
        hosts: looks addresses up.
        clock: the time.
    """

    def __init__(self, hosts: HostResolver, clock: Clock) -> None:
        self._hosts = hosts
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host; the last known ones if the lookup fails or is slow.

        Raises:
            OSError: no address is known.
        """
        kept = self._kept.pop(host, None) or _Kept()
        self._kept[host] = kept
        self._forget()
        if self._clock.monotonic() - kept.found_at >= FRESH_S:
            await self._wait(host, kept)
        if not kept.addresses:
            raise OSError(None, kept.problem)
        return [_result(host, address, port) for address in kept.addresses]

    async def _wait(self, host: str, kept: _Kept) -> None:
        """Wait for the lookup of a host; at most `PATIENCE_S` if older addresses are known."""
        if kept.question is None and self._clock.monotonic() >= kept.retry_at:
            kept.question = asyncio.create_task(self._ask(host, kept))
        if kept.question is not None:
            patience = PATIENCE_S if kept.addresses else None
            await asyncio.wait((kept.question,), timeout=patience)

    async def _ask(self, host: str, kept: _Kept) -> None:
        try:
            kept.addresses = tuple(await self._hosts.find(host))
            kept.found_at = self._clock.monotonic()
            kept.problem = "" if kept.addresses else "no such name"
        except Exception as error:  # noqa: BLE001 (an untrusted name or answer may raise anything)
            kept.retry_at = self._clock.monotonic() + RETRY_S
            kept.problem = str(error)
        finally:
            kept.question = None

    def _forget(self) -> None:
        """Evict the least recently used hosts beyond `MAX_HOSTS`."""
        while len(self._kept) > MAX_HOSTS:
            oldest = self._kept.pop(next(iter(self._kept)))
            if oldest.question is not None:
                oldest.problem = "too many hosts are being looked up"
                oldest.question.cancel()

    @override
    async def close(self) -> None:
        """Cancel all lookups."""
        questions = [kept.question for kept in self._kept.values() if kept.question is not None]
        for question in questions:
            question.cancel()
        await asyncio.gather(*questions, return_exceptions=True)


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=family,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
