"""An HTTP client for trustless gateways.

Answers are untrusted: no redirects, no decompression, no cookies; every answer has a limit in bytes
and in time, and every failure is raised as an `UpstreamError`. The caller verifies the bytes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from gateway.content.block import verify
from gateway.content.cid import Cid, parse_cid
from gateway.errors import BadBlock, BlockMismatch, UpstreamError, UpstreamRefused
from gateway.net.connector import GuardedResolver, blamed, open_session, translate
from gateway.net.public_address import is_public
from gateway.net.resend import Again
from gateway.ports import Clock
from gateway.settings import RetrievalSettings, UpstreamSettings
from gateway.upstream.transport.request import (
    HEADERS,
    MAX_BYTES,
    CarPlan,
    Step,
    car_target,
    check_head,
    raw_target,
)

CONNECT_TIMEOUT_S: Final = 5.0  # name, TCP and TLS; as in boxo's httpnet
MIN_WINDOW_BYTES: Final = 10 * 1024
"""Least bytes for each `idle_timeout` of waiting; 1 KiB/s by default, below which a body is cut."""
PROBE: Final = parse_cid("bafkqaaa")
"""The empty block as an identity CID; the trustless gateway specification names it for probing."""
HOLDS: Final[Mapping[int, bool]] = {200: True, 404: False, 410: False, 412: False, 451: False}
"""Meaning of each status for `only-if-cached`; 412 is the specification's no."""
END_WAIT_S: Final = 0.2
"""Wait for the end of a body after its last wanted block: a reusable connection saves two to six
round trips."""


class Hosts(NamedTuple):
    """Resolvers for the hosts of upstreams; None for the system's resolver."""

    ours: AbstractResolver | None = None
    """For hosts that the operator names."""
    strangers: AbstractResolver | None = None
    """For hosts of providers from a router."""


SYSTEM: Final = Hosts()


class TrustlessClient:
    """A client for blocks, CARs and IPNS records of trustless gateways; verifies none of them.

    Args:
        settings: timeouts.
        clock: wall time, for Retry-After dates.
        may_be: tells whether a provider from a router may have an address.
        hosts: resolve host names.
    """

    def __init__(
        self,
        settings: RetrievalSettings,
        clock: Clock,
        may_be: Callable[[str], bool] = is_public,
        hosts: Hosts = SYSTEM,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._may_be = may_be
        self._hosts = hosts
        self._guarded: aiohttp.ClientSession | None = None
        self._session: aiohttp.ClientSession | None = None
        self._again = Again()
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """By name of upstream, only while in use: providers' names are unbounded."""

    async def fetch_raw(
        self, upstream: UpstreamSettings, cid: Cid, received: Callable[[int], None]
    ) -> bytes:
        """Fetch one block, unverified; `received` is called with the size of each piece.

        Raises:
            UpstreamError: any but BlockMismatch and those of CARs.
        """
        return await self.fetch(upstream, cid, raw_target(cid), Step.RAW, received)

    async def fetch(
        self,
        upstream: UpstreamSettings,
        what: object,
        target: str,
        step: Step,
        received: Callable[[int], None],
    ) -> bytes:
        """Fetch a small body, unverified.

        Args:
            upstream: the upstream.
            what: the requested thing, for the text of errors.
            target: path and query of the request.
            step: kind of the request; one of those in `MAX_BYTES`.
            received: called with the size of each piece.

        Raises:
            UpstreamError: any but BlockMismatch and those of CARs.
        """
        async with self._open(upstream, what, target, step) as body:
            pieces: list[bytes] = []
            size = 0
            while piece := await body.read():
                received(len(piece))
                size += len(piece)
                if size > MAX_BYTES[step]:
                    raise UpstreamRefused(upstream.name, f"sent a {step} of too many bytes", 200)
                pieces.append(piece)
            return b"".join(pieces)

    async def probe(self, upstream: UpstreamSettings, timeout_s: float) -> None:
        """Request `PROBE`, which every gateway has; bypasses the concurrency limit.

        Raises:
            UpstreamError: no answer within `timeout_s`, or a wrong one.
        """
        until = _loop_time() + timeout_s
        response = await self._request(upstream, PROBE, raw_target(PROBE), Step.RAW, until)
        response.release()

    async def probe_body(self, upstream: UpstreamSettings, cid: Cid, timeout_s: float) -> None:
        """Request a block that an upstream has served before; bypasses the concurrency limit.

        It is no fault if the upstream no longer has the block, or has to search for it.

        Raises:
            UpstreamError: the head announces the block, but its bytes do not come within
                `timeout_s`, or do not match.
        """
        until = _loop_time() + timeout_s
        try:
            response = await self._request(upstream, cid, raw_target(cid), Step.RAW, until)
        except UpstreamError:
            return
        data = b""
        try:
            with blamed(upstream.name, timeout_s):
                async with asyncio.timeout(timeout_s):
                    while piece := await response.content.readany():
                        data += piece
                        if len(data) > MAX_BYTES[Step.RAW]:
                            break
        finally:
            response.release()
        try:
            verify(cid, data)
        except BadBlock as error:
            raise BlockMismatch(cid, upstream.name) from error

    async def has(self, upstream: UpstreamSettings, cid: Cid, timeout_s: float) -> bool:
        """Ask whether an upstream holds a block, without making it search.

        Raises:
            UpstreamError: no clear answer came in time.
        """
        headers = {**HEADERS[Step.RAW], "Cache-Control": "only-if-cached"}
        with blamed(upstream.name, timeout_s):
            url = URL(upstream.url + raw_target(cid), encoded=True)
            send = partial(
                self._get_session(upstream).head, url, headers=headers, allow_redirects=False
            )
            response = await self._again.answer(upstream.name, send, _loop_time() + timeout_s)
        response.release()
        if response.status not in HOLDS:
            status = response.status
            raise UpstreamRefused(upstream.name, f"answered with status {status}", status)
        return HOLDS[response.status]

    @asynccontextmanager
    async def open_car(self, upstream: UpstreamSettings, plan: CarPlan) -> AsyncIterator["Body"]:
        """Request a CAR. The connection is closed at the end unless the body was read completely.

        Raises:
            UpstreamError: also from `Body.read`.
        """
        async with self._open(upstream, plan.base, car_target(plan), Step.CAR) as body:
            yield body

    @asynccontextmanager
    async def _open(
        self, upstream: UpstreamSettings, what: object, target: str, step: Step
    ) -> AsyncIterator["Body"]:
        async with self._turn(upstream):
            first_byte_at = _loop_time() + self._settings.first_byte_timeout
            response = await self._request(upstream, what, target, step, first_byte_at)
            try:
                yield Body(upstream.name, response, first_byte_at, self._settings)
            finally:
                response.release()  # closes the connection if some of the body is left

    def _turn(self, upstream: UpstreamSettings) -> asyncio.Semaphore:
        """Return the semaphore that bounds the connections to an upstream.

        Not the connector's limit: the wait in its queue would count as the upstream's latency.
        """
        turn = self._turns.get(upstream.name)
        if turn is None:
            turn = self._turns[upstream.name] = asyncio.Semaphore(upstream.concurrency)
        return turn

    async def _request(
        self,
        upstream: UpstreamSettings,
        what: object,
        target: str,
        step: Step,
        first_byte_at: float,
    ) -> aiohttp.ClientResponse:
        """Send a request and return the response once its head has been checked."""
        with blamed(upstream.name, self._settings.first_byte_timeout):
            url = URL(upstream.url + target, encoded=True)
            send = partial(
                self._get_session(upstream).get, url, headers=HEADERS[step], allow_redirects=False
            )
            response = await self._again.answer(upstream.name, send, first_byte_at)
            try:
                now = self._clock.now()
                check_head(upstream.name, what, step, response.status, response.headers, now)
            except BaseException:
                response.release()
                raise
            return response

    def _get_session(self, upstream: UpstreamSettings) -> aiohttp.ClientSession:
        connect_s = min(CONNECT_TIMEOUT_S, self._settings.first_byte_timeout)
        if upstream.tier == "routed":
            if self._guarded is None:
                guarded = GuardedResolver(self._may_be, self._hosts.strangers)
                self._guarded = open_session(connect_s, resolver=guarded)
            return self._guarded
        if self._session is None:
            self._session = open_session(connect_s, resolver=self._hosts.ours)
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        sessions, self._session, self._guarded = (self._session, self._guarded), None, None
        for session in sessions:
            if session is not None:
                await session.close()


class Body:
    """The body of a response, read with a minimum rate.

    The rate counts only the time spent waiting for the upstream: a reader may take any time between
    two reads.
    """

    def __init__(
        self,
        upstream: str,
        response: aiohttp.ClientResponse,
        first_byte_at: float,
        settings: RetrievalSettings,
    ) -> None:
        self._upstream = upstream
        self._content = response.content
        self._settings = settings
        self._first_byte_at: float | None = first_byte_at
        self._waited_s = 0.0
        self._came_bytes = 0

    async def read(self) -> bytes:
        """Return the next bytes, waiting for them if need be; empty at the end.

        Raises:
            UpstreamSilent: nothing, or less than the minimum rate, came in time.
            UpstreamUnreachable: the connection broke.
            UpstreamRefused: the framing is broken.
        """
        try:
            data = self._content.read_nowait()
            return self._came(data) if data else await self._wait()
        except Exception as error:  # any exception is a failure of this upstream
            raise translate(self._upstream, error, self._limit_s()) from error

    def _limit_s(self) -> float:
        is_first = self._first_byte_at is not None
        return self._settings.first_byte_timeout if is_first else self._settings.idle_timeout

    async def _wait(self) -> bytes:
        started = _loop_time()
        until = started + self._settings.idle_timeout - self._waited_s
        async with asyncio.timeout_at(self._first_byte_at or until):
            data = await self._content.readany()
        if self._first_byte_at is None:
            self._waited_s += _loop_time() - started
        return self._came(data)

    def _came(self, data: bytes) -> bytes:
        self._first_byte_at = None
        self._came_bytes += len(data)
        if self._came_bytes >= MIN_WINDOW_BYTES:
            self._came_bytes = 0
            self._waited_s = 0.0
        return data

    async def end(self) -> None:
        """Wait shortly for the end, so that the connection can be reused; never raises."""
        try:
            async with asyncio.timeout(END_WAIT_S):
                await self._content.readany()
        except Exception:  # noqa: BLE001 (any exception of a library)
            return  # the connection is then closed, as after further bytes


def _loop_time() -> float:
    """Return the event loop's time, which `asyncio.timeout_at` uses."""
    return asyncio.get_running_loop().time()
