"""IPNS records from upstreams: several are asked at once, and the newest valid one counts.

https://specs.ipfs.tech/http-gateways/trustless-gateway/, and as a second way
https://specs.ipfs.tech/routing/http-routing-v1/. A record proves itself, so any upstream will do;
but an old one proves itself as well, so the first answer has to wait a moment for the others.
"""

import asyncio
from typing import Final

from typing_extensions import override

from gateway.content.cid import Cid
from gateway.content.ipns import IpnsRecord, is_newer, verify_record
from gateway.errors import (
    Attempt,
    BadRecord,
    BlockAbsent,
    DeadlineExceeded,
    NameUnresolved,
    UpstreamError,
    UpstreamRefused,
    UpstreamUnreachable,
)
from gateway.ports import Choice, RecordSource
from gateway.upstream.balancing.pool import UpstreamCall, UpstreamPool
from gateway.upstream.balancing.selection import ChoiceReason
from gateway.upstream.retrieval.attempts import Attempts, failure_of
from gateway.upstream.transport.client import TrustlessClient
from gateway.upstream.transport.request import Step, record_target, routing_target

FANOUT: Final = 4  # upstreams asked at once
HEAD_START_S: Final = 3.0
"""Before the next ones are asked, too: a search in the DHT takes that long when all is well."""
GRACE_S: Final = 0.25
"""How long a valid record waits for a newer one from those who were asked as well."""
SEARCH_S: Final = 45.0  # of one name on all upstreams; boxo gives all names of a path one minute


class UpstreamRecords(RecordSource):
    """Fetches and verifies IPNS records.

    Args:
        pool: the upstreams.
        client: how they are spoken to; whoever made it closes it.
        search_s: seconds for one name.
    """

    def __init__(
        self, pool: UpstreamPool, client: TrustlessClient, search_s: float = SEARCH_S
    ) -> None:
        self._pool = pool
        self._client = client
        self._search_s = search_s

    @override
    async def fetch(self, key: Cid) -> IpnsRecord:
        """Return the newest record that upstreams have; see `ports.RecordSource`."""
        search = _Search(self._pool, self._client, key)
        try:
            async with asyncio.timeout(self._search_s):
                await search.run()
        except TimeoutError:
            if search.best is None:
                raise DeadlineExceeded(key, search.attempts()) from None
        if search.best is None:
            raise search.tries.error(key, self._pool.held(exclude=search.tries.asked()))
        return search.best


class _Search:
    """The search for the record of one name."""

    def __init__(self, pool: UpstreamPool, client: TrustlessClient, key: Cid) -> None:
        self.tries = Attempts()
        self.best: IpnsRecord | None = None
        self._pool = pool
        self._client = client
        self._key = key
        self._running: set[asyncio.Task[None]] = set()
        self._asked: set[str] = set()

    def attempts(self) -> list[Attempt]:
        """Tell what was tried."""
        silent = [name for name in sorted(self._asked) if name not in self.tries.asked()]
        pending = [Attempt(name, Step.RECORD, "had not answered") for name in silent]
        return self.tries.attempts() + pending

    async def run(self) -> None:
        """Ask until there is a record and those asked with it had their time, or all failed."""
        self._ask_group()
        now = asyncio.get_running_loop().time
        until: float | None = None
        try:
            while self._running and (until is None or now() < until):
                patience = HEAD_START_S if until is None else until - now()
                done, _ = await asyncio.wait(
                    self._running, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                self._running -= done
                for task in done:
                    task.result()  # a bug must not pass for silence
                if self.best is not None:
                    until = until or now() + GRACE_S
                elif not done or not self._running:
                    self._ask_group()
        finally:
            await self._stop()

    async def _stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _ask_group(self) -> None:
        """Ask the next few: of one tier, and who is ejected only when nobody else is left."""
        group: list[str] = []
        while len(group) < FANOUT:
            choice = self._pool.choose(None, self._asked)
            if choice is None:
                return
            is_last_resort = choice.reason == ChoiceReason.LEAST_BAD
            if group and (is_last_resort or not self._is_of_tier(group[0], choice.upstream)):
                return
            group.append(choice.upstream)
            self._start(choice)

    def _start(self, choice: Choice) -> None:
        self._asked.add(choice.upstream)
        exchange = self._pool.ask(choice, Step.RECORD)
        task = asyncio.create_task(self._ask(exchange))
        self._running.add(task)
        task.add_done_callback(lambda _task: exchange.close())

    def _is_of_tier(self, one: str, other: str) -> bool:
        return self._pool.tier(one) == self._pool.tier(other)

    async def _ask(self, exchange: UpstreamCall) -> None:
        try:
            raw = await self._fetch(exchange)
            record = self._verify(exchange.upstream.name, raw)
        except UpstreamError as error:
            exchange.failed(_excuse(error))
            failure = failure_of(error, Step.RECORD, is_indirect=False, has_progressed=False)
            self.tries.failures.append(failure)
            return
        exchange.delivered()
        if self.best is None or is_newer(record, self.best):
            self.best = record

    def _verify(self, upstream: str, raw: bytes) -> IpnsRecord:
        try:
            return verify_record(self._key, raw, self._pool.clock.now())
        except BadRecord as error:
            raise NameUnresolved(upstream, f"sent what is {error}") from error

    async def _fetch(self, exchange: UpstreamCall) -> bytes:
        """Ask as a gateway, and as a router whoever turns out to be no gateway for names."""
        try:
            return await self._request(exchange, record_target(self._key))
        except UpstreamError as error:
            if not _is_no_gateway(error):
                raise
            first = error
        try:
            return await self._request(exchange, routing_target(self._key))
        except UpstreamRefused as error:
            # IPIP-513: older routers say 200 and give a reason as text when there is no record.
            if error.status == 200:
                raise BlockAbsent(error.upstream, self._key) from error
            raise first from None

    async def _request(self, exchange: UpstreamCall, target: str) -> bytes:
        return await self._client.fetch(
            exchange.upstream, self._key, target, Step.RECORD, exchange.received
        )


def _is_no_gateway(error: UpstreamError) -> bool:
    """Tell whether an answer may mean "no such page" as well as "no such name"."""
    if isinstance(error, UpstreamRefused):
        return 400 <= error.status < 500 and error.status != 429
    return isinstance(error, BlockAbsent)


def _excuse(error: UpstreamError) -> UpstreamError:
    """Return how an error counts against its upstream.

    Kubo says 500 for a name that does not exist and may search for it longer than we wait: only
    what surely is about the upstream itself is held against it.
    """
    if isinstance(error, UpstreamUnreachable | BlockAbsent):
        return error
    if isinstance(error, UpstreamRefused) and (error.status == 429 or error.retry_after_s):
        return error
    return NameUnresolved(error.upstream, error.reason)
