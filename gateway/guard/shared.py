"""What the gateways that share a Redis have counted together.

Every gateway decides by its own buckets, at once. Behind that, twice a second, it tells Redis how
many requests each client was allowed and hears when that client's bucket is full again, all
gateways counted. So a client that spreads its requests over many of them can get one burst from
each, and pays that back before it gets more. Without Redis, or with a slow one, every gateway goes
on with what it has counted itself.
"""

import asyncio
import logging
from heapq import nlargest
from typing import Final

from gateway.breaker import Breaker
from gateway.guard.limits import Rate, TokenBuckets
from gateway.ports import Clock
from gateway.settings import SharedSettings
from gateway.shared_redis import RemoteError, connect, translated

EXCHANGE_EVERY_S: Final = 0.5
MAX_CLIENTS: Final = 10_000
"""The busiest ones are told of in one exchange; all others are counted here only."""
BATCH: Final = 500
"""Clients in one command: 1 ms of Redis, which answers nobody else meanwhile."""
KEY_PREFIX: Final = "ipfs-gateway:rate"

# Counts requests of some clients: KEYS are theirs; ARGV is the seconds that one request adds, then
# the number of requests of each. Returns in how many seconds each bucket is full again. The clock
# is that of Redis, so those of the gateways need not agree; a key goes when its bucket is full.
_COUNT: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local told = {}
for i, key in ipairs(KEYS) do
  local added = tonumber(ARGV[1]) * tonumber(ARGV[i + 1])
  local full_at = math.max(tonumber(redis.call('GET', key) or 0), now) + added
  local full_in = full_at - now
  if added > 0 then
    redis.call('SET', key, string.format('%.6f', full_at), 'PX', math.ceil(full_in * 1000))
  end
  told[i] = string.format('%.6f', full_in)
end
return told
"""

_log = logging.getLogger(__name__)


class SharedCounts:
    """Keeps the buckets of this gateway in step with those of all others.

    Args:
        buckets: of this gateway.
        rate: that of the buckets; gateways with different rates do not count together.
        settings: where Redis is, and how long it may take to answer.
        clock: time.
    """

    def __init__(
        self, buckets: TokenBuckets, rate: Rate, settings: SharedSettings, clock: Clock
    ) -> None:
        self._buckets = buckets
        buckets.hand_over()  # from now on it is noted
        self._prefix = f"{KEY_PREFIX}:{rate.amount}/{rate.window_s}:"
        self._interval_s = rate.window_s / rate.amount
        self._timeout_s = settings.timeout
        self._clock = clock
        self._breaker = Breaker(clock)
        self._redis = connect(settings)
        self._script = self._redis.register_script(_COUNT)

    async def run(self) -> None:
        """Exchange counts until cancelled."""
        while True:
            await asyncio.sleep(EXCHANGE_EVERY_S)
            await self.exchange()

    async def exchange(self) -> None:
        """Tell what was counted since the last time, and hear what others have. Never raises."""
        taken = self._buckets.hand_over()
        if not taken:
            return
        clients = nlargest(MAX_CLIENTS, taken, key=taken.__getitem__)
        for start in range(0, len(clients), BATCH):
            if not self._breaker.may_ask():
                return
            batch = clients[start : start + BATCH]
            try:
                told = await self._count(batch, [taken[client] for client in batch])
            except (RemoteError, TimeoutError) as exc:
                if self._breaker.failed():
                    _log.warning("limits are not shared for a while: %s", str(exc) or "too slow")
                return
            self._breaker.succeeded()
            now = self._clock.monotonic()
            for client, full_in_s in zip(batch, told, strict=True):
                self._buckets.empty(client, full_in_s, now)

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def _count(self, clients: list[str], requests: list[int]) -> list[float]:
        """Return in how many seconds the bucket of each client is full again."""
        keys = [self._prefix + client for client in clients]
        async with asyncio.timeout(self._timeout_s):
            with translated(TypeError):
                told = await self._script(keys=keys, args=[self._interval_s, *requests])
                counted = [float(seconds) for seconds in told]
                if len(counted) != len(clients):
                    raise ValueError(f"asked for {len(clients)} clients, told of {len(counted)}")
                return counted
