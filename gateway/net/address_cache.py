"""Addresses of upstreams, kept: who was found once is found while the DNS is away.

A question to the DNS is asked once for all who wait for it, and nobody waits for another host's.
"""

import asyncio
import socket
from dataclasses import dataclass
from math import inf
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from gateway.ports import Clock, HostResolver

FRESH_S: Final = 10.0  # before a host is asked for again; aiohttp's and Docker's clients' default
PATIENCE_S: Final = 0.25  # with the DNS, when there is an address that was right before
RETRY_S: Final = 2.0  # after the DNS did not answer; meanwhile nobody waits for it again
MAX_HOSTS: Final = 2048  # a cluster's nodes and strangers; the one longest unasked is forgotten


@dataclass(slots=True)
class _Kept:
    """What is known of one host."""

    addresses: tuple[str, ...] = ()
    found_at: float = -inf
    retry_at: float = -inf
    problem: str = ""
    question: asyncio.Task[None] | None = None


class KeptHosts(AbstractResolver):
    """Finds addresses for aiohttp.

    Args:
        hosts: finds them.
        clock: how long they are kept.
    """

    def __init__(self, hosts: HostResolver, clock: Clock) -> None:
        self._hosts = hosts
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host, those that were right before if nobody knows now.

        Raises:
            OSError: there are none.
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
        """Wait for an answer, only a moment when there is an older one."""
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
        except Exception as error:  # noqa: BLE001 (whatever a stranger's name or answer raises)
            kept.retry_at = self._clock.monotonic() + RETRY_S
            kept.problem = str(error)
        finally:
            kept.question = None

    def _forget(self) -> None:
        """Forget the host that was not asked for longest, as far as there are too many."""
        while len(self._kept) > MAX_HOSTS:
            oldest = self._kept.pop(next(iter(self._kept)))
            if oldest.question is not None:
                oldest.problem = "too many hosts are asked for"
                oldest.question.cancel()

    @override
    async def close(self) -> None:
        """End all questions."""
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
