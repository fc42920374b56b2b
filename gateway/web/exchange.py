"""The facts about one request and its answer, collected for the access log and the metrics."""

import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.ops.record import CacheState, Outcome, RequestKind, RequestRecord
from gateway.pipeline import Reply
from gateway.ports import Choice
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.headers import Headers
from gateway.protocol.request import GatewayRequest

CLIENT_LEFT = 499  # nginx's log status for a client that disconnected before its answer began

_CACHE_STATES = (
    (b"; hit", CacheState.HIT),
    (b"; fwd=miss", CacheState.MISS),
    (b"; fwd=partial", CacheState.PARTIAL),
)
_KINDS = {
    ResponseFormat.RAW: RequestKind.RAW,
    ResponseFormat.CAR: RequestKind.CAR,
    ResponseFormat.TAR: RequestKind.TAR,
    ResponseFormat.DAG_JSON: RequestKind.DOCUMENT,
    ResponseFormat.DAG_CBOR: RequestKind.DOCUMENT,
    ResponseFormat.IPNS_RECORD: RequestKind.IPNS_RECORD,
}
"""The kind of each format that has only one; the ETag tells the kinds of the others apart."""


@dataclass(slots=True)
class Exchange:
    """The facts known so far about one request and its answer."""

    client: str
    method: str
    target: bytes
    request_id: str
    started: float
    """Seconds since the Unix epoch."""
    user_agent: bytes = b""
    referer: bytes = b""
    root: str = ""
    status: int = 0
    kind: RequestKind = RequestKind.OTHER
    cache: CacheState = CacheState.NONE
    tier: str = ""
    sent_bytes: int = 0
    ttfb_s: float = 0.0
    duration_s: float = 0.0
    outcome: Outcome = Outcome.COMPLETE
    choices: list[Choice] = field(default_factory=list[Choice])
    fetch_s: float = 0.0
    """Seconds spent waiting for upstreams before the answer began."""
    error: str = ""

    def note_reply(self, reply: Reply, request: GatewayRequest | None) -> None:
        """Record the status, kind and cache state of the reply that will be sent."""
        headers = reply.answer.headers
        self.status = reply.answer.status
        if request is not None and self.status in (200, 206):
            self.kind = kind_of(request, headers)
        if (trace := reply.trace) is not None:
            self.choices = trace.choices
            self.fetch_s = trace.waited_s
            status = _find(headers, b"cache-status")
            states = (state for words, state in _CACHE_STATES if words in status)
            self.cache = next(states, CacheState.NONE)
            self.tier = status.partition(b"detail=")[2].decode()

    def note_client_left(self) -> None:
        """Record that the client disconnected."""
        self.outcome = Outcome.LEFT
        self.status = self.status or CLIENT_LEFT

    def record(self) -> RequestRecord:
        """Return the record for the access log and the metrics."""
        return RequestRecord(
            started=self.started,
            client=self.client,
            method=self.method,
            target=self.target,
            status=self.status,
            kind=self.kind,
            cache=self.cache,
            tier=self.tier,
            size_bytes=self.sent_bytes,
            duration_s=self.duration_s,
            ttfb_s=self.ttfb_s,
            root=self.root,
            request_id=self.request_id,
            user_agent=self.user_agent,
            referer=self.referer,
            outcome=self.outcome,
            choices=self.choices,
            error=self.error,
        )


def kind_of(request: GatewayRequest, headers: Headers) -> RequestKind:
    """Return the kind under which metrics count an answer with content."""
    kind = _KINDS.get(request.format)
    if kind is not None:
        return kind
    etag = _find(headers, b"etag")
    if etag.startswith(b'"DirIndex-'):
        return RequestKind.LISTING
    if b"." in etag or etag.startswith(b'"DagIndex-'):  # `"{cid}.dag-cbor"`; files have `"{cid}"`
        return RequestKind.DOCUMENT
    return RequestKind.INDEX if request.path.is_directory else RequestKind.FILE


def _find(headers: Headers, wanted: bytes) -> bytes:
    for name, value in headers:
        if name == wanted:
            return value
    return b""


def request_ids() -> Callable[[], str]:
    """Return a function that returns a new request id each time, unique among all processes."""
    prefix = secrets.token_hex(5)
    count = itertools.count(1).__next__
    return lambda: f"{prefix}{count():08x}"
