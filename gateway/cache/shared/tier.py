"""The tier that several machines share: whatever becomes of it, nobody waits for it.

A question has one deadline and then is a miss; after a few failures in a row nobody asks for a
while. Writes go behind, from a bounded queue; what does not fit is dropped. Nothing that comes
from here is believed before it is hashed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Final, TypeVar

from gateway.background import Background
from gateway.breaker import Breaker
from gateway.cache.shared.stores import HERE, IN_BUCKET, BucketBlocks, RedisBlocks
from gateway.cache.states import MIN_FILE_BYTES
from gateway.content.block import Block, verify
from gateway.content.cid import Cid
from gateway.errors import BadBlock, CacheUnavailable
from gateway.ports import Clock, Observer, Rejection
from gateway.settings import SharedSettings
from gateway.shared_redis import RemoteError

MAX_PENDING_BYTES: Final = 16 * 1024 * 1024
WRITERS: Final = 4
"""Writes under way at once."""
WRITE_TIMEOUT_S: Final = 5.0
FOLLOW_S: Final = 1.0
"""How often purges of other machines are asked for."""
PURGE_MEMORY_S: Final = 24 * 3600
"""A machine that was away for less than this follows all purges when it comes back."""
PURGE_TIMEOUT_S: Final = 5.0

T = TypeVar("T")
Follow = Callable[[Sequence[bytes]], Awaitable[None]]

_log = logging.getLogger(__name__)


class SharedTier:
    """Blocks in Redis and in a bucket; either may be missing. Belongs to the event loop."""

    def __init__(
        self,
        redis: RedisBlocks | None,
        bucket: BucketBlocks | None,
        timeout_s: float,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Join stores; `start` starts what goes on behind."""
        self._redis = redis
        self._bucket = bucket
        self._timeout_s = timeout_s
        self._clock = clock
        self._observer = observer
        self._redis_breaker = Breaker(clock)
        self._bucket_breaker = Breaker(clock)
        self._pending: deque[Block] = deque()
        self._pending_bytes = 0
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._written = self._dropped = self._errors = 0

    @classmethod
    def of(cls, settings: SharedSettings, clock: Clock, observer: Observer) -> "SharedTier | None":
        """Make the tier of its settings; None when it is off."""
        redis = RedisBlocks(settings) if settings.redis else None
        bucket = BucketBlocks(settings) if settings.bucket else None
        if redis is None and bucket is None:
            return None
        return cls(redis, bucket, settings.timeout, clock, observer)

    def start(self, background: Background, follow: Follow) -> None:
        """Begin to write, and to follow the purges of other machines.

        Args:
            background: where that goes on.
            follow: called with the multihashes of what was purged somewhere; must not raise.
        """
        self._tasks = [background.keep("shared-writes", self._write) for _ in range(WRITERS)]
        if self._redis is not None:
            following = partial(self._follow, self._redis, follow)
            self._tasks.append(background.keep("shared-purges", following))

    async def close(self) -> None:
        """End; what waits to be written is dropped: another machine will fetch it, too."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._redis is not None:
            await self._redis.close()

    async def find(self, cid: Cid) -> Block | None:
        """Return the verified block, or None: not there, or not in time."""
        key = cid.multihash
        is_in_bucket = self._bucket is not None
        if self._redis is not None:
            redis = self._redis
            value = await self._ask(self._redis_breaker, lambda: redis.get(key))
            if value is not None and value.startswith(HERE):
                return await self._check(cid, value[len(HERE) :])
            # Redis knows what is in the bucket; without its answer the bucket is asked.
            is_in_bucket &= value == IN_BUCKET or self._redis_breaker.is_open
        if self._bucket is not None and is_in_bucket:
            bucket = self._bucket
            data = await self._ask(self._bucket_breaker, lambda: bucket.get(key))
            if data is not None:
                return await self._check(cid, data)
        return None

    def keep(self, block: Block) -> None:
        """Write a block some time soon, or never."""
        is_large = len(block.data) >= MIN_FILE_BYTES
        if self._bucket is None and is_large:
            return
        if self._pending_bytes + len(block.data) > MAX_PENDING_BYTES:
            self._dropped += 1
            return
        self._pending.append(block)
        self._pending_bytes += len(block.data)
        self._filled.set()

    def forget(self, keys: Iterable[bytes] | None) -> None:
        """Do not write blocks that were or are about to be purged; None for all."""
        gone = None if keys is None else frozenset(keys)
        left = [b for b in self._pending if gone is not None and b.cid.multihash not in gone]
        self._pending = deque(left)
        self._pending_bytes = sum(len(block.data) for block in left)

    async def purge(self, keys: Sequence[bytes]) -> None:
        """Take blocks out, and tell all other machines.

        Raises:
            CacheUnavailable: it could not be done, or is not known to be.
        """
        try:
            async with asyncio.timeout(PURGE_TIMEOUT_S):
                await self._remove(keys)
                if self._redis is not None:
                    await self._redis.announce_purge(keys)
        except (RemoteError, TimeoutError) as exc:
            raise CacheUnavailable(f"the shared tier could not be purged: {exc}") from exc

    def stats(self) -> dict[str, object]:
        """Return what it does, as JSON has it; of this process."""
        return {
            "shared_state": self.state,
            "shared_pending_bytes": self._pending_bytes,
            "shared_written": self._written,
            "shared_dropped": self._dropped,
            "shared_errors": self._errors,
        }

    @property
    def state(self) -> str:
        """`up`, or which part is not asked now because it failed."""
        parts = {"redis": self._redis_breaker, "bucket": self._bucket_breaker}
        down = [name for name, breaker in parts.items() if breaker.is_open]
        return f"{' and '.join(down)} down" if down else "up"

    async def _ask(self, breaker: Breaker, question: Callable[[], Awaitable[T]]) -> T | None:
        if not breaker.may_ask():
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await question()
        except (RemoteError, TimeoutError) as exc:
            self._fail(breaker, exc)
            return None
        breaker.succeeded()
        return answer

    def _fail(self, breaker: Breaker, error: Exception) -> None:
        self._errors += 1
        if breaker.failed():
            _log.warning("the shared tier is left alone for a while: %s", str(error) or "too slow")

    async def _check(self, cid: Cid, data: bytes) -> Block | None:
        try:
            return verify(cid, data)
        except BadBlock:
            self._observer.block_rejected(Rejection.MISMATCH, "shared")
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._remove([cid.multihash])
            except (RemoteError, TimeoutError):
                self._errors += 1
            return None

    async def _remove(self, keys: Sequence[bytes]) -> None:
        if self._redis is not None:
            await self._redis.remove(keys)
        if self._bucket is not None:
            await self._bucket.remove(keys)

    async def _write(self) -> None:
        while True:
            await self._filled.wait()
            if not self._pending:
                self._filled.clear()
                continue
            block = self._pending.popleft()
            self._pending_bytes -= len(block.data)
            await self._write_one(block)

    async def _write_one(self, block: Block) -> None:
        key, is_large = block.cid.multihash, len(block.data) >= MIN_FILE_BYTES
        is_bucket = self._bucket is not None and (is_large or self._redis is None)
        breaker = self._bucket_breaker if is_bucket else self._redis_breaker
        if not breaker.may_ask():
            self._dropped += 1
            return
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                if self._bucket is not None and is_bucket:
                    await self._bucket.put(key, block.data)
                if self._redis is not None:
                    await self._redis.put(key, IN_BUCKET if is_bucket else HERE + block.data)
        except (RemoteError, TimeoutError) as exc:
            self._fail(breaker, exc)
        else:
            breaker.succeeded()
            self._written += 1

    async def _follow(self, redis: RedisBlocks, follow: Follow) -> None:
        place = f"{max(0, int((self._clock.now() - PURGE_MEMORY_S) * 1000))}-0"
        while True:
            if self._redis_breaker.may_ask():
                try:
                    async with asyncio.timeout(PURGE_TIMEOUT_S):
                        entries = await redis.purges_after(place)
                except (RemoteError, TimeoutError) as exc:
                    self._fail(self._redis_breaker, exc)
                else:
                    self._redis_breaker.succeeded()
                    for entry in entries:
                        await follow(entry.keys)
                        place = entry.place
            await asyncio.sleep(FOLLOW_S)
