"""Answers of the admin listener: never stored, never guessed at."""

from collections.abc import Iterable
from typing import Any, Final

import orjson
from starlette.responses import Response

PROTECTION: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def json_response(
    body: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Return JSON that people can read as well."""
    raw = orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return raw_response(raw, "application/json", status, headers)


def raw_response(
    body: bytes,
    media_type: str,
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """Return bytes of a type."""
    return Response(body, status, PROTECTION | dict(headers), media_type)
