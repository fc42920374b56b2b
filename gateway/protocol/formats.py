"""Response formats, and how a request chooses one.

https://specs.ipfs.tech/http-gateways/path-gateway/#format-request-query-parameter and IPIP-523:
`?format=` takes precedence over `Accept`; in `Accept` the first known type counts and q is ignored,
as in the deployed gateways.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from gateway.errors import BadRequest


class ResponseFormat(StrEnum):
    """The response formats; all but the first are values of `?format=`."""

    UNIXFS = "unixfs"
    """The default: files, directory listings and documents, as a web server sends them."""
    RAW = "raw"
    CAR = "car"
    TAR = "tar"
    DAG_JSON = "dag-json"
    DAG_CBOR = "dag-cbor"
    JSON = "json"
    CBOR = "cbor"
    IPNS_RECORD = "ipns-record"


TRUSTLESS: Final = frozenset({ResponseFormat.RAW, ResponseFormat.CAR, ResponseFormat.IPNS_RECORD})
"""The formats that clients can verify themselves; a trustless gateway serves no other."""


class FormatChoice(NamedTuple):
    """A requested format, and where the request names it."""

    format: ResponseFormat
    is_from_accept: bool
    """Whether `Accept`, not the URL, names it."""
    parameters: Mapping[str, str]
    """Parameters of its media type in `Accept` by lower-case name; the first of a name counts."""


MAX_TYPE_PARAMETERS: Final = 16  # of one media type; CAR has three

_MEDIA_TYPES: Final[Mapping[ResponseFormat, str]] = MappingProxyType(
    {
        ResponseFormat.RAW: "application/vnd.ipld.raw",
        ResponseFormat.CAR: "application/vnd.ipld.car",
        ResponseFormat.TAR: "application/x-tar",
        ResponseFormat.DAG_JSON: "application/vnd.ipld.dag-json",
        ResponseFormat.DAG_CBOR: "application/vnd.ipld.dag-cbor",
        ResponseFormat.JSON: "application/json",
        ResponseFormat.CBOR: "application/cbor",
        ResponseFormat.IPNS_RECORD: "application/vnd.ipfs.ipns-record",
    }
)

_DEFINED: Final = MappingProxyType({media: format_ for format_, media in _MEDIA_TYPES.items()})
_NAMES: Final = MappingProxyType({str(format_): format_ for format_ in _MEDIA_TYPES})
_GENERIC: Final = frozenset({ResponseFormat.JSON, ResponseFormat.CBOR})
_VENDOR: Final = ("application/vnd.ipld", "application/vnd.ipfs")
_WORTH_A_LOOK: Final = re.compile(
    r"application/(?:vnd\.ip(?:ld|fs)|x-tar|json|cbor)", re.IGNORECASE
)
_NO_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType({})
_DEFAULT: Final = FormatChoice(ResponseFormat.UNIXFS, False, _NO_PARAMETERS)


def media_type(format_: ResponseFormat) -> bytes:
    """Return the media type of a format; `format_` is not UNIXFS, which has none."""
    return _MEDIA_TYPES[format_].encode("ascii")


def choose_format(parameter: str | None, accept: str) -> FormatChoice:
    """Return the format that a request chooses.

    Args:
        parameter: the value of `?format=`; an unknown value is ignored.
        accept: the value of `Accept`.

    Raises:
        BadRequest: `Accept` names an unknown type of `vnd.ipld` or `vnd.ipfs`.
    """
    accepted = _first_defined(accept) if _WORTH_A_LOOK.search(accept) else None
    named = _NAMES.get(parameter or "")
    if named is not None:
        # Clients send both (IPIP-523): the parameters in Accept then still apply to the format.
        told = accepted[1] if accepted is not None and accepted[0] == named else _NO_PARAMETERS
        return FormatChoice(named, False, told)
    if accepted is None:
        return _DEFAULT
    chosen, parameters = accepted
    if not isinstance(chosen, ResponseFormat):
        raise BadRequest("Accept", f"unknown type {chosen[:100]!r}")
    if chosen in _GENERIC and "*/*" in accept:
        # Libraries such as axios send "application/json, text/plain, */*" with every request:
        # a client that accepts any type gets the file unchanged.
        return _DEFAULT
    return FormatChoice(chosen, True, parameters)


def _first_defined(accept: str) -> tuple[ResponseFormat | str, Mapping[str, str]] | None:
    """Return the first entry that names a format, or an unknown vendor type unchanged."""
    for entry in accept.split(","):
        name, _, rest = entry.partition(";")
        name = name.strip().lower()
        if name in _DEFINED or name.startswith(_VENDOR):
            return _DEFINED.get(name, name), _parse_parameters(rest)
    return None


def _parse_parameters(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for pair in text.split(";", MAX_TYPE_PARAMETERS)[:MAX_TYPE_PARAMETERS]:
        name, _, value = pair.partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found
