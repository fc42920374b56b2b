"""Finished answers to requests for immutable, hot content.

The recorder puts an answer here after the slow path served it whole from memory; the connection
(`gateway.web.hot.hot_connection`) finds it by the exact request target before an ASGI scope exists.
The decision is pure: request line and headers in, an entry or None out. None means: take the slow
path, which handles every request.

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

MAX_BODY_BYTES = 64 * 1024  # larger bodies are files, since the copy into the socket dominates
MAX_TARGET_BYTES = 2048
ENTRY_OVERHEAD_BYTES = 1024  # two dict slots, the entry, its keys
SHARE_OF_MEMORY = 8  # the table has 1/8 of cache.memory_size
FILES_SHARE_OF_MEMORY = 2  # files have up to 1/2 of it, lent by the memory tier of blocks
MAX_PARTS = 4  # a small entry takes at most 1/4 of the table

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
# The scheme matters only for redirects, which are never here. `find` compares the host.
_FROM_PROXIES = frozenset((b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip"))
_KNOWN = _HARMLESS | _READ_BY_US | _FROM_PROXIES

MAX_HOSTS = 1024  # Host values whose site is known; those in use stay


@dataclass(frozen=True, slots=True)
class HotEntry:
    """One finished answer.

    Heads have no status line and no final empty line, so that per-request fields can follow.
    """

    head: bytes
    """The header lines of a 200."""
    head_around: tuple[bytes, bytes]
    """The lines before `Content-Length` and those after it, which a 206 has, too."""
    head_unchanged: bytes
    """The header lines of a 304."""
    etag: bytes
    body: bytes | FileBody
    root: str
    """Root CID of the request, for the statistics."""
    kind: RequestKind
    """Kind of the content, for the statistics."""
    is_for_all: bool = False
    """Whether the target names the format, so that the answer does not depend on `Accept`."""

    @property
    def size_bytes(self) -> int:
        """Bytes that the entry counts for: body, heads and overhead."""
        return len(self.head) * 3 + len(self.body) + ENTRY_OVERHEAD_BYTES


class HotRequest(NamedTuple):  # a frozen dataclass takes twice as long to make
    """A request that the table can answer, and its entry."""

    key: bytes
    """Key of the entry in the table."""
    entry: HotEntry
    is_unchanged: bool
    """Whether If-None-Match equals the entry's ETag, so that the answer is a 304."""
    forwarded_for: bytes | None
    user_agent: bytes
    referer: bytes


class HotTable:
    """Finished answers by site, raw request target and format, bounded in bytes (CLOCK).

    Args:
        capacity_bytes: limit of entries with their bodies in memory, and of known request heads.
        files_bytes: limit of entries whose bodies are files.
        lend: called with the bytes that the latter hold, whenever that changes.
    """

    def __init__(
        self, capacity_bytes: int, files_bytes: int = 0, lend: Callable[[int], None] | None = None
    ) -> None:
        self._used: set[bytes] = set()
        self._sites = Recent[bytes, bytes](MAX_HOSTS, self._forget_hosts)
        self._until: dict[bytes, float] = {}
        self._lend = lend
        self.generation = 0
        """Number of `clear` calls: a reply read before the last one must not be put any more."""
        self.heads = KnownHeads()
        """The request heads that are answered from entries of this table."""
        forget, heads_bytes = self.heads.forget, lambda: self.heads.size_bytes
        most = capacity_bytes // MAX_PARTS
        self._small = Pool[HotEntry](capacity_bytes, most, self._used, forget, heads_bytes)
        self._files = Pool[HotEntry](files_bytes, files_bytes, self._used, forget)

    @property
    def size_bytes(self) -> int:
        """Bytes held in entries without files, in heads and overhead; at most the capacity."""
        return self._small.size_bytes

    @property
    def files_bytes(self) -> int:
        """Bytes held by entries whose bodies are files; at most their capacity."""
        return self._files.size_bytes

    def __len__(self) -> int:
        return len(self._small.entries) + len(self._files.entries)

    def __contains__(self, key: bytes) -> bool:
        """Return whether a key has an entry: `site + target`, or the `raw_key` of that."""
        return key in self._small.entries or key in self._files.entries

    def put(
        self, key: bytes, host: bytes, site: bytes, entry: HotEntry, until: float | None = None
    ) -> None:
        """Store an answer, unless it is too large for the table.

        Args:
            key: the site and the request target, query included; for a raw block that only
                `Accept` selects, the `raw_key` of that.
            host: the well-formed `Host` of the request.
            site: the host of the site; empty for path gateways, whose answers are the same under
                every host.
            entry: the answer.
            until: monotonic seconds after which the site of the host is unknown; None for never.
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
            self._report_size()

    def clear(self) -> None:
        """Remove everything, after a purge or a new denylist."""
        self.generation += 1
        self.heads.clear()
        self._small.clear()
        self._files.clear()
        self._used.clear()
        self._report_size()

    def expire(self, now: float) -> None:
        """Forget the sites of hosts whose `until` has passed; the answers stay."""
        gone = {host for host, until in self._until.items() if now >= until}
        for host in gone:
            self._sites.drop(host)
        self._forget_hosts(gone)

    def _forget_hosts(self, gone: set[bytes]) -> None:
        """Forget the heads of hosts that may belong to another site by now."""
        mutable = gone & self._until.keys()
        for host in mutable:
            del self._until[host]
        if mutable:
            self.heads.forget_hosts(mutable)

    def _report_size(self) -> None:
        if self._lend is not None:
            self._lend(self._files.size_bytes)

    def learn(self, head: bytes, ready: Ready) -> None:
        """Remember a whole request head, if its entry is still here."""
        if ready.key in self and head not in self.heads.ready:
            self.heads.learn(head, ready)
            self._used.add(ready.key)
            self._small.make_room()

    def touch(self, key: bytes) -> None:
        """Mark an entry as used that was served without `find`."""
        self._used.add(key)

    def find(self, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> HotRequest | None:
        """Return the entry that answers a GET or HEAD; None to take the slow path.

        Args:
            target: the request target as it was sent, query included.
            headers: all header fields, names in lower case.
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
        """Return the key and the entry of the requested format."""
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
    """Return the headers by name; None if one of them needs the slow path."""
    seen: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in _KNOWN or (name in seen and name != b"cookie"):
            return None
        seen[name] = value
    return seen
