"""The hot path: from a request head to a finished answer, with limits, counters and access log."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.errors import RangeNotSatisfiable
from gateway.ops.record import HOT, CacheState, Outcome, RequestKind, RequestRecord
from gateway.ports import Admission, Clock
from gateway.protocol.headers import server_timing
from gateway.protocol.ranges import ByteRange, parse_range
from gateway.web.clients import Clients
from gateway.web.exchange import request_ids
from gateway.web.hot.file_body import FilePart
from gateway.web.hot.known_heads import Dates, Ready
from gateway.web.hot.table import HotEntry, HotRequest, HotTable
from gateway.web.observer import RequestObserver

_OK: Final = b"HTTP/1.1 200 OK\r\n"
_PARTIAL: Final = b"HTTP/1.1 206 Partial Content\r\n"
_UNCHANGED: Final = b"HTTP/1.1 304 Not Modified\r\n"
_PART: Final = b"content-length: %d\r\ncontent-range: bytes %d-%d/%d\r\n"
_END: Final = b"%b: %b\r\n\r\n" % server_timing((("total", 0.0),))


class Asked(NamedTuple):
    """A request that the connection has parsed: GET or HEAD, HTTP/1.1, keep-alive."""

    is_head: bool
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    """Names in lower case."""
    peer: str | None
    """Address of the other end of the connection; None for a Unix socket."""


class Opened(NamedTuple):
    """An answer under way, whose body the kernel sends from a file."""

    head: bytes
    """The whole head, with its empty line."""
    part: FilePart
    record: RequestRecord
    began: float
    """Monotonic seconds."""


class HotPath:
    """Answers requests from the table of finished answers.

    Args:
        table: the finished answers.
        admission: applies the rate limit and the limit on concurrent requests.
        clients: finds the addresses of clients.
        observer: receives the record of each request.
        clock: monotonic and wall time.
    """

    def __init__(
        self,
        table: HotTable,
        admission: Admission,
        clients: Clients,
        observer: RequestObserver,
        clock: Clock,
    ) -> None:
        self._table = table
        self._admission = admission
        self._pass_by = admission.pass_by
        self._clients = clients
        self._observer = observer
        self._clock = clock
        self._next_id = request_ids()
        self._touch = table.touch
        self.known = table.heads.ready
        """Finished answers by the exact bytes of the request head."""

    @property
    def generation(self) -> int:
        """Generation of the table, for `gateway.web.hot.recorder`."""
        return self._table.generation

    def find(self, asked: Asked) -> Ready | None:
        """Return the finished answer; None to take the slow path. Nothing is counted yet."""
        found, part = self._look_up(asked)
        if found is None:
            return None
        entry, body = found.entry, found.entry.body
        status, lines = 200, (_OK, entry.head)
        if found.is_unchanged:
            status, lines, body = 304, (_UNCHANGED, entry.head_unchanged), b""
        elif asked.is_head:
            body = b""
        elif part is not None:
            status, lines = 206, (_PARTIAL, _partial_head(entry, part))
        start, stop = part or (0, len(body))
        content = body[start:stop] if isinstance(body, bytes) else FilePart(body, start, stop)
        forwarded = (found.forwarded_for.decode("latin-1"),) if found.forwarded_for else ()
        size_bytes = len(content) if isinstance(content, bytes) else content.size_bytes
        client = self._clients.address(asked.peer, forwarded)
        record = self._record(asked, found, client, status, size_bytes)
        count = self._observer.counter(record)
        return Ready(found.key, lines, content, forwarded, record, count)

    def _look_up(self, asked: Asked) -> tuple[HotRequest | None, ByteRange | None]:
        """Return the entry, and the requested part of its body if that is not all of it."""
        found = self._table.find(asked.target, asked.headers)
        if found is not None:
            return found, None
        ranges = [value for name, value in asked.headers if name == b"range"]
        if len(ranges) != 1:
            return None, None
        rest = [field for field in asked.headers if field[0] != b"range"]
        found = self._table.find(asked.target, rest)
        if found is None or found.is_unchanged or asked.is_head:
            return found, None  # RFC 9110, 14.2: a range means something for GET only
        return _cut(found, ranges[0].decode("latin-1"))

    def _record(
        self, asked: Asked, found: HotRequest, client: str, status: int, size_bytes: int
    ) -> RequestRecord:
        return RequestRecord(
            started=self._clock.now(),
            client=client,
            method="HEAD" if asked.is_head else "GET",
            target=asked.target,
            status=status,
            kind=RequestKind.OTHER if status == 304 else found.entry.kind,
            cache=CacheState.HIT,
            tier=HOT,
            size_bytes=size_bytes,
            duration_s=0.0,
            ttfb_s=0.0,
            root=found.entry.root,
            request_id=self._next_id(),
            user_agent=found.user_agent,
            referer=found.referer,
        )

    def answer(self, ready: Ready, dates: Dates) -> bytes | None:
        """Return the response to a parsed request, and count it; None when it is over a limit."""
        assert isinstance(ready.body, bytes)  # noqa: S101 (the connection asks first)
        limits = self._pass_by(ready.record.client)
        if limits is None:
            return None
        ready.date(dates)
        self._observer.request_started()
        self._observer.request_finished(ready.record)
        return b"".join((ready.opening, limits, _END, ready.body))

    def learn(self, head: bytes, ready: Ready) -> None:
        """Remember the answer by the bytes of the head, if the head has come before."""
        if self._table.heads.has_come_before(head):
            ready.write_line = self._observer.line_writer(ready.record)
            self._table.learn(head, ready)

    def repeat(self, ready: Ready, peer: str | None, address: str, dates: Dates) -> bytes | None:
        """Return the response to a known head, and count it; None when it is over a limit.

        Args:
            ready: the finished answer; its body is bytes.
            peer: as in `Asked`.
            address: of the client, unless a trusted proxy forwards another one.
            dates: uvicorn's own fields.
        """
        forwarded = ready.forwarded
        client = self._clients.address(peer, forwarded) if forwarded else address
        limits = self._pass_by(client)
        if limits is None:
            return None
        if ready.dates is not dates:
            ready.date(dates)
        ready.times += 1
        self._touch(ready.key)
        if ready.write_line is not None:
            ready.write_line(self._clock.now(), client, self._next_id())
        return b"".join((ready.opening, limits, _END, ready.body))  # type: ignore[arg-type]  # see above

    def open(self, ready: Ready, peer: str | None, dates: Dates) -> Opened | None:
        """Admit an answer from a file; `close` must follow. None when it is over a limit."""
        assert isinstance(ready.body, FilePart)  # noqa: S101 (the connection asks first)
        client = self._clients.address(peer, ready.forwarded)
        limits = self._pass_by(client)
        if limits is None:
            return None
        self._admission.hold()
        self._touch(ready.key)
        if ready.dates is not dates:
            ready.date(dates)
        self._observer.request_started()
        record = ready.record._replace(
            started=self._clock.now(), client=client, request_id=self._next_id()
        )
        head = b"".join((ready.opening, limits, _END))
        return Opened(head, ready.body, record, self._clock.monotonic())

    def close(self, opened: Opened, sent_bytes: int, *, is_complete: bool) -> None:
        """Count an answer from a file that has ended."""
        self._admission.release()
        record = opened.record._replace(
            size_bytes=sent_bytes,
            duration_s=self._clock.monotonic() - opened.began,
            outcome=Outcome.COMPLETE if is_complete else Outcome.LEFT,
        )
        self._observer.request_finished(record)

    def address(self, peer: str | None) -> str:
        """Return the address of the client of a connection on which no proxy forwards another."""
        return self._clients.address(peer, ())


def _cut(found: HotRequest, range_header: str) -> tuple[HotRequest | None, ByteRange | None]:
    """Return the one requested range; no entry when the slow path must decide."""
    try:
        parts = parse_range(range_header, len(found.entry.body))
    except RangeNotSatisfiable:
        return None, None
    if parts is None:
        return found, None
    return (found, parts[0]) if len(parts) == 1 else (None, None)


def _partial_head(entry: HotEntry, part: ByteRange) -> bytes:
    """Return the head of a 206, which differs from that of a 200 only in length and range."""
    before, after = entry.head_around
    numbers = (part.stop - part.start, part.start, part.stop - 1, len(entry.body))
    return b"".join((before, _PART % numbers, after))
