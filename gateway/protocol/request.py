"""Parses requests for content within bounds, or returns the redirect that answers them.

The order of decisions is that of the deployed gateways (boxo): method, `?uri=`, superfluous
namespace, path, service worker, format.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from gateway.content.path import AnyPath, ContentPath, parse_path
from gateway.errors import BadPath, BadRequest, MethodNotAllowed
from gateway.protocol.car import DEFAULT_CAR, CarParams, parse_car_params
from gateway.protocol.disposition import clean_filename
from gateway.protocol.formats import ResponseFormat, choose_format
from gateway.protocol.freshness import IMMUTABLE, UNKNOWN, Freshness
from gateway.protocol.query import parse_query
from gateway.protocol.redirects import Redirect, find_redirect
from gateway.protocol.sites import PATH_SITE, Site

_FIELDS: Final = {
    name: name.decode("ascii")
    for name in (
        b"accept",
        b"cache-control",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"range",
        b"service-worker",
    )
}

_CONDITIONS: Final = frozenset(_FIELDS.values()) - {"accept", "cache-control", "service-worker"}


class GatewayRequest(NamedTuple):
    """A GET or HEAD for content. Header values are empty strings when the field is missing.

    It is a tuple because each request makes one: a frozen dataclass of this size takes six times as
    long.
    """

    is_head: bool
    query: str
    """The query as it was sent, without the question mark."""
    path: AnyPath
    """The requested content path, before names are resolved."""
    site: Site
    freshness: Freshness
    """`Cache-Control` of the content; `UNKNOWN` for a name until it is resolved."""
    format: ResponseFormat
    format_from_accept: bool
    """Whether `Accept` chose the format; the answer then says so in `Content-Location`."""
    car: CarParams
    """The defaults unless the format is CAR."""
    filename: str | None
    """The `filename` parameter without harmful characters; None when there is none."""
    download: bool
    wants_html: bool
    """Whether `Accept` names text/html, as browsers' does."""
    only_if_cached: bool
    if_match: str = ""
    if_none_match: str = ""
    if_modified_since: str = ""
    if_unmodified_since: str = ""
    if_range: str = ""
    range_header: str = ""

    def plain(self) -> "GatewayRequest":
        """Return the same request without ranges and preconditions."""
        return _with_conditions(self, {})


def parse_request(
    method: str,
    raw_path: bytes,
    query: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    site: Site = PATH_SITE,
) -> GatewayRequest | Redirect:
    """Parse a request for content.

    Args:
        method: as sent; OPTIONS is the caller's to answer.
        raw_path: the percent-encoded target up to the question mark; also in absolute form.
        query: the target after the question mark.
        headers: header fields with lower-case names; repeated fields are joined.
        site: the site of the request's host.

    Raises:
        MethodNotAllowed: neither GET nor HEAD.
        BadPath: not a content path.
        BadRequest: a malformed parameter, or a service worker for all of `/ipfs/`.
    """
    if method not in ("GET", "HEAD"):
        raise MethodNotAllowed(method)
    target = collapse_target(_origin_form(raw_path))
    if not site.is_isolated and (redirect := find_redirect(target, query)):
        return redirect
    path = parse_path(site.root.encode("ascii") + target)
    parameters, fields = parse_query(query), _pick(headers)
    if not site.is_isolated:
        _refuse_service_worker(path, fields.get("service-worker", ""))
    accept = fields.get("accept", "")
    choice = choose_format(parameters.get("format"), accept)
    is_car = choice.format is ResponseFormat.CAR
    request = GatewayRequest(
        is_head=method == "HEAD",
        query=query.decode("latin-1"),
        path=path,
        site=site,
        freshness=IMMUTABLE if isinstance(path, ContentPath) else UNKNOWN,
        format=choice.format,
        format_from_accept=choice.is_from_accept,
        car=parse_car_params(parameters, choice.parameters) if is_car else DEFAULT_CAR,
        filename=clean_filename(parameters["filename"]) if "filename" in parameters else None,
        download=parameters.get("download") == "true",
        wants_html=accepts_html(accept),
        only_if_cached=_has_directive(fields.get("cache-control", ""), "only-if-cached"),
    )
    return request if _CONDITIONS.isdisjoint(fields) else _with_conditions(request, fields)


_NAMESPACE: Final = re.compile(rb"(?:/|/\.|/%2[eE])+(?=/ip[fn]s(?:/|$))")


def collapse_target(target: bytes) -> bytes:
    """Remove empty and `.` segments in front of `/ipfs` or `/ipns`, as `parse_path` does behind it.

    Metadata of tokens on blockchains, which cannot be corrected, contains `//ipfs/{cid}`.
    """
    if target.startswith((b"//", b"/.", b"/%")) and (match := _NAMESPACE.match(target)):
        return target[match.end() :]
    return target


def _with_conditions(request: GatewayRequest, fields: Mapping[str, str]) -> GatewayRequest:
    return request._replace(
        if_match=fields.get("if-match", ""),
        if_none_match=fields.get("if-none-match", ""),
        if_modified_since=fields.get("if-modified-since", ""),
        if_unmodified_since=fields.get("if-unmodified-since", ""),
        if_range=fields.get("if-range", ""),
        range_header=fields.get("range", ""),
    )


def accepts_html(accept: str) -> bool:
    """Return whether an `Accept` field names HTML."""
    return "text/html" in accept.lower()


def _origin_form(raw_path: bytes) -> bytes:
    """Return a target without the scheme and host of the absolute form (RFC 9112, 3.2.2)."""
    if raw_path.startswith(b"/"):
        return raw_path
    scheme, separator, rest = raw_path.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        raise BadPath(raw_path[:100].decode("ascii", "replace"), "it does not start with a slash")
    return b"/" + rest.partition(b"/")[2]


def _pick(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, value in headers:
        if name := _FIELDS.get(raw_name):
            text = value.decode("latin-1")
            found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _refuse_service_worker(path: AnyPath, service_worker: str) -> None:
    # path-gateway.md: a worker at /ipfs/{cid} would control every site of the gateway.
    is_above_content = not path.segments and not path.is_directory
    if is_above_content and service_worker.strip().lower() == "script":
        raise BadRequest(
            "Service-Worker", f"registration at the root /{path.namespace}/ is refused"
        )


def _has_directive(cache_control: str, name: str) -> bool:
    text = cache_control.lower()
    return name in text and any(part.strip() == name for part in text.split(","))
