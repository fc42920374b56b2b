"""The query of a request target, parsed within bounds."""

from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.errors import BadRequest

MAX_QUERY_BYTES: Final = 8192  # as much as nginx takes for the whole request line by default
MAX_PARAMETERS: Final = 64  # the specifications define ten

_KNOWN: Final = frozenset(
    {
        "format",
        "filename",
        "download",
        "uri",
        "go-get",
        "dag-scope",
        "entity-bytes",
        "car-version",
        "car-order",
        "car-dups",
    }
)


def parse_query(query: bytes) -> dict[str, str]:
    """Return the parameters that a gateway knows, decoded; the first of a name wins.

    Parameters after the first `MAX_PARAMETERS` and parameters that no specification names are not
    looked at: a page may have its own.

    Raises:
        BadRequest: longer than `MAX_QUERY_BYTES`, or a known parameter is not UTF-8.
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
            found[name] = _decode(name, raw_value)
    return found


def _decode(name: str, value: bytes) -> str:
    try:
        # HTML forms write a space as a plus sign.
        return unquote_to_bytes(value.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as exc:
        raise BadRequest(name, "the value is not UTF-8") from exc
