"""Rate limits that several gateways enforce together, through a Redis that they share.

Every gateway decides by its own buckets, at once. In the background, twice a second, it sends the
number of requests that it allowed each client to Redis, and gets back when that client's bucket is
full again across all gateways. So a client that spreads its requests over many gateways can get
one burst from each, and has to wait that out before it gets more. Without Redis, or with a slow
one, every gateway goes on with its own counts.
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
"""Most clients in one exchange, the busiest ones; all others are counted only here."""
BATCH: Final = 500
"""Clients in one command: 1 ms during which Redis answers no other one."""
KEY_PREFIX: Final = "ipfs-gateway:rate"

# Counts requests of some clients. KEYS: one per client. ARGV: the seconds that one request adds,
# then the number of requests of each client. Returns the seconds until each bucket is full again.
# It uses the clock of Redis, so those of the gateways need not agree. A key expires when its bucket
# is full.
_COUNT: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local result = {}
for i, key in ipairs(KEYS) do
  local added = tonumber(ARGV[1]) * tonumber(ARGV[i + 1])
  local full_at = math.max(tonumber(redis.call('GET', key) or 0), now) + added
  local full_in = full_at - now
  if added > 0 then
    redis.call('SET', key, string.format('%.6f', full_at), 'PX', math.ceil(full_in * 1000))
  end
  result[i] = string.format('%.6f', full_in)
end
return result
"""

_log = logging.getLogger(__name__)


class SharedCounts:
    """Synchronises the buckets of this gateway with those of the others.

    Args:
        buckets: those of this gateway.
        rate: that of the buckets; gateways with different rates count apart.
        settings: the address of Redis and the timeout of a command.
        clock: monotonic time.
    """

    def __init__(
        self, buckets: TokenBuckets, rate: Rate, settings: SharedSettings, clock: Clock
    ) -> None:
        self._buckets = buckets
        buckets.hand_over()  # starts the counting
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
        """Send the counts since the last call, and apply those of the others. Never raises."""
        taken = self._buckets.hand_over()
        if not taken:
            return
        clients = nlargest(MAX_CLIENTS, taken, key=taken.__getitem__)
        for start in range(0, len(clients), BATCH):
            if not self._breaker.may_ask():
                return
            batch = clients[start : start + BATCH]
            try:
                full_in = await self._count(batch, [taken[client] for client in batch])
            except (RemoteError, TimeoutError) as exc:
                if self._breaker.failed():
                    _log.warning("rate limits are not shared now: %s", str(exc) or "too slow")
                return
            self._breaker.succeeded()
            now = self._clock.monotonic()
            for client, full_in_s in zip(batch, full_in, strict=True):
                self._buckets.empty(client, full_in_s, now)

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def _count(self, clients: list[str], requests: list[int]) -> list[float]:
        """Return the seconds until the bucket of each client is full again."""
        keys = [self._prefix + client for client in clients]
        async with asyncio.timeout(self._timeout_s):
            with translated(TypeError):
                reply = await self._script(keys=keys, args=[self._interval_s, *requests])
                counted = [float(seconds) for seconds in reply]
                if len(counted) != len(clients):
                    raise ValueError(f"sent {len(clients)} clients, got {len(counted)}")
                return counted
