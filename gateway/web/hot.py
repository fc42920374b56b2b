"""Finished answers of small, immutable, hot content, as ready byte strings.

The slow path puts an answer here once it was served whole from memory; the connection protocol
(`gateway.web.connection`) takes it out by the exact request target before an ASGI scope exists.
The decision is pure: request line and headers in, an entry or None out. None always means: take
the slow path, which knows everything.

Measured by benchmarks/hits.py: a 10 KiB hit costs a fraction of the slow path's CPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.web.heads import KnownHeads, Ready

MAX_BODY_BYTES = 64 * 1024  # above, copying the body dominates and the slow path is as good
MAX_TARGET_BYTES = 2048
ENTRY_OVERHEAD_BYTES = 1024  # two dict slots, the entry, its keys
SHARE_OF_MEMORY = 8  # one part in eight of cache.memory_size

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

# An Accept value that names one of these may choose a format (protocol.request decides).
_FORMAT_WORDS = (b"vnd.", b"application/json", b"application/cbor", b"application/x-tar")
MAX_HOSTS = 1024  # Host values of which it is known what they stand for


@dataclass(frozen=True, slots=True)
class HotEntry:
    """One finished answer.

    `head` and `head_unchanged` are complete HTTP/1.1 heads from the status line on, without the
    final empty line, so that per-request fields can follow.
    """

    head: bytes
    head_unchanged: bytes
    etag: bytes
    body: bytes
    root: str
    """Root CID of the request, for the statistics."""

    @property
    def size_bytes(self) -> int:
        """What the entry costs."""
        return len(self.head) * 2 + len(self.body) + ENTRY_OVERHEAD_BYTES


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
    """Entries by site and raw request target, bounded by bytes; the oldest not lately used goes."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = capacity_bytes
        self._entries: dict[bytes, HotEntry] = {}
        self._used: set[bytes] = set()
        self._sites: dict[bytes, bytes] = {}
        self._size = 0
        self.heads = KnownHeads()
        """The request heads that entries are asked for with."""

    @property
    def size_bytes(self) -> int:
        """Bytes held, heads and overhead included; never above the capacity."""
        return self._size + self.heads.size_bytes

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, target: bytes) -> bool:
        """Tell whether there is an entry for a target of path gateways."""
        return target in self._entries

    def put(self, target: bytes, host: bytes, site: bytes, entry: HotEntry) -> None:
        """Keep an answer.

        An entry that is too large for the table is not kept.

        Args:
            target: the request target, query included.
            host: the `Host` that it was sent with, well-formed.
            site: empty when a path gateway answered, whose answers are the same under every
                host; else the host of the site.
            entry: the answer.
        """
        if len(self._sites) < MAX_HOSTS:
            self._sites[host] = site
        size, key = entry.size_bytes, site + target
        if size * 4 > self._capacity or len(key) > MAX_TARGET_BYTES or key in self._entries:
            return
        self._make_room(size)
        self._entries[key] = entry
        self._size += size

    def clear(self) -> None:
        """Forget everything: after a purge or a new denylist."""
        self.heads.clear()
        self._entries.clear()
        self._used.clear()
        self._size = 0

    def learn(self, head: bytes, ready: Ready) -> None:
        """Know a whole request head from now on, if its entry is still here."""
        if ready.key in self._entries and head not in self.heads.ready:
            self.heads.learn(head, ready)
            self._used.add(ready.key)
            self._make_room(0)

    def touch(self, key: bytes) -> None:
        """Note that an entry was asked for without `find`."""
        self._used.add(key)

    def _make_room(self, size: int) -> None:
        while self._entries and self.size_bytes + size > self._capacity:
            self._evict_one()

    def _evict_one(self) -> None:
        while True:
            key = next(iter(self._entries))
            entry = self._entries.pop(key)
            if key not in self._used:
                self._size -= entry.size_bytes
                self.heads.forget(key)
                return
            self._used.discard(key)  # second chance: CLOCK over the dict's own order
            self._entries[key] = entry

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
        site = self._sites.get(host)
        if site is None or seen.get(b"x-forwarded-host", host) != host:
            return None
        key = site + target
        entry = self._entries.get(key)
        if entry is None or not accepts_default(seen.get(b"accept", b"")):
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


def _read(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes] | None:
    """Return the headers by name; None if one of them asks for the slow path."""
    seen: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in _KNOWN or (name in seen and name != b"cookie"):
            return None
        seen[name] = value
    return seen


def accepts_default(accept: bytes) -> bool:
    """Tell whether an Accept value surely leaves the format to us."""
    if accept in (b"", b"*/*"):
        return True
    if accept.startswith((b"text/html", b"image/")):  # browsers; no format word in any of them
        lowered = accept.lower()
        return not any(word in lowered for word in _FORMAT_WORDS)
    return False
