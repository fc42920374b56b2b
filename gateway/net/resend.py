"""Repetition of requests that a dead pooled connection may have lost, over a new connection.

A peer that vanishes silently (a NAT that dropped its state, a machine that moved) leaves
connections in the pool that look alive: requests on them are never answered. So a request that gets
no response on a reused connection is sent again on a new one, and the first response head of both
counts. A retry budget bounds the repetitions to a server that is only slow.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from math import inf
from typing import Final

import aiohttp

from gateway.net.budget import RetryBudget

AFTER_S: Final = 1.0
"""Seconds without a response head on a reused connection before a new one is tried: ten round trips
over an ocean, and the time before an unmeasured upstream is hedged."""
AFTER_SHARE: Final = 0.4  # of the whole time limit at most, so that the second one has time, too
MAX_SERVERS: Final = 2048  # servers whose last lost request is remembered


class Attempt:
    """The connections of one request."""

    __slots__ = ("is_used", "needs_new")

    def __init__(self, *, needs_new: bool = False) -> None:
        self.needs_new = needs_new
        """Whether pooled connections are closed instead of reused."""
        self.is_used = False
        """Whether its connection had been used before."""

    def took(self, *, is_used: bool) -> None:
        """Record the connection that it got; if that one breaks, the next one has to be new."""
        self.is_used = is_used
        self.needs_new = True


ATTEMPT: Final[ContextVar[Attempt | None]] = ContextVar("ATTEMPT", default=None)
"""The attempt that a new connection is for; aiohttp has no parameter to pass it."""

Send = Callable[[], Awaitable[aiohttp.ClientResponse]]


class Again:
    """Sends requests, and repeats those that a dead connection may have lost."""

    def __init__(self) -> None:
        self._budget = RetryBudget()
        self._lost_at: dict[str, float] = {}
        """Loop time when a request to a server was last answered on a new connection first."""

    async def answer(self, server: str, send: Send, until: float) -> aiohttp.ClientResponse:
        """Send a request and return its response.

        Args:
            server: name of the server.
            send: sends the request; may be called twice.
            until: deadline for the response head, in the event loop's time.

        Raises:
            TimeoutError: no response head came in time.
            Exception: what `send` raises.
        """
        self._budget.asked(asyncio.get_running_loop().time())
        request = _Request(server, send, until, self._may_again, self._lost)
        return await request.run()

    def _may_again(self, server: str, began_at: float) -> bool:
        """Tell whether a request may be repeated: always if another one was lost meanwhile."""
        if self._lost_at.get(server, -inf) >= began_at:
            return True
        return self._budget.take(asyncio.get_running_loop().time())

    def _lost(self, server: str) -> None:
        self._lost_at.pop(server, None)
        self._lost_at[server] = asyncio.get_running_loop().time()
        while len(self._lost_at) > MAX_SERVERS:
            del self._lost_at[next(iter(self._lost_at))]


class _Request:
    """A request and its repetition, if there is one."""

    def __init__(
        self,
        server: str,
        send: Send,
        until: float,
        may_again: Callable[[str, float], bool],
        lost: Callable[[str], None],
    ) -> None:
        self._server = server
        self._send = send
        self._may_again = may_again
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self._after_s = min(AFTER_S, AFTER_SHARE * (until - self._began_at))
        self._limit = asyncio.timeout_at(until)
        self._until = until
        self._attempt = Attempt()
        self._is_waiting = True
        """Whether the first response may still come."""
        self._second: asyncio.Task[aiohttp.ClientResponse] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> aiohttp.ClientResponse:
        """Return the first response of both."""
        self._timer = self._loop.call_later(self._after_s, self._try_again)
        token = ATTEMPT.set(self._attempt)
        try:
            async with self._limit:
                return await self._send()
        except (aiohttp.ClientError, OSError):  # TimeoutError, too: `_answered`
            self._is_waiting = False
            response = await self._take_second()
            if response is None:
                raise
            return response
        finally:
            self._is_waiting = False
            ATTEMPT.reset(token)
            self._timer.cancel()
            self._drop_second()

    def _try_again(self) -> None:
        """Repeat the request if its connection may be dead; else check again later."""
        if self._attempt.is_used and self._may_again(self._server, self._began_at):
            self._second = self._loop.create_task(self._send_new())
            self._second.add_done_callback(self._answered)
        else:
            self._timer = self._loop.call_later(self._after_s, self._try_again)

    async def _send_new(self) -> aiohttp.ClientResponse:
        ATTEMPT.set(Attempt(needs_new=True))
        async with asyncio.timeout_at(self._until):
            return await self._send()

    def _answered(self, second: asyncio.Task[aiohttp.ClientResponse]) -> None:
        """End the wait for the first response once the second has come."""
        is_answered = not second.cancelled() and second.exception() is None
        if is_answered and self._is_waiting:
            self._limit.reschedule(self._loop.time())

    async def _take_second(self) -> aiohttp.ClientResponse | None:
        """Return the second response, which has the same deadline; None if there is none."""
        second = self._second
        if second is None:
            return None
        await asyncio.wait((second,))
        if second.exception() is not None:
            return None
        self._second = None
        self._lost(self._server)
        return second.result()

    def _drop_second(self) -> None:
        """Cancel the second request, or close its response if it came too late."""
        second, self._second = self._second, None
        if second is not None and not second.cancel() and second.exception() is None:
            second.result().close()
