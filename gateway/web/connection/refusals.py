"""Responses to malformed or refused requests, made without the application."""

from collections.abc import Iterable
from typing import Final

_REASONS: Final = {
    400: b"Bad Request",
    408: b"Request Timeout",
    414: b"URI Too Long",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
}


class Refused(Exception):
    """Raised in the parser's callbacks to stop the parser."""


def refusal(status: int, dates: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a whole response that closes its connection.

    Args:
        status: one of the statuses above.
        dates: uvicorn's own fields.
    """
    reason = _REASONS[status]
    return b"".join(
        (
            b"HTTP/1.1 %d %b\r\n" % (status, reason),
            *[b"%b: %b\r\n" % date for date in dates],
            b"content-type: text/plain; charset=utf-8\r\n",
            b"content-length: %d\r\n" % (len(reason) + 1),
            b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n",
            b"connection: close\r\n\r\n%b\n" % reason,
        )
    )
