"""Checks of the Host field (RFC 9112, 3.2), made before any other use of it."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from gateway.errors import BadRequest

MAX_HOST_CHARACTERS: Final = 260  # a DNS name has at most 253; and ":65535"

# Labels as in `gateway.host_names`, but for their length: `{cid}.ipfs.{host}` with a CID that is
# longer is told so, or redirected.
_LABEL: Final = rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST: Final = re.compile(
    rb"(?:%b(?:\.%b)*\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?" % (_LABEL, _LABEL)
)


def check_host(values: Sequence[bytes], *, is_required: bool) -> None:
    """Check the Host fields of a request.

    Args:
        values: the values of all Host fields.
        is_required: whether the field must be present: in HTTP/1.1 yes, in HTTP/1.0 no.

    Raises:
        BadRequest: the required field is missing, there are several, or it is not `host[:port]`.
    """
    if len(values) > 1:
        raise BadRequest("Host", f"the request has {len(values)} Host fields")
    if not values:
        if is_required:
            raise BadRequest("Host", "HTTP/1.1 requires it")
        return
    if not is_host(values[0]):
        raise BadRequest("Host", "it is not host[:port]")


def is_host(value: bytes) -> bool:
    """Return whether a field value is a host name or address with an optional port."""
    return len(value) <= MAX_HOST_CHARACTERS and _is_host(value)


@lru_cache(maxsize=1024)
def _is_host(value: bytes) -> bool:
    match = _HOST.fullmatch(value)
    return match is not None and int(match[1] or 0) <= 65535
