"""Admission control: a request rate per client, and a concurrency limit for the process.

The RateLimit fields are those of draft-ietf-httpapi-ratelimit-headers-06 (`RateLimit-Limit`,
`-Remaining`, `-Reset`, `-Policy`), which clients and proxies read today; later drafts merge them
into one structured field that few know yet.

All workers count in one table (`gateway.client_table`); machines that share a Redis synchronise
their counts (`gateway.guard.shared`).
"""

from collections.abc import Mapping
from math import ceil
from socket import AF_INET6, inet_pton
from typing import Final

from gateway.client_table import ClientTable
from gateway.errors import TooManyRequests
from gateway.guard.limits import TokenBuckets, parse_rate
from gateway.guard.shared import SharedCounts
from gateway.ports import Clock
from gateway.settings import LimitsSettings, SharedSettings

IPV6_PREFIX_BYTES: Final = 8  # a /64, the smallest network that a customer gets; RFC 6177
BUSY_RETRY_AFTER_S: Final = 5  # requests in flight end within seconds; boxo sends 60
MAX_READY_FIELDS: Final = 4096  # cached sets of RateLimit fields; 1.5 MB

_NO_FIELDS: Final[Mapping[str, str]] = {}


def client_key(client: str) -> str:
    """Return the key of a client's limits: its IPv4 address, or the /64 of its IPv6 address in hex.

    Args:
        client: a result of `gateway.guard.addresses.client_address`.
    """
    if ":" not in client:
        return client
    return inet_pton(AF_INET6, client)[:IPV6_PREFIX_BYTES].hex()


class AdmissionControl:
    """Implements `gateway.ports.Admission` for one process.

    Args:
        limits: the rate and the burst of one client.
        max_concurrent: most requests in flight, of all clients.
        clock: monotonic time.
        table: the table that all workers share; None for a private one.

    Raises:
        BadSetting: the rate is malformed.
    """

    def __init__(
        self,
        limits: LimitsSettings,
        max_concurrent: int,
        clock: Clock,
        table: ClientTable | None = None,
    ) -> None:
        self._max_concurrent = max_concurrent
        self._active = 0
        self._clock = clock
        self._monotonic = clock.monotonic
        self._ready: dict[tuple[int, int], Mapping[str, str]] = {}
        self._lines: dict[tuple[int, int], bytes] = {}
        self._buckets: TokenBuckets | None = None
        self._rate = rate = parse_rate(limits.requests)
        if rate is not None:
            self._buckets = TokenBuckets(rate, limits.burst, table or ClientTable.private())
            self._limit = str(rate.amount)
            self._policy = f"{rate.amount};w={rate.window_s};burst={limits.burst}"
            self._reason = (
                f"more than {rate.amount} requests in {rate.window_s} s, or {limits.burst} at once"
            )

    @property
    def active(self) -> int:
        """Requests admitted and not yet released."""
        return self._active

    def share(self, settings: SharedSettings) -> SharedCounts | None:
        """Return the synchronisation of counts with other machines; None if it is off."""
        if self._buckets is None or self._rate is None or not settings.redis:
            return None
        return SharedCounts(self._buckets, self._rate, settings, self._clock)

    def admit(self, client: str) -> Mapping[str, str]:
        """Count one request of `client`; `release` must follow, unless this raises.

        Returns:
            The RateLimit header fields to send, empty when limits are off. Shared: do not modify.

        Raises:
            TooManyRequests: over the limit of the client or of the process.
        """
        if self._active >= self._max_concurrent:
            reason = f"{self._max_concurrent} requests are in flight; try again later"
            raise TooManyRequests(reason, BUSY_RETRY_AFTER_S)
        fields = _NO_FIELDS if self._buckets is None else self._count(self._buckets, client)
        self._active += 1
        return fields

    def pass_by(self, client: str) -> bytes | None:
        """Count one request of `client` that is answered at once; needs no `release`.

        Returns:
            The RateLimit header fields as lines of a head, empty when limits are off. None over
            a limit: nothing was counted, and `admit` raises the reason.
        """
        if self._active >= self._max_concurrent:
            return None
        buckets = self._buckets
        if buckets is None:
            return b""
        key = client if ":" not in client else client_key(client)
        wait_s, full_in_s = buckets.take(key, self._monotonic())
        if wait_s:
            return None
        state = (buckets.remaining(full_in_s), ceil(full_in_s))
        return self._lines.get(state) or self._format(state)

    def hold(self) -> None:
        """Count a request of `pass_by` that takes longer as in flight; `release` must follow."""
        self._active += 1

    def release(self) -> None:
        """Count the end of a request that was admitted."""
        self._active -= 1

    def _count(self, buckets: TokenBuckets, client: str) -> Mapping[str, str]:
        wait_s, full_in_s = buckets.take(client_key(client), self._monotonic())
        state = (buckets.remaining(full_in_s), ceil(full_in_s))
        fields = self._ready.get(state) or self._prepare(*state)
        if wait_s:
            raise TooManyRequests(self._reason, ceil(wait_s), fields)
        return fields

    def _prepare(self, remaining: int, reset_s: int) -> Mapping[str, str]:
        if len(self._ready) >= MAX_READY_FIELDS:
            self._ready.clear()
        fields = self._ready[remaining, reset_s] = {
            "RateLimit-Limit": self._limit,
            "RateLimit-Remaining": str(remaining),
            "RateLimit-Reset": str(reset_s),
            "RateLimit-Policy": self._policy,
        }
        return fields

    def _format(self, state: tuple[int, int]) -> bytes:
        """Return the fields of a state as lines, names in lower case as uvicorn writes them."""
        if len(self._lines) >= MAX_READY_FIELDS:
            self._lines.clear()
        fields = self._ready.get(state) or self._prepare(*state)
        lines = "".join([f"{name.lower()}: {value}\r\n" for name, value in fields.items()])
        self._lines[state] = lines.encode("ascii")
        return self._lines[state]
