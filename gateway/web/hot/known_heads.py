"""Finished answers by the exact bytes of a request head.

A client that repeats a request sends the same bytes: browsers, players, libraries and benchmarks
do. The connection looks these bytes up before it parses anything. Each known head was answered once
through the parser and `gateway.web.hot.table`, and is forgotten with its entry of the table.

Measured by benchmarks/micro/bench_hot.py: a known head costs a third of one that is parsed.
"""

import re
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

from gateway.ops.record import RequestRecord
from gateway.web.hot.file_body import FilePart
from gateway.web.observer import WriteLine

MAX_HEAD_BYTES: Final = 2048  # browsers send 400 to 900
HEADS_PER_ENTRY: Final = 8  # a further one replaces the oldest; heads with a counter never repeat
HEAD_OVERHEAD_BYTES: Final = 2048  # a `Ready`, its opening (700 bytes), its record and their slots

MAX_SEEN: Final = 4096  # heads that came only once; a quarter of a megabyte

Dates = Sequence[tuple[bytes, bytes]]
"""uvicorn's own fields: a new list every second."""


class Ready:
    """The finished answer to one exact request head.

    Args:
        key: of the entry in the table.
        lines: the status line, and the header lines that never change; the date goes between.
        body: the body; empty for HEAD and for a 304.
        forwarded: the values of X-Forwarded-For in the request.
        record: of the request that was parsed.
        count: called with the number of further answers that were sent.
    """

    __slots__ = (
        "body",
        "count",
        "dates",
        "forwarded",
        "key",
        "lines",
        "opening",
        "record",
        "times",
        "write_line",
    )

    def __init__(
        self,
        key: bytes,
        lines: tuple[bytes, bytes],
        body: bytes | FilePart,
        forwarded: tuple[str, ...],
        record: RequestRecord,
        count: Callable[[int], None],
    ) -> None:
        self.key = key
        self.lines = lines
        self.body = body
        self.forwarded = forwarded
        self.record = record
        self.count = count
        self.write_line: WriteLine | None = None
        """Writes the access log line of a further request; None without an access log."""
        self.times = 0
        """Answers sent and not yet counted."""
        self.dates: Dates = ()
        """The dates with which `opening` was made."""
        self.opening = b""
        """Status line, date and other header lines: the same for a second."""

    def date(self, dates: Dates) -> None:
        """Make the opening for new dates."""
        self.dates = dates
        status, fields = self.lines
        self.opening = b"".join((status, *[b"%b: %b\r\n" % date for date in dates], fields))

    def settle(self) -> None:
        """Count the answers that were sent since the last call."""
        if self.times:
            times, self.times = self.times, 0
            self.count(times)


_HOST: Final = re.compile(rb"\r\nhost:[ \t]*([^\r]*?)[ \t]*\r\n", re.IGNORECASE)


def _host_of(head: bytes) -> bytes:
    found = _HOST.search(head)
    return found[1] if found else b""


class KnownHeads:
    """Request heads and their answers; each belongs to an entry of the table and goes with it."""

    def __init__(self) -> None:
        self.ready: dict[bytes, Ready] = {}
        """Answers by the whole head, its empty line included; for reading only."""
        self._by_key: dict[bytes, deque[bytes]] = {}
        self._seen: dict[int, None] = {}
        self.size_bytes = 0
        """Bytes that all heads and answers count for."""

    def has_come_before(self, head: bytes) -> bool:
        """Return whether an unknown head came before, and remember it: most come only once."""
        name = hash(head)
        if name in self._seen:
            del self._seen[name]
            return True
        if len(self._seen) >= MAX_SEEN:
            self._seen.clear()
        self._seen[name] = None
        return False

    def learn(self, head: bytes, ready: Ready) -> None:
        """Add a head that is not known yet."""
        heads = self._by_key.setdefault(ready.key, deque())
        if len(heads) >= HEADS_PER_ENTRY:
            self._drop(heads.popleft())
        heads.append(head)
        self.ready[head] = ready
        self.size_bytes += len(head) + HEAD_OVERHEAD_BYTES

    def forget(self, key: bytes) -> None:
        """Remove the heads of an entry."""
        for head in self._by_key.pop(key, ()):
            self._drop(head)

    def forget_hosts(self, hosts: Collection[bytes]) -> None:
        """Remove the heads of requests to these hosts."""
        for key, heads in list(self._by_key.items()):
            kept = deque([head for head in heads if _host_of(head) not in hosts])
            if len(kept) < len(heads):
                for head in set(heads).difference(kept):
                    self._drop(head)
                self._by_key[key] = kept
            if not kept:
                del self._by_key[key]

    def _drop(self, head: bytes) -> None:
        self.ready.pop(head).settle()
        self.size_bytes -= len(head) + HEAD_OVERHEAD_BYTES

    def clear(self) -> None:
        """Count what was sent, and remove everything."""
        self.settle()
        self.ready.clear()
        self._by_key.clear()
        self._seen.clear()
        self.size_bytes = 0

    def settle(self) -> None:
        """Count the answers sent since the last call; called before statistics are read."""
        for ready in self.ready.values():
            ready.settle()
