"""IPNS records in a Redis that several machines share.

A record from Redis is verified like one from an upstream, so Redis need not be trusted: a writer
could at most make an older record look newly fetched, until its validity ends. A slow or absent
Redis costs a request one `shared.timeout`; after that the circuit breaker skips it for a while.
"""

import asyncio
import json
import logging
import math
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from aiocache import RedisCache
from aiocache.serializers import BaseSerializer
from redis.asyncio import BlockingConnectionPool
from redis.exceptions import RedisError
from typing_extensions import override

from gateway.breaker import Breaker
from gateway.content.cid import Cid
from gateway.content.ipns import MAX_RECORD_BYTES, IpnsRecord, verify_record
from gateway.errors import BadRecord
from gateway.ports import Clock
from gateway.settings import SharedSettings
from gateway.shared_redis import UNREADABLE

T = TypeVar("T")

NAMESPACE: Final = "ipfs-gateway:name"  # of the keys, so that others can share the database
MAX_KEPT_S: Final = 7 * 86_400  # records are re-signed every few days; Kubo's are valid for 48 h
MAX_CONNECTIONS: Final = 16
LATE_S: Final = 5.0
"""How long a command may outlive `shared.timeout`: the first one has to connect, which takes more
round trips than that may allow, and the next ones need the connection."""
DEFAULT_PORT: Final = 6379

MAX_ENTRY_BYTES: Final = 2 * MAX_RECORD_BYTES
"""Of a value in Redis: a record in base64 and the time of its fetch."""

_FAILURES: Final = (RedisError, OSError, *UNREADABLE)  # TimeoutError is an OSError
_NO_ENTRY: Final[tuple[type[Exception], ...]] = (TypeError, KeyError, *UNREADABLE)
_log = logging.getLogger(__name__)


class SharedRecord(NamedTuple):
    """A record that one of the machines fetched."""

    record: IpnsRecord
    age_s: float
    """Seconds since the fetch, by the wall clocks of both machines; never negative."""


class _Entry(NamedTuple):
    """A value in Redis."""

    raw: bytes
    """The record, not verified yet."""
    at: float
    """When it was fetched: seconds since the epoch."""


class _Entries(BaseSerializer):  # type: ignore[misc]  # aiocache has no types
    """Entries as JSON; a malformed value counts as a miss, not as a failure of Redis."""

    DEFAULT_ENCODING = None  # bytes: a value that is not UTF-8 is a miss, too

    @override
    def dumps(self, value: _Entry) -> str:
        return json.dumps({"record": b64encode(value.raw).decode(), "at": value.at})

    @override
    def loads(self, value: object) -> _Entry | None:
        if not isinstance(value, bytes) or len(value) > MAX_ENTRY_BYTES:
            return None
        try:
            fields: Any = json.loads(value)
            raw, at = b64decode(fields["record"], validate=True), float(fields["at"])
        except _NO_ENTRY:
            return None
        return None if at == -math.inf else _Entry(raw, at)


class SharedRecords:
    """A store of IPNS records in Redis. No method raises: failures count as misses."""

    def __init__(self, settings: SharedSettings, clock: Clock) -> None:
        self._clock = clock
        self._timeout_s = settings.timeout
        self._breaker = Breaker(clock)
        self._cache = _open(settings.redis)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def find(self, key: Cid) -> SharedRecord | None:
        """Return the verified record of a key; None for a miss."""
        entry: _Entry | None = await self._ask(lambda: self._cache.get(str(key)))
        if entry is None:
            return None
        now = self._clock.now()
        try:
            record = verify_record(key, entry.raw, now)
        except BadRecord:
            return None
        return SharedRecord(record, max(0.0, now - entry.at))

    async def keep(self, record: IpnsRecord) -> None:
        """Store a record that was fetched just now."""
        now = self._clock.now()
        left_s = min(int(record.valid_until - now), MAX_KEPT_S)
        if left_s > 0:
            entry = _Entry(record.raw, now)
            await self._ask(lambda: self._cache.set(str(record.name), entry, ttl=left_s))

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Return the result of a command; None if it fails or takes too long."""
        if not self._breaker.may_ask():
            return None
        task = asyncio.create_task(_within(LATE_S, call))
        self._tasks.add(task)
        task.add_done_callback(self._end)
        done, _ = await asyncio.wait([task], timeout=self._timeout_s)
        error = task.exception() if done else TimeoutError()
        if error is None:
            self._breaker.succeeded()
            return task.result()
        if not isinstance(error, _FAILURES):
            raise error
        if self._breaker.failed():
            _log.warning("the shared tier does not answer: %s", type(error).__name__)
        return None

    def _end(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved: the caller may have left

    async def close(self) -> None:
        """Close all connections."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._cache.close()


async def _within(seconds: float, call: Callable[[], Awaitable[T]]) -> T:
    async with asyncio.timeout(seconds):
        return await call()


class _Redis(RedisCache):  # type: ignore[misc]  # aiocache has no types
    """aiocache's client, without the two calls that redis-py has deprecated since 6.0."""

    @override
    async def _set(self, key: str, value: str, ttl: int | None = None, **_more: Any) -> Any:
        return await self.client.set(key, value, ex=ttl)

    @override
    async def _close(self, *_args: Any, **_more: Any) -> None:
        await self.client.aclose()


def _open(url: str) -> _Redis:
    """Return aiocache's client for `redis://user:password@host:port/database`; connects later."""
    parts = urlsplit(url)
    # RESP2 and no CLIENT SETINFO: one round trip to connect, not four.
    more: dict[str, Any] = {"protocol": 2, "driver_info": None}
    if parts.username:
        more["username"] = unquote(parts.username)
    return _Redis(
        endpoint=parts.hostname,
        port=parts.port or DEFAULT_PORT,
        db=int(parts.path.strip("/") or 0),
        password=unquote(parts.password) if parts.password else None,
        ssl=parts.scheme == "rediss",
        pool_max_size=MAX_CONNECTIONS,
        connection_pool_class=BlockingConnectionPool,  # waits instead of failing
        connection_pool_kwargs=more,
        namespace=NAMESPACE,
        serializer=_Entries(),
        timeout=None,
    )
