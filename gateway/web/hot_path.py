"""The hot path: from a request head to a finished answer, limits, counters and log included."""

from collections.abc import Mapping

from gateway.content.path import MutablePath
from gateway.errors import TooManyRequests
from gateway.ops.record import HOT, CacheState, RequestKind, RequestRecord
from gateway.pipeline import Reply
from gateway.ports import Admission, Clock
from gateway.protocol.answer import BodyBytes
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.headers import cache_status, server_timing
from gateway.protocol.request import GatewayRequest
from gateway.web.clients import Clients
from gateway.web.exchange import RequestObserver
from gateway.web.hot import MAX_BODY_BYTES, HotEntry, HotTable
from gateway.web.request_id import request_ids
from gateway.web.send import Scope, request_target

MAX_KNOWN_LIMITS = 4096  # a megabyte

_OK = b"HTTP/1.1 200 OK\r\n"
_UNCHANGED = b"HTTP/1.1 304 Not Modified\r\n"
_HOT_FIELDS = (*cache_status(("hot",), 0), server_timing((("total", 0.0),)))
_MADE_AGAIN = frozenset(name for name, _ in _HOT_FIELDS)
_NOT_IN_304 = frozenset((b"content-length", b"content-type", b"accept-ranges"))


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
        self._lines_by_id: dict[int, tuple[Mapping[str, str], bytes]] = {}

    def answer(
        self,
        is_head: bool,  # noqa: FBT001 (called once, by the connection)
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        peer: str | None,
        date_line: bytes,
    ) -> bytes | None:
        """Return a whole HTTP/1.1 response, or None to take the slow path."""
        found = self._table.find(target, headers)
        if found is None:
            return None
        forwarded = found.forwarded_for
        client = self._clients.address(peer, (forwarded.decode("latin-1"),) if forwarded else ())
        try:
            limits = self._admission.admit(client)
        except TooManyRequests:
            return None  # the slow path refuses it in words
        self._admission.release()
        fields = self._limit_lines(limits)
        entry = found.entry
        body = b"" if is_head or found.is_unchanged else entry.body
        self._observer.request_started()
        self._observer.request_finished(
            RequestRecord(
                started=self._clock.now(),
                client=client,
                method="HEAD" if is_head else "GET",
                target=target,
                status=304 if found.is_unchanged else 200,
                kind=RequestKind.FILE,
                cache=CacheState.HIT,
                tier=HOT,
                size_bytes=len(body),
                duration_s=0.0,
                ttfb_s=0.0,
                root=entry.root,
                request_id=self._next_id(),
                user_agent=found.user_agent,
                referer=found.referer,
            )
        )
        if found.is_unchanged:
            return b"".join((_UNCHANGED, date_line, entry.head_unchanged, fields, b"\r\n"))
        return b"".join((_OK, date_line, entry.head, fields, b"\r\n", body))

    def _limit_lines(self, limits: Mapping[str, str]) -> bytes:
        """Return the RateLimit fields as lines; the same mapping comes again and again."""
        known = self._lines_by_id.get(id(limits))
        if known is not None:  # holds on to its mapping, so that no other one gets its id
            return known[1]
        if len(self._lines_by_id) >= MAX_KNOWN_LIMITS:
            self._lines_by_id.clear()
        lines = "".join([f"{name}: {value}\r\n" for name, value in limits.items()]).encode()
        self._lines_by_id[id(limits)] = (limits, lines)
        return lines

    def keep(self, scope: Scope, request: GatewayRequest, reply: Reply) -> None:
        """Keep a reply that was sent whole, if it is one for the table."""
        answer = reply.answer
        if not isinstance(answer.body, BodyBytes) or len(answer.body.data) > MAX_BODY_BYTES:
            return
        if answer.status != 200 or request.format is not ResponseFormat.UNIXFS:
            return
        if any(name == b"vary" for name, _ in answer.headers):
            return  # a browser and a program are answered differently at this target
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
