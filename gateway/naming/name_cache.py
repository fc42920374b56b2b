"""A cache of answers about names that joins searches in flight and starts new ones."""

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
"""Least time between two searches for a name that has an answer, whatever its TTL; RFC 8767, 5
allows one attempt in 30 s while they fail."""


class Answer(NamedTuple, Generic[T]):
    """The answer about a name; `is_stale` once it has expired."""

    held: Held[T]
    is_stale: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """How long failures are cached, and which of them leave the last answer in use."""

    absent_s: float
    """Seconds for which `NotFound` is cached."""
    failed_s: float
    """Seconds for which any other failure is cached."""
    survived: tuple[type[GatewayError], ...]
    """Failures after which the last answer stays in use, within its grace."""
    patience_s: float
    """Seconds to wait for a newer answer when an old one can still be used."""


class NameCache(Generic[T]):
    """A cache of answers and failures, with one search at a time for each name.

    Args:
        policy: lifetimes of failures.
        clock: the time.
        search: finds the answer for a name; called with the last answer that is still usable.
        is_alive: whether the value itself is still valid.
        capacity: names with an answer; as many again with a failure.
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
            name: the key of the answer.
            is_afresh: treat a stale answer like an old one: wait for a newer one.

        Raises:
            GatewayError: the search failed, now or a moment ago, and no older answer is usable.
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
        """Return the cached answer for a name; never searches.

        Raises:
            NotCached: no usable answer is in the cache.
        """
        held = await self._find(name)
        if held is None:
            raise NotCached(name)
        return Answer(held, held.age(self._clock.monotonic()) is not Age.FRESH)

    async def _find(self, name: str) -> Held[T] | None:
        """Return the last answer, if it is usable at least after a failed search."""
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
        """Return the last answer if the failure allows it; else cache the failure and raise it."""
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
        """Return an old answer and delay its next search, unless a newer one has just come."""
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
