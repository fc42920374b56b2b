"""The hot path: from a request head to a finished answer, limits, counters and log included."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.content.path import MutablePath
from gateway.ops.record import HOT, CacheState, RequestKind, RequestRecord
from gateway.pipeline import Reply
from gateway.ports import Admission, Clock
from gateway.protocol.answer import BodyBytes
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.headers import cache_status, server_timing
from gateway.protocol.request import GatewayRequest
from gateway.web.clients import Clients
from gateway.web.exchange import RequestObserver
from gateway.web.heads import Dates, Ready
from gateway.web.hot import MAX_BODY_BYTES, HotEntry, HotRequest, HotTable
from gateway.web.request_id import request_ids
from gateway.web.send import Scope, request_target

_OK = b"HTTP/1.1 200 OK\r\n"
_UNCHANGED = b"HTTP/1.1 304 Not Modified\r\n"
_HOT_FIELDS = (*cache_status(("hot",), 0), server_timing((("total", 0.0),)))
_MADE_AGAIN = frozenset(name for name, _ in _HOT_FIELDS)
_NOT_IN_304 = frozenset((b"content-length", b"content-type", b"accept-ranges"))


class Asked(NamedTuple):
    """A request as the connection has parsed it."""

    is_head: bool
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    """Names in lower case."""
    peer: str | None
    """Address of the other end of the connection; None for a Unix socket."""
    dates: Dates


class HotPath:
    """Sends what the table holds, and fills it from replies that were sent whole.

    Args:
        table: the finished answers.
        admission: says who may come in.
        clients: tells who asks.
        observer: told of each request.
        clock: time.
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
        self._clients = clients
        self._observer = observer
        self._clock = clock
        self._next_id = request_ids()
        self._pass_by = admission.pass_by
        self._touch = table.touch
        self.known = table.heads.ready
        """What is sent for heads that are known to the byte."""

    def answer(self, asked: Asked, head: bytes) -> bytes | None:
        """Return a whole HTTP/1.1 response, or None to take the slow path.

        Args:
            asked: a GET or HEAD over HTTP/1.1 on a connection that stays open.
            head: all bytes of its head, to know it again by them; empty if they are not at hand.
        """
        found = self._table.find(asked.target, asked.headers)
        if found is None:
            return None
        forwarded = (found.forwarded_for.decode("latin-1"),) if found.forwarded_for else ()
        client = self._clients.address(asked.peer, forwarded)
        limits = self._admission.pass_by(client)
        if limits is None:
            return None  # the slow path refuses it in words
        record = self._record(asked, found, client)
        self._observer.request_started()
        self._observer.request_finished(record)
        ready = self._ready(found, record, forwarded)
        if head and self._table.heads.has_come_before(head):
            ready.write_line = self._observer.line_writer(record)
            self._table.learn(head, ready)
        ready.date(asked.dates)
        return b"".join((ready.opening, limits, b"\r\n", ready.body))

    def _ready(self, found: HotRequest, record: RequestRecord, forwarded: tuple[str, ...]) -> Ready:
        entry = found.entry
        lines = (_UNCHANGED, entry.head_unchanged) if found.is_unchanged else (_OK, entry.head)
        body = entry.body if record.size_bytes else b""
        return Ready(found.key, lines, body, forwarded, self._observer.counter(record))

    def repeat(self, ready: Ready, peer: str | None, address: str, dates: Dates) -> bytes | None:
        """Return the response to a head that is known, or None to parse it.

        Args:
            ready: what is known.
            peer: as in `Asked`.
            address: the client when no proxy tells another one.
            dates: as in `Asked`.
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
        return b"".join((ready.opening, limits, b"\r\n", ready.body))

    def address(self, peer: str | None) -> str:
        """Return the client behind a connection when no proxy tells another one."""
        return self._clients.address(peer, ())

    def _record(self, asked: Asked, found: HotRequest, client: str) -> RequestRecord:
        has_body = not asked.is_head and not found.is_unchanged
        return RequestRecord(
            started=self._clock.now(),
            client=client,
            method="HEAD" if asked.is_head else "GET",
            target=asked.target,
            status=304 if found.is_unchanged else 200,
            kind=RequestKind.FILE,
            cache=CacheState.HIT,
            tier=HOT,
            size_bytes=len(found.entry.body) if has_body else 0,
            duration_s=0.0,
            ttfb_s=0.0,
            root=found.entry.root,
            request_id=self._next_id(),
            user_agent=found.user_agent,
            referer=found.referer,
        )

    def keep(self, scope: Scope, request: GatewayRequest, reply: Reply) -> None:
        """Keep a reply that was sent whole, if it is one for the table."""
        answer = reply.answer
        if not isinstance(answer.body, BodyBytes) or len(answer.body.data) > MAX_BODY_BYTES:
            return
        if answer.status != 200 or request.format is not ResponseFormat.UNIXFS:
            return
        if reply.trace is None or reply.trace.fetched or isinstance(request.path, MutablePath):
            return  # asked for the first time: half of all content never is again; or mutable
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if request.site.is_isolated and request.site.host.encode("ascii") != host:
            return  # a proxy told the host
        fields = [field for field in answer.headers if field[0] not in _MADE_AGAIN]
        etag = next(value for name, value in fields if name == b"etag")
        unchanged = [field for field in fields if field[0] not in _NOT_IN_304]
        entry = HotEntry(
            head=_lines(*fields, *_HOT_FIELDS),
            head_unchanged=_lines(*unchanged, *_HOT_FIELDS),
            etag=etag,
            body=answer.body.data,
            root=request.path.root_name,
        )
        site = host if request.site.is_isolated else b""
        self._table.put(request_target(scope), host, site, entry)


def _lines(*fields: tuple[bytes, bytes]) -> bytes:
    return b"".join([b"%b: %b\r\n" % field for field in fields])
