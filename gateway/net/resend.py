"""A request that a dead connection has swallowed is made again, over a new one.

A peer that vanishes without a word (a NAT that forgot, a machine that moved) leaves connections in
the pool that look well: what is sent on them is never answered. So a request that is silent on a
connection that was used before gets a second one, on a connection of its own; the first head of
both counts. Who only searches for long is asked twice by few: there is a budget.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from math import inf
from typing import Final

import aiohttp

from gateway.net.budget import RetryBudget

AFTER_S: Final = 1.0
"""What a head on a used connection may take before another one is tried; ten round trips over an
ocean, and as long as an upstream that is not known yet has before it is hedged."""
AFTER_SHARE: Final = 0.4  # of the whole time at most, so that the second has time, too
MAX_SERVERS: Final = 2048  # of which it is remembered when a dead connection was seen


class Attempt:
    """One request, as far as its connections go."""

    __slots__ = ("is_used", "needs_new")

    def __init__(self, *, needs_new: bool = False) -> None:
        self.needs_new = needs_new
        """Whether connections of the pool are closed instead of used."""
        self.is_used = False
        """Whether the connection that it has was used before."""

    def took(self, *, is_used: bool) -> None:
        """Take note of its connection; if that breaks, the next one has to be new."""
        self.is_used = is_used
        self.needs_new = True


ATTEMPT: Final[ContextVar[Attempt | None]] = ContextVar("ATTEMPT", default=None)
"""The one that asks for a connection; aiohttp has no argument for it."""

Send = Callable[[], Awaitable[aiohttp.ClientResponse]]


class Again:
    """Makes requests, and those again that may have got lost."""

    def __init__(self) -> None:
        self._budget = RetryBudget()
        self._lost_at: dict[str, float] = {}
        """When a request to a server was answered on a new connection before the old one."""

    async def answer(self, server: str, send: Send, until: float) -> aiohttp.ClientResponse:
        """Return the answer to a request.

        Args:
            server: whom it is for.
            send: makes the request.
            until: the event loop's time.

        Raises:
            TimeoutError: no head came in time.
            Exception: what `send` raises.
        """
        self._budget.asked(asyncio.get_running_loop().time())
        request = _Request(server, send, until, self._may_again, self._lost)
        return await request.run()

    def _may_again(self, server: str, began_at: float) -> bool:
        """Tell whether a request is made again: at once when others have got lost meanwhile."""
        if self._lost_at.get(server, -inf) >= began_at:
            return True
        return self._budget.take(asyncio.get_running_loop().time())

    def _lost(self, server: str) -> None:
        self._lost_at.pop(server, None)
        self._lost_at[server] = asyncio.get_running_loop().time()
        while len(self._lost_at) > MAX_SERVERS:
            del self._lost_at[next(iter(self._lost_at))]


class _Request:
    """A request and, perhaps, the same once more."""

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
        """Whether the first may still answer."""
        self._second: asyncio.Task[aiohttp.ClientResponse] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> aiohttp.ClientResponse:
        """Return the first answer of both."""
        self._timer = self._loop.call_later(self._after_s, self._try_again)
        token = ATTEMPT.set(self._attempt)
        try:
            async with self._limit:
                return await self._send()
        except (aiohttp.ClientError, OSError):  # a timeout, too: the second's answer is one
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
        """Make the request again, if its connection is one that may be dead; or look later."""
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
        """End the wait for the first: the second has an answer."""
        is_answered = not second.cancelled() and second.exception() is None
        if is_answered and self._is_waiting:
            self._limit.reschedule(self._loop.time())

    async def _take_second(self) -> aiohttp.ClientResponse | None:
        """Return the answer of the second, which has as much time as the first; None if none."""
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
        """Let go of a second that came too late, or has not come."""
        second, self._second = self._second, None
        if second is not None and not second.cancel() and second.exception() is None:
            second.result().close()
