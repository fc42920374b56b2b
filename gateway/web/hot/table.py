"""Finished answers of small, immutable, hot content, as ready byte strings.

The slow path puts an answer here once it was served whole from memory; the connection protocol
(`gateway.web.connection.http_connection`) takes it out by the exact request target before an ASGI
scope exists. The decision is pure: request line and headers in, an entry or None out. None always
means: take the slow path, which knows everything.

Measured by benchmarks/hits.py: a 10 KiB hit costs a fraction of the slow path's CPU.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.ops.record import RequestKind
from gateway.web.hot.accept import RAW_TYPE, accepts_default, raw_key
from gateway.web.hot.clock import Pool
from gateway.web.hot.file_body import FileBody
from gateway.web.hot.known_heads import KnownHeads, Ready
from gateway.web.hot.recent import Recent

MAX_BODY_BYTES = 64 * 1024  # above, the copy into the socket dominates: bodies are files then
MAX_TARGET_BYTES = 2048
ENTRY_OVERHEAD_BYTES = 1024  # two dict slots, the entry, its keys
SHARE_OF_MEMORY = 8  # one part in eight of cache.memory_size
FILES_SHARE_OF_MEMORY = 2  # half of it, which the memory tier of blocks lends
MAX_PARTS = 4  # no small entry may have more than one part in four of the table

# Headers that never change an answer from this table. Any other header takes the slow path.
_HARMLESS = frozenset(
    (
        b"host",
        b"user-agent",
        b"connection",
        b"accept-encoding",
        b"accept-language",
        b"referer",
        b"origin",
        b"cookie",
        b"dnt",
        b"upgrade-insecure-requests",
        b"sec-ch-ua",
        b"sec-ch-ua-mobile",
        b"sec-ch-ua-platform",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-fetch-user",
        b"sec-gpc",
        b"priority",
        b"pragma",
    )
)
_READ_BY_US = frozenset((b"accept", b"if-none-match", b"x-forwarded-for"))
# The scheme is only in redirects, of which there are none here. The host matters: it is looked at.
_FROM_PROXIES = frozenset((b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip"))
_KNOWN = _HARMLESS | _READ_BY_US | _FROM_PROXIES

MAX_HOSTS = 1024  # Host values of which it is known what they stand for; those in use stay


@dataclass(frozen=True, slots=True)
class HotEntry:
    """One finished answer.

    Heads have no status line and no final empty line, so that per-request fields can follow.
    """

    head: bytes
    """Of all of it: every field as a line."""
    head_around: tuple[bytes, bytes]
    """The lines before `Content-Length` and those after it, which stay the same for a part."""
    head_unchanged: bytes
    etag: bytes
    body: bytes | FileBody
    root: str
    """Root CID of the request, for the statistics."""
    kind: RequestKind
    """What the answer with content is, for the statistics."""
    is_for_all: bool = False
    """Whether the target names the format, so that it is the same whatever `Accept` says."""

    @property
    def size_bytes(self) -> int:
        """What the entry costs."""
        return len(self.head) * 3 + len(self.body) + ENTRY_OVERHEAD_BYTES


class HotRequest(NamedTuple):  # a frozen dataclass takes twice as long to make
    """What the table needs to know of a request that it can answer."""

    key: bytes
    """Of the entry in the table."""
    entry: HotEntry
    is_unchanged: bool
    """Whether If-None-Match names the entry's ETag: 304."""
    forwarded_for: bytes | None
    user_agent: bytes
    referer: bytes


class HotTable:
    """Entries by site, raw request target and format, bounded by bytes.

    The oldest that was not lately used goes.

    Args:
        capacity_bytes: of entries with their bodies in them, and of request heads.
        files_bytes: of entries whose bodies are files.
        lend: told how many bytes the latter hold, whenever that changes.
    """

    def __init__(
        self, capacity_bytes: int, files_bytes: int = 0, lend: Callable[[int], None] | None = None
    ) -> None:
        self._used: set[bytes] = set()
        self._sites = Recent[bytes, bytes](MAX_HOSTS, self._forget_hosts)
        self._until: dict[bytes, float] = {}
        self._lend = lend
        self.generation = 0
        """How often everything was forgotten: what was read before must not be put any more."""
        self.heads = KnownHeads()
        """The request heads that entries are asked for with."""
        forget, heads_bytes = self.heads.forget, lambda: self.heads.size_bytes
        most = capacity_bytes // MAX_PARTS
        self._small = Pool[HotEntry](capacity_bytes, most, self._used, forget, heads_bytes)
        self._files = Pool[HotEntry](files_bytes, files_bytes, self._used, forget)

    @property
    def size_bytes(self) -> int:
        """Bytes held without files, heads and overhead included; never above the capacity."""
        return self._small.size_bytes

    @property
    def files_bytes(self) -> int:
        """Bytes held by entries whose bodies are files; never above their capacity."""
        return self._files.size_bytes

    def __len__(self) -> int:
        return len(self._small.entries) + len(self._files.entries)

    def __contains__(self, key: bytes) -> bool:
        """Tell whether there is an entry: `site + target`, or the `raw_key` of that."""
        return key in self._small.entries or key in self._files.entries

    def put(
        self, key: bytes, host: bytes, site: bytes, entry: HotEntry, until: float | None = None
    ) -> None:
        """Keep an answer.

        An entry that is too large for the table is not kept.

        Args:
            key: the site and the request target, query included; of what only `Accept` makes a
                raw block, the `raw_key` of that.
            host: the `Host` that it was sent with, well-formed.
            site: empty when a path gateway answered, whose answers are the same under every
                host; else the host of the site.
            entry: the answer.
            until: when it has to be found out again what the host is; None for never.
        """
        self._sites.put(host, site)
        if until is not None:
            self._until[host] = until
        if len(key) > MAX_TARGET_BYTES:
            return
        if isinstance(entry.body, bytes):
            self._small.put(key, entry)
        elif key not in self._files.entries:
            self._files.put(key, entry)
            self._tell_size()

    def clear(self) -> None:
        """Forget everything: after a purge or a new denylist."""
        self.generation += 1
        self.heads.clear()
        self._small.clear()
        self._files.clear()
        self._used.clear()
        self._tell_size()

    def expire(self, now: float) -> None:
        """Forget what the hosts are whose time is over; the answers stay."""
        gone = {host for host, until in self._until.items() if now >= until}
        for host in gone:
            self._sites.drop(host)
        self._forget_hosts(gone)

    def _forget_hosts(self, gone: set[bytes]) -> None:
        """Forget the heads of hosts that may be something else by now."""
        mutable = gone & self._until.keys()
        for host in mutable:
            del self._until[host]
        if mutable:
            self.heads.forget_hosts(mutable)

    def _tell_size(self) -> None:
        if self._lend is not None:
            self._lend(self._files.size_bytes)

    def learn(self, head: bytes, ready: Ready) -> None:
        """Know a whole request head from now on, if its entry is still here."""
        if ready.key in self and head not in self.heads.ready:
            self.heads.learn(head, ready)
            self._used.add(ready.key)
            self._small.make_room()

    def touch(self, key: bytes) -> None:
        """Note that an entry was asked for without `find`."""
        self._used.add(key)

    def find(self, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> HotRequest | None:
        """Decide whether a GET or HEAD of `target` can be answered from here.

        Args:
            target: the request target as it was sent, query included.
            headers: names in lower case.
        """
        seen = _read(headers)
        if seen is None:
            return None
        host = seen.get(b"host", b"")
        site = self._sites.latest.get(host)
        if site is None:
            site = self._sites.find(host)
        if site is None or seen.get(b"x-forwarded-host", host) != host:
            return None
        key, entry = self._choose(site + target, seen.get(b"accept", b""))
        if entry is None:
            return None
        unless = seen.get(b"if-none-match")
        if unless is not None and unless != entry.etag:
            return None
        self._used.add(key)
        return HotRequest(
            key,
            entry,
            unless is not None,
            seen.get(b"x-forwarded-for"),
            seen.get(b"user-agent", b""),
            seen.get(b"referer", b""),
        )

    def _choose(self, key: bytes, accept: bytes) -> tuple[bytes, HotEntry | None]:
        """Return the entry in the format that is asked for, and its key."""
        entry = self._get(key)
        if entry is not None and (entry.is_for_all or accepts_default(accept)):
            return key, entry
        if accept != RAW_TYPE:
            return key, None
        key = raw_key(key)
        return key, self._get(key)

    def _get(self, key: bytes) -> HotEntry | None:
        return self._small.entries.get(key) or self._files.entries.get(key)


def _read(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes] | None:
    """Return the headers by name; None if one of them asks for the slow path."""
    seen: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in _KNOWN or (name in seen and name != b"cookie"):
            return None
        seen[name] = value
    return seen
