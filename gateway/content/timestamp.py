"""Points in time as text: https://www.rfc-editor.org/rfc/rfc3339, to the nanosecond."""

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
    """Parse an RFC 3339 time to nanoseconds since the epoch; digits beyond those are dropped.

    Not through an aware `datetime`: the last hours of the year 9999 in another time zone, which
    "never" is often written as, overflow it.

    Raises:
        ValueError: not such a time; leap seconds are none, as in Go.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError("not a time as RFC 3339 has it")
    date, time, fraction, sign, hours, minutes = match.groups()
    since = datetime.fromisoformat(f"{date}T{time}") - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError("no such offset from UTC")
        seconds -= int(sign + "1") * (int(hours) * 3600 + int(minutes) * 60)
    return seconds * NS_PER_S + int((fraction or "")[:9].ljust(9, "0"))
