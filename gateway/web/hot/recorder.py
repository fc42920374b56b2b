"""Fills the hot table from replies that the slow path sent whole."""

import asyncio
from typing import Final

from gateway.content.path import MutablePath
from gateway.pipeline import Reply
from gateway.ports import Clock
from gateway.protocol.answer import Answer, BodyBytes, BodyFile
from gateway.protocol.formats import ResponseFormat
from gateway.protocol.headers import cache_status
from gateway.protocol.request import GatewayRequest
from gateway.protocol.sites import Site
from gateway.web.exchange import kind_of
from gateway.web.hot.accept import raw_key
from gateway.web.hot.body_builder import Filler
from gateway.web.hot.file_body import FileBody
from gateway.web.hot.table import MAX_BODY_BYTES, HotEntry, HotTable
from gateway.web.send import GENERATION, Scope, request_target

EXPIRE_EVERY_S: Final = 1.0
"""A fifth of the shortest lifetime of a DNS answer in the name cache."""

_HOT_FIELDS = cache_status(("hot",), 0)
_MADE_AGAIN = frozenset(name for name, _ in _HOT_FIELDS)
_NOT_IN_304 = frozenset(
    (
        b"content-length",
        b"content-type",
        b"accept-ranges",
        b"content-disposition",
        b"x-content-type-options",
    )
)
_KEPT = frozenset((ResponseFormat.UNIXFS, ResponseFormat.RAW))


async def expire_hosts(table: HotTable, clock: Clock) -> None:
    """Remove hosts from the table when their DNS answers expire; runs until cancelled."""
    while True:
        await asyncio.sleep(EXPIRE_EVERY_S)
        table.expire(clock.monotonic())


class HotRecorder:
    """Fills the table from replies that were sent whole.

    Args:
        table: receives the finished answers.
        filler: builds the bodies that are too large for an entry in memory.
    """

    def __init__(self, table: HotTable, filler: Filler) -> None:
        self._table = table
        self._filler = filler

    def keep(self, scope: Scope, request: GatewayRequest, reply: Reply) -> None:
        """Put a reply that was sent whole into the table, if the table can serve it again."""
        if request.is_head or request.format not in _KEPT:
            return
        by_accept = request.format_from_accept
        if not by_accept and any(name == b"vary" for name, _ in reply.answer.headers):
            return  # browsers and programs get different answers at this target
        if reply.trace is None or reply.trace.fetched or isinstance(request.path, MutablePath):
            return  # mutable, or a miss: half of all content is never requested again
        size = _whole_size(reply.answer)
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        site = _site(request.site, host)
        if size is None or site is None:
            return  # a part of a file, a page, an error; or Host does not identify the site
        generation = scope.get("state", {}).get(GENERATION)
        key = site + request_target(scope)
        key = raw_key(key) if by_accept else key

        def put(answer: Answer, body: bytes | FileBody) -> None:
            if generation == self._table.generation:
                entry = _entry(request, answer, body)
                self._table.put(key, host, site, entry, request.site.until)

        body = reply.answer.body
        if size > MAX_BODY_BYTES:
            self._filler.offer(key, request, size, put)
        elif reply.answer.status == 200 and isinstance(body, BodyBytes):
            put(reply.answer, body.data)


def _whole_size(answer: Answer) -> int | None:
    """Return the size of the file that an answer holds completely; None when it does not."""
    if answer.status not in (200, 206):
        return None
    size = None
    if isinstance(answer.body, BodyBytes):
        size = len(answer.body.data)
    elif isinstance(answer.body, BodyFile) and answer.body.start == 0:
        size = answer.body.stop
    if answer.status == 200 or size is None:
        return size
    # Media players request "bytes=0-" first.
    return (
        size if (b"content-range", b"bytes 0-%d/%d" % (size - 1, size)) in answer.headers else None
    )


def _site(site: Site, host: bytes) -> bytes | None:
    """Return the site part of a key: empty for all path gateways, which have the same answers.

    None when `Host` does not identify the site: it was not sent, or a proxy sent another one in
    X-Forwarded-Host.
    """
    if site.is_isolated or site.is_trustless:
        return host if host == site.host.encode() else None
    return b"" if host and host.lower() == site.host.encode() else None


def _entry(request: GatewayRequest, answer: Answer, body: bytes | FileBody) -> HotEntry:
    fields = [field for field in answer.headers if field[0] not in _MADE_AGAIN]
    unchanged = [field for field in fields if field[0] not in _NOT_IN_304]
    length = next(at for at, (name, _) in enumerate(fields) if name == b"content-length")
    return HotEntry(
        head=_lines(*fields, *_HOT_FIELDS),
        head_around=(_lines(*fields[:length]), _lines(*fields[length + 1 :], *_HOT_FIELDS)),
        head_unchanged=_lines(*unchanged, *_HOT_FIELDS),
        etag=next(value for name, value in fields if name == b"etag"),
        body=body,
        root=request.path.root_name,
        kind=kind_of(request, answer.headers),
        is_for_all=request.format is not ResponseFormat.UNIXFS and not request.format_from_accept,
    )


def _lines(*fields: tuple[bytes, bytes]) -> bytes:
    return b"".join([b"%b: %b\r\n" % field for field in fields])
