"""Conditional requests: RFC 9110, section 13, in its order of precedence."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from enum import StrEnum
from typing import Final

from gateway.protocol.request import GatewayRequest

_TAG: Final = re.compile(r'(?:W/)?"[^"]*"')
_MAX_DATE_CHARACTERS: Final = 64  # the longest of the three formats has 33
_LAST_SECOND: Final = 253402300799  # 9999-12-31T23:59:59Z, the last that the format can write


class ConditionalVerdict(StrEnum):
    """The result of the preconditions of a request."""

    GO_ON = "go on"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"


def matches_any(header: str, etag: str) -> bool:
    """Return whether a list of tags, or `*`, names `etag` by weak comparison (`If-None-Match`).

    A tag without quotes is compared, too, since some scripts send it so.
    """
    wanted = etag.removeprefix("W/")
    if header.strip() in ("*", wanted, wanted.strip('"')):
        return True
    return any(tag.removeprefix("W/") == wanted for tag in _TAG.findall(header))


def matches_strongly(header: str, etag: str) -> bool:
    """Return whether `If-Match` names `etag`: weak tags never match; `*` always does."""
    if header.strip() == "*":
        return True
    return not etag.startswith("W/") and etag in _TAG.findall(header)


def is_range_current(if_range: str, etag: str) -> bool:
    """Return whether a `Range` may be answered: no `If-Range`, or exactly this strong tag.

    A date never matches: its resolution is only a second, and every file has a tag.
    """
    return not if_range or (if_range.strip() == etag and not etag.startswith("W/"))


def parse_date(text: str) -> float | None:
    """Return an HTTP date as seconds since the epoch; None for other text."""
    if len(text) > _MAX_DATE_CHARACTERS:
        return None
    try:
        moment = parsedate_to_datetime(text)
        # A date without a zone (asctime) is UTC: RFC 9110, 5.6.7.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def format_date(seconds: int) -> bytes | None:
    """Return an HTTP date; None for times that the format cannot express."""
    if not 0 <= seconds <= _LAST_SECOND:
        return None
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True).encode("ascii")


def evaluate(request: GatewayRequest, etag: str, mtime: int | None) -> ConditionalVerdict:
    """Return the result of the preconditions of a request for the content that would be sent.

    Args:
        request: the request.
        etag: entity tag of the answer, with its quotes.
        mtime: UnixFS modification time in seconds since the epoch; None when there is none.
    """
    if _has_failed(request, etag, mtime):
        return ConditionalVerdict.FAILED
    if request.if_none_match:
        is_known = matches_any(request.if_none_match, etag)
    else:
        is_known = _is_unmodified(request.if_modified_since, mtime) is True
    return ConditionalVerdict.NOT_MODIFIED if is_known else ConditionalVerdict.GO_ON


def _has_failed(request: GatewayRequest, etag: str, mtime: int | None) -> bool:
    if request.if_match:
        return not matches_strongly(request.if_match, etag)
    return _is_unmodified(request.if_unmodified_since, mtime) is False


def _is_unmodified(header: str, mtime: int | None) -> bool | None:
    """Return whether the file is not newer than a date; None when one of them is not known."""
    if not header or mtime is None or (since := parse_date(header)) is None:
        return None
    return mtime <= since
