"""Records of names in a Redis that several machines share.

What comes from there is verified as if it came from an upstream, so it needs no trust; whoever can
write there could at most give an older record back its youth, until its validity ends. Slow or
gone, it costs a request one `shared.timeout`, and then for a while nothing.
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
MAX_KEPT_S: Final = 7 * 86_400  # records are signed anew every few days; Kubo's live 48 h
MAX_CONNECTIONS: Final = 16
LATE_S: Final = 5.0
"""How long a command goes on when nobody waits for it any more: the first one has to connect, which
takes more round trips than `shared.timeout` may allow, and the next ones need the connection."""
DEFAULT_PORT: Final = 6379

MAX_ENTRY_BYTES: Final = 2 * MAX_RECORD_BYTES
"""Of what stands in Redis: a record in base64 and its time."""

_FAILURES: Final = (RedisError, OSError, *UNREADABLE)  # TimeoutError is an OSError
_NO_ENTRY: Final[tuple[type[Exception], ...]] = (TypeError, KeyError, *UNREADABLE)
_log = logging.getLogger(__name__)


class SharedRecord(NamedTuple):
    """A record that some machine fetched."""

    record: IpnsRecord
    age_s: float
    """Seconds since then, by the wall clocks of both machines; never negative."""


class _Entry(NamedTuple):
    """What stands in Redis."""

    raw: bytes
    """The record, not verified yet."""
    at: float
    """When it was fetched: seconds since the epoch."""


class _Entries(BaseSerializer):  # type: ignore[misc]  # aiocache has no types
    """Entries as JSON; what is none is as if it were not there, not a failure of Redis."""

    DEFAULT_ENCODING = None  # bytes: what is not UTF-8 is no entry either

    @override
    def dumps(self, value: _Entry) -> str:
        return json.dumps({"record": b64encode(value.raw).decode(), "at": value.at})

    @override
    def loads(self, value: object) -> _Entry | None:
        if not isinstance(value, bytes) or len(value) > MAX_ENTRY_BYTES:
            return None
        try:
            told: Any = json.loads(value)
            raw, at = b64decode(told["record"], validate=True), float(told["at"])
        except _NO_ENTRY:
            return None
        return None if at == -math.inf else _Entry(raw, at)


class SharedRecords:
    """Keeps IPNS records in Redis. Nothing here raises."""

    def __init__(self, settings: SharedSettings, clock: Clock) -> None:
        self._clock = clock
        self._timeout_s = settings.timeout
        self._breaker = Breaker(clock)
        self._cache = _open(settings.redis)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def find(self, key: Cid) -> SharedRecord | None:
        """Return the record of a key, verified, or None."""
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
        """Keep a record that was fetched now."""
        now = self._clock.now()
        left_s = min(int(record.valid_until - now), MAX_KEPT_S)
        if left_s > 0:
            entry = _Entry(record.raw, now)
            await self._ask(lambda: self._cache.set(str(record.name), entry, ttl=left_s))

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Return what Redis says in time; None if it says nothing."""
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
            task.exception()  # seen: it may have come too late for anybody

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
    """aiocache's client, without the two calls that redis-py warns of since 6.0."""

    @override
    async def _set(self, key: str, value: str, ttl: int | None = None, **_more: Any) -> Any:
        return await self.client.set(key, value, ex=ttl)

    @override
    async def _close(self, *_args: Any, **_more: Any) -> None:
        await self.client.aclose()


def _open(url: str) -> _Redis:
    """Make aiocache's client for `redis://user:password@host:port/database`; connects later."""
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
        connection_pool_class=BlockingConnectionPool,  # a crowd waits its turn, and is no failure
        connection_pool_kwargs=more,
        namespace=NAMESPACE,
        serializer=_Entries(),
        timeout=None,
    )
