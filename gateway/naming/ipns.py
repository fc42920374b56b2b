"""IPNS records by key: the newest valid record that this gateway has seen."""

from math import inf
from typing import Final

from gateway.content.cid import Cid
from gateway.content.ipns import IpnsRecord, is_newer
from gateway.content.names import parse_key
from gateway.content.timestamp import NS_PER_S
from gateway.errors import RetrievalError
from gateway.naming.held import Held
from gateway.naming.name_cache import REST_S, Answer, NameCache, Policy
from gateway.naming.shared import SharedRecord, SharedRecords
from gateway.ports import Clock, RecordSource

DEFAULT_TTL_S: Final = 300.0  # ipns-record.md, "TTL": for a record without one
MAX_TTL_S: Final = 3600.0
"""Upper bound on a record's TTL: after a TTL of a year, signed by mistake, the owner's next record
must still be seen."""
STALE_S: Final = 600.0
"""Seconds after its TTL for which a record is served while it is renewed: a DHT search takes
seconds."""
POLICY: Final = Policy(absent_s=10.0, failed_s=5.0, survived=(RetrievalError,), patience_s=5.0)


def ttl_s(record: IpnsRecord) -> float:
    """Return the seconds after the fetch for which a record needs no renewal."""
    if record.ttl_ns is None:
        return DEFAULT_TTL_S
    return min(max(record.ttl_ns, 0), int(MAX_TTL_S * NS_PER_S)) / NS_PER_S


def hold(record: IpnsRecord, clock: Clock, age_s: float = 0.0) -> Held[IpnsRecord]:
    """Return a record, fetched `age_s` ago, as a cached answer; fresh at most while valid."""
    now = clock.monotonic()
    valid_s = record.valid_until - clock.now()
    fetched = now - age_s
    fresh_until = min(fetched + ttl_s(record), now + valid_s)
    return Held(record, fresh_until, fresh_until + STALE_S, inf, fetched + REST_S)


class Keys:
    """A resolver of IPNS keys to records.

    Args:
        source: fetches records from upstreams.
        shared: records that other machines fetched; None without a shared Redis.
        clock: the time.
    """

    def __init__(self, source: RecordSource, shared: SharedRecords | None, clock: Clock) -> None:
        self._source = source
        self._shared = shared
        self._clock = clock
        self._keeper = NameCache(POLICY, clock, self._search, self._is_valid)

    async def get(
        self, key: Cid, *, cached_only: bool = False, is_afresh: bool = False
    ) -> Answer[IpnsRecord]:
        """Return the newest valid record of a key; see `NameCache.get`.

        Raises:
            NotFound, Unavailable, DeadlineExceeded: see `ports.NameResolver`.
            NotCached: with `cached_only`, the cache has no valid record.
        """
        if cached_only:
            return await self._keeper.recall(str(key))
        return await self._keeper.get(str(key), is_afresh=is_afresh)

    def _is_valid(self, record: IpnsRecord) -> bool:
        return self._clock.now() < record.valid_until

    async def _search(self, name: str, held: Held[IpnsRecord] | None) -> Held[IpnsRecord]:
        key = parse_key(name)
        last = held.value if held is not None else None
        shared = await self._shared.find(key) if self._shared is not None else None
        if shared is not None and _is_enough(shared, last):
            return hold(shared.record, self._clock, shared.age_s)
        try:
            fetched = await self._source.fetch(key)
        except RetrievalError:
            if shared is None or (last is not None and not is_newer(shared.record, last)):
                raise
            return hold(shared.record, self._clock, shared.age_s).rest(
                self._clock.monotonic() + REST_S
            )
        for known in (last, shared.record if shared is not None else None):
            if known is not None and self._is_valid(known) and is_newer(known, fetched):
                fetched = known
        if self._shared is not None:
            await self._shared.keep(fetched)
        return hold(fetched, self._clock)

    async def close(self) -> None:
        """End all searches."""
        await self._keeper.close()
        if self._shared is not None:
            await self._shared.close()


def _is_enough(shared: SharedRecord, last: IpnsRecord | None) -> bool:
    """Tell whether a shared record saves a search: it is fresh, and not older than the last one."""
    is_fresh = shared.age_s < ttl_s(shared.record)
    return is_fresh and (last is None or not is_newer(last, shared.record))
