"""A request for content: parsed, bounded, and told apart from what needs no content.

The order of decisions is the one of the deployed gateways (boxo): method, `?uri=`, superfluous
namespace, path, service worker, format.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.content.path import ContentPath, parse_path
from gateway.errors import BadPath, BadRequest, MethodNotAllowed
from gateway.protocol.car import DEFAULT_CAR, CarParams, parse_car_params
from gateway.protocol.disposition import clean_filename
from gateway.protocol.formats import ResponseFormat, choose_format
from gateway.protocol.query import parse_query
from gateway.protocol.redirects import Redirect, namespace_redirect, uri_redirect

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


class GatewayRequest(NamedTuple):
    """A GET or HEAD for content. Header values are empty strings when the field is not there.

    A tuple because each request makes one: a frozen dataclass of this size takes six times as long.
    """

    is_head: bool
    target: str
    """The path of the target as it was sent, still percent-encoded; no query, no host."""
    query: str
    """As it was sent, without the question mark."""
    path: ContentPath
    format: ResponseFormat
    format_from_accept: bool
    """Whether `Accept` chose the format; the answer then says so in `Content-Location`."""
    car: CarParams
    """The defaults unless the format is CAR."""
    filename: str | None
    """Made harmless; None when not asked for."""
    download: bool
    accept: str
    wants_html: bool
    """Whether it may be a person's browser: `Accept` names text/html."""
    only_if_cached: bool
    if_match: str
    if_none_match: str
    if_modified_since: str
    if_unmodified_since: str
    if_range: str
    range_header: str

    @property
    def name(self) -> str:
        """The file name that the content type goes by; empty for a bare CID."""
        return self.filename or (self.path.segments[-1] if self.path.segments else "")


def parse_request(
    method: str, raw_path: bytes, query: bytes, headers: Iterable[tuple[bytes, bytes]]
) -> GatewayRequest | Redirect:
    """Parse a request for content.

    Args:
        method: as sent; OPTIONS is the caller's to answer.
        raw_path: the target up to the question mark, percent-encoded; absolute form is taken too.
        query: after the question mark.
        headers: lower-case names; fields that stand there twice are joined.

    Raises:
        MethodNotAllowed: neither GET nor HEAD.
        BadPath: not a content path.
        BadRequest: parameters that cannot be understood, or a service worker for all of `/ipfs/`.
    """
    if method not in ("GET", "HEAD"):
        raise MethodNotAllowed(method)
    target = _origin_form(raw_path)
    parameters = parse_query(query)
    redirect = uri_redirect(target, parameters) or namespace_redirect(target, query)
    if redirect is not None:
        return redirect
    path = parse_path(target)
    if not isinstance(path, ContentPath):
        raise BadPath(str(path), "names are not served by this gateway")
    fields = _pick(headers)
    _refuse_service_worker(path, fields.get("service-worker", ""))
    accept = fields.get("accept", "")
    choice = choose_format(parameters.get("format"), accept)
    is_car = choice.format is ResponseFormat.CAR
    return GatewayRequest(
        is_head=method == "HEAD",
        target=target.decode("latin-1"),
        query=query.decode("latin-1"),
        path=path,
        format=choice.format,
        format_from_accept=choice.is_from_accept,
        car=parse_car_params(parameters, choice.parameters) if is_car else DEFAULT_CAR,
        filename=clean_filename(parameters["filename"]) if "filename" in parameters else None,
        download=parameters.get("download") == "true",
        accept=accept,
        wants_html=accepts_html(accept),
        only_if_cached=_has_directive(fields.get("cache-control", ""), "only-if-cached"),
        if_match=fields.get("if-match", ""),
        if_none_match=fields.get("if-none-match", ""),
        if_modified_since=fields.get("if-modified-since", ""),
        if_unmodified_since=fields.get("if-unmodified-since", ""),
        if_range=fields.get("if-range", ""),
        range_header=fields.get("range", ""),
    )


def accepts_html(accept: str) -> bool:
    """Tell whether an `Accept` field names HTML."""
    return "text/html" in accept.lower()


def _origin_form(raw_path: bytes) -> bytes:
    """Strip scheme and host of an absolute-form target (RFC 9112, 3.2.2)."""
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


def _refuse_service_worker(path: ContentPath, service_worker: str) -> None:
    # path-gateway.md: a worker at /ipfs/{cid} would control every site of the gateway.
    is_above_content = not path.segments and not path.is_directory
    if is_above_content and service_worker.strip().lower() == "script":
        raise BadRequest(
            "Service-Worker", f"registration at the root /{path.namespace}/ is refused"
        )


def _has_directive(cache_control: str, name: str) -> bool:
    text = cache_control.lower()
    return name in text and any(part.strip() == name for part in text.split(","))
