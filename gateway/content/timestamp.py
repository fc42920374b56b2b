"""Timestamps as text, with nanoseconds: https://www.rfc-editor.org/rfc/rfc3339."""

import re
from datetime import datetime
from typing import Final

NS_PER_S: Final = 1_000_000_000

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 (compared with others that have no zone)
_TIMESTAMP: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


def parse_timestamp_ns(text: str) -> int:
    """Return an RFC 3339 time in nanoseconds since the epoch; further digits are dropped.

    An aware `datetime` would overflow in the last hours of the year 9999 in another time zone,
    which often stand for "never".

    Raises:
        ValueError: not an RFC 3339 time; leap seconds are refused, as in Go.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 time")
    date, time, fraction, sign, hours, minutes = match.groups()
    since = datetime.fromisoformat(f"{date}T{time}") - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError("invalid offset from UTC")
        seconds -= int(sign + "1") * (int(hours) * 3600 + int(minutes) * 60)
    return seconds * NS_PER_S + int((fraction or "")[:9].ljust(9, "0"))
