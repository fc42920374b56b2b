"""One line for each request."""

import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final

import orjson

from gateway.ops.lines import LineWriter
from gateway.ops.record import Outcome, RequestRecord

MAX_TARGET_CHARS: Final = 1536
MAX_FIELD_CHARS: Final = 384
# Escaped once more as JSON, these and the rest of a line stay below the 4096 bytes that a pipe
# takes at once, so that lines of several workers do not mix.

KNOWN_FIELDS: Final = 4096  # kept with their texts: 4 MB when full of the longest

Repeat = Callable[[float, str, str], None]
"""`(started, client, request id)`: writes the line of a request that only differs in these."""

_TIME: Final = '{"time":"'
_MARK: Final = "\x01"  # in no field of a line: what is not printable is escaped
_MARK_IN_JSON: Final = b"\\u0001"
_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"))
_MILLISECONDS: Final = tuple(f".{number:03d}Z" for number in range(1000))
_PLAIN: Final = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))


class AccessLog:
    r"""Writes requests as `json`, in nginx's `combined` format, or not at all (`off`).

    Whatever a client sent is one line: quotes, backslashes and bytes that are not printable ASCII
    are written as `\xNN`, and long fields are cut.
    """

    def __init__(self, style: str, writer: LineWriter) -> None:
        formats: Mapping[str, Callable[[RequestRecord], bytes]] = {
            "json": self._json,
            "combined": self._combined,
        }
        self._format = formats.get(style)
        self._writer = writer
        self._second = -1
        self._text = ""

    def write(self, record: RequestRecord) -> None:
        """Write one request."""
        if self._format is not None:
            self._writer.write(self._format(record))

    def repeater(self, record: RequestRecord) -> Repeat | None:
        """Return what writes lines like the one of `record`; None when none are written."""
        if self._format is None:
            return None
        if self._format != self._json:
            return partial(self._write_like, record)
        line = self._json(record._replace(client=_MARK, request_id=_MARK))
        opening, middle, end = line.split(_MARK_IN_JSON)
        after_time = opening[len(_TIME) + len(self._format_time(0)) :]
        parts = (after_time.decode(), middle.decode(), end.decode())
        return partial(self._write_parts, parts)

    def _write_like(
        self, record: RequestRecord, started: float, client: str, request_id: str
    ) -> None:
        self.write(record._replace(started=started, client=client, request_id=request_id))

    def _write_parts(
        self, parts: tuple[str, str, str], started: float, client: str, request_id: str
    ) -> None:
        after_time, middle, end = parts
        text = self._format_time(started)
        line = f'{{"time":"{text}{after_time}{client}{middle}{request_id}{end}'
        self._writer.write(line.encode("ascii"))

    def _format_time(self, now: float) -> str:
        second = int(now)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return self._text + _MILLISECONDS[int((now - second) * 1000)]

    def _json(self, record: RequestRecord) -> bytes:
        method, target = record.method, record.target
        line: dict[str, Any] = {
            "time": self._format_time(record.started),
            "level": "info",
            "event": "request",
            "client": record.client,
            "method": method if method in _METHODS else _escape_text(method),
            "target": (_field if len(target) <= MAX_FIELD_CHARS // 4 else _escape)(target),
            "status": record.status,
            "bytes": record.size_bytes,
            "duration_ms": int(record.duration_s * 1e6) / 1e3,
            "ttfb_ms": int(record.ttfb_s * 1e6) / 1e3,
            "cache": record.cache,
            "tier": record.tier,
            "request_id": record.request_id,
            "user_agent": _field(record.user_agent[:MAX_FIELD_CHARS]),
            "referer": _field(record.referer[:MAX_FIELD_CHARS]),
        }
        if record.choices:
            line["upstreams"] = record.choices
        if record.outcome is not Outcome.COMPLETE:
            line["outcome"] = record.outcome
        if record.error:
            line["error"] = _escape_text(record.error)
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _combined(self, record: RequestRecord) -> bytes:
        second = int(record.started)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))
        method = _escape_text(record.method)
        target = _escape(record.target)
        user_agent = _field(record.user_agent[:MAX_FIELD_CHARS]) or "-"
        referer = _field(record.referer[:MAX_FIELD_CHARS]) or "-"
        return (
            f'{record.client} - - [{self._text}] "{method} {target} HTTP/1.1" '
            f'{record.status} {record.size_bytes} "{referer}" "{user_agent}"\n'
        ).encode("ascii")


def _escape(raw: bytes, most: int = MAX_TARGET_CHARS) -> str:
    """Return what a client sent as printable ASCII without quotes, escaped as by nginx."""
    raw = raw[:most]
    if not raw.translate(None, _PLAIN):
        return raw.decode("ascii")
    text = "".join([chr(byte) if byte in _PLAIN else f"\\x{byte:02X}" for byte in raw])
    return text[:most]


def _escape_text(text: str) -> str:
    return _escape(text.encode("utf-8", "backslashreplace"), MAX_FIELD_CHARS)


@lru_cache(KNOWN_FIELDS)
def _field(raw: bytes) -> str:
    """Escape what comes again and again: browsers, pages, hot targets."""
    return _escape(raw, MAX_FIELD_CHARS)
