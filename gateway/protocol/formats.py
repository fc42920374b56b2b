"""Response formats and how a request chooses one.

https://specs.ipfs.tech/http-gateways/path-gateway/#format-request-query-parameter and IPIP-523:
`?format=` wins over `Accept`; in `Accept` the first known type counts and q is ignored, as in the
gateways that are deployed.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from gateway.errors import BadRequest, NotAcceptable


class ResponseFormat(StrEnum):
    """The formats that are served; all but the first are values of `?format=`."""

    UNIXFS = "unixfs"
    """The default: files and directories as a web server shows them."""
    RAW = "raw"
    CAR = "car"
    IPNS_RECORD = "ipns-record"


TRUSTLESS: Final = frozenset({ResponseFormat.RAW, ResponseFormat.CAR, ResponseFormat.IPNS_RECORD})
"""What a client can check by itself: all that a trustless gateway serves."""


class FormatChoice(NamedTuple):
    """A format and how it was asked for."""

    format: ResponseFormat
    is_from_accept: bool
    """Whether `Accept`, not the URL, chose it."""
    parameters: Mapping[str, str]
    """Parameters of its media type in `Accept`, names in lower case; the first of a name wins."""


MAX_TYPE_PARAMETERS: Final = 16  # of one media type; CAR has three

_DEFINED: Final = MappingProxyType(
    {
        "application/vnd.ipld.raw": "raw",
        "application/vnd.ipld.car": "car",
        "application/vnd.ipld.dag-json": "dag-json",
        "application/vnd.ipld.dag-cbor": "dag-cbor",
        "application/vnd.ipfs.ipns-record": "ipns-record",
        "application/x-tar": "tar",
        "application/json": "json",
        "application/cbor": "cbor",
    }
)
"""Media type to the value of `?format=` that means the same."""
_NAMES: Final = frozenset(_DEFINED.values())
_GENERIC: Final = frozenset({"json", "cbor"})
_VENDOR: Final = ("application/vnd.ipld", "application/vnd.ipfs")
_WORTH_A_LOOK: Final = re.compile(
    r"application/(?:vnd\.ip(?:ld|fs)|x-tar|json|cbor)", re.IGNORECASE
)
_NO_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType({})
_DEFAULT: Final = FormatChoice(ResponseFormat.UNIXFS, False, _NO_PARAMETERS)


def choose_format(parameter: str | None, accept: str) -> FormatChoice:
    """Choose the response format.

    Args:
        parameter: the value of `?format=`; a value that nobody has defined is ignored.
        accept: the value of `Accept`.

    Raises:
        BadRequest: `Accept` asks for an IPLD or IPFS type that nobody has defined.
        NotAcceptable: a format that is defined but not served here.
    """
    accepted = _first_defined(accept) if _WORTH_A_LOOK.search(accept) else None
    if parameter in _NAMES:
        # Clients send both (IPIP-523): the parameters in Accept then still speak of the format.
        told = accepted[1] if accepted is not None and accepted[0] == parameter else _NO_PARAMETERS
        return FormatChoice(_serve(parameter), False, told)
    if accepted is None:
        return _DEFAULT
    name, parameters = accepted
    if name not in _NAMES:
        raise BadRequest("Accept", f"unknown type {name[:100]!r}")
    if name in _GENERIC and "*/*" in accept:
        # Libraries such as axios say "application/json, text/plain, */*" with every request:
        # a client that takes anything gets the file as it is.
        return _DEFAULT
    return FormatChoice(_serve(name), True, parameters)


def _serve(name: str) -> ResponseFormat:
    if name in TRUSTLESS:
        return ResponseFormat(name)
    raise NotAcceptable(f"format {name} is not served by this gateway: ask for raw, car or none")


def _first_defined(accept: str) -> tuple[str, Mapping[str, str]] | None:
    """Return the first entry that names a format: its name, or an unknown vendor type as it is."""
    for entry in accept.split(","):
        media_type, _, rest = entry.partition(";")
        media_type = media_type.strip().lower()
        if media_type in _DEFINED or media_type.startswith(_VENDOR):
            return _DEFINED.get(media_type, media_type), _parse_parameters(rest)
    return None


def _parse_parameters(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for pair in text.split(";", MAX_TYPE_PARAMETERS)[:MAX_TYPE_PARAMETERS]:
        name, _, value = pair.partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found
