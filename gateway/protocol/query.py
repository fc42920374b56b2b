"""The query of a request target, parsed within bounds."""

from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.errors import BadRequest

MAX_QUERY_BYTES: Final = 8192  # as much as nginx takes for the whole request line by default
MAX_PARAMETERS: Final = 64  # the specifications define ten

_HINTS: Final = frozenset({"format", "filename", "download", "go-get"})
"""Say how content is shown; without one that cannot be read it is shown as by default."""

_KNOWN: Final = _HINTS | frozenset(
    {
        "uri",
        "dag-scope",
        "entity-bytes",
        "car-version",
        "car-order",
        "car-dups",
    }
)


def parse_query(query: bytes) -> dict[str, str]:
    """Return the parameters that a gateway knows, decoded; the first of a name wins.

    A hint that is not UTF-8 is as if it was not there. Other values, which say what is sent, keep
    U+FFFD for what cannot be read, and so are none that those who read them know.

    Parameters after the first `MAX_PARAMETERS` and parameters that no specification names are not
    looked at: a page may have its own.

    Raises:
        BadRequest: longer than `MAX_QUERY_BYTES`.
    """
    if not query:
        return {}
    if len(query) > MAX_QUERY_BYTES:
        raise BadRequest("query", f"{len(query)} bytes are more than {MAX_QUERY_BYTES}")
    found: dict[str, str] = {}
    for pair in query.split(b"&", MAX_PARAMETERS)[:MAX_PARAMETERS]:
        raw_name, _, raw_value = pair.partition(b"=")
        name = raw_name.decode("latin-1")
        if name in _KNOWN and name not in found:
            value = _decode(raw_value, is_hint=name in _HINTS)
            if value is not None:
                found[name] = value
    return found


def _decode(value: bytes, *, is_hint: bool) -> str | None:
    # HTML forms write a space as a plus sign.
    data = unquote_to_bytes(value.replace(b"+", b" "))
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None if is_hint else data.decode(errors="replace")
