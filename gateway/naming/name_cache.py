"""Answers about names: from memory, from a search that is under way, or from a new one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from gateway.errors import GatewayError, NotCached, NotFound
from gateway.naming.held import Age, Held
from gateway.naming.single_flight import SingleFlight
from gateway.naming.table import MAX_NAMES, Table
from gateway.ports import Clock

T = TypeVar("T")

REST_S: Final = 10.0
"""Between two searches for a name that has an answer, whatever its TTL; RFC 8767, 5 asks for not
more than one attempt in 30 s when they fail."""


class Answer(NamedTuple, Generic[T]):
    """What is known about a name."""

    held: Held[T]
    is_stale: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """How long failures count, and which of them leave the last answer in place."""

    absent_s: float
    """Seconds for which a name that does not exist is not searched for again."""
    failed_s: float
    """Seconds for which a search that failed is not repeated."""
    survived: tuple[type[GatewayError], ...]
    """Failures after which the last answer counts on, within its grace."""
    patience_s: float
    """Seconds to wait for a newer answer when there is an old one that still counts."""


class NameCache(Generic[T]):
    """Remembers answers and failures, and sees to it that a name is searched for once at a time.

    Args:
        policy: what failures mean.
        clock: the time.
        search: brings the answer for a name, given the last one if there is one that still counts.
        is_alive: whether an answer still counts by its own words.
        capacity: names that have an answer, and as many that have none.
    """

    def __init__(
        self,
        policy: Policy,
        clock: Clock,
        search: Callable[[str, Held[T] | None], Awaitable[Held[T]]],
        is_alive: Callable[[T], bool],
        capacity: int = MAX_NAMES,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._search = search
        self._is_alive = is_alive
        self._table: Table[Held[T]] = Table(capacity)
        self._failures: Table[tuple[GatewayError, float]] = Table(capacity)
        self._in_flight: SingleFlight[str, Answer[T]] = SingleFlight()

    async def get(self, name: str, *, is_afresh: bool = False) -> Answer[T]:
        """Return the answer for a name.

        Args:
            name: what is asked for.
            is_afresh: wait for a newer answer than one that is stale, as long as for an old one.

        Raises:
            GatewayError: the search failed, now or a moment ago, and no older answer counts.
        """
        held = await self._find(name)
        now = self._clock.monotonic()
        age = Age.GONE if held is None else held.age(now)
        if held is not None and age in (Age.FRESH, Age.RESTING):
            return Answer(held, age is Age.RESTING)
        if held is not None and age is Age.STALE and not is_afresh:
            self._in_flight.begin(name, lambda: self._renew(name, held))
            return Answer(held, is_stale=True)
        failure = await self._failures.find(name)
        if failure is not None and now < failure[1]:
            raise failure[0].with_traceback(None)
        if held is None:
            return await self._in_flight.join(name, lambda: self._renew(name, None))
        try:
            async with asyncio.timeout(self._policy.patience_s):
                return await self._in_flight.join(name, lambda: self._renew(name, held))
        except TimeoutError:
            return await self._rest(name, held)

    async def recall(self, name: str) -> Answer[T]:
        """Return the answer for a name if one is known that counts; nothing is searched for.

        Raises:
            NotCached: none is.
        """
        held = await self._find(name)
        if held is None:
            raise NotCached(name)
        return Answer(held, held.age(self._clock.monotonic()) is not Age.FRESH)

    async def _find(self, name: str) -> Held[T] | None:
        """Return the last answer if it counts, at least when nobody answers."""
        held = await self._table.find(name)
        if held is None or self._counts(held):
            return held
        await self._table.drop(name)
        return None

    def _counts(self, held: Held[T]) -> bool:
        is_in_time = held.age(self._clock.monotonic()) is not Age.GONE
        return is_in_time and self._is_alive(held.value)

    async def _renew(self, name: str, held: Held[T] | None) -> Answer[T]:
        try:
            found = await self._search(name, held)
        except GatewayError as error:
            return await self._survive(name, held, error)
        await self._table.keep(name, found)
        return Answer(found, found.age(self._clock.monotonic()) is not Age.FRESH)

    async def _survive(self, name: str, held: Held[T] | None, error: GatewayError) -> Answer[T]:
        """Go on with the last answer if the failure allows it, or remember the failure."""
        now = self._clock.monotonic()
        has_survived = isinstance(error, self._policy.survived)
        if held is not None and has_survived and self._counts(held):
            return await self._rest(name, held)
        await self._table.drop(name)
        is_absent = isinstance(error, NotFound)
        until = now + (self._policy.absent_s if is_absent else self._policy.failed_s)
        await self._failures.keep(name, (error, until))
        raise error

    async def _rest(self, name: str, held: Held[T]) -> Answer[T]:
        """Use an old answer and let it be for a while, unless a newer one has just come."""
        kept = await self._table.find(name)
        now = self._clock.monotonic()
        if kept is not None and kept is not held:
            return Answer(kept, kept.age(now) is not Age.FRESH)
        resting = held.rest(now + REST_S)
        await self._table.keep(name, resting)
        return Answer(resting, is_stale=True)

    async def close(self) -> None:
        """End all searches."""
        await self._in_flight.close()
