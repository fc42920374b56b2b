"""Redirects: `?uri=`, `/ipfs/ipfs/`, the slash of a directory, canonical names, subdomains."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.content.path import AnyPath, ContentPath, MutablePath, escape_segment, parse_path
from gateway.errors import BadPath, BadRequest
from gateway.protocol.headers import location_text
from gateway.protocol.labels import domain_label, root_label
from gateway.protocol.query import parse_query
from gateway.protocol.sites import Site, url_path


@dataclass(frozen=True, slots=True)
class Redirect:
    """The target and the status of a redirect."""

    location: bytes
    """Printable ASCII: a path on the same host, or an absolute URL."""
    status: int = 301


_PROTOCOL_HANDLERS: Final = frozenset({b"/ipfs/", b"/ipns/", b"/ipfs", b"/ipns"})
_URI: Final = re.compile(r"(ip[fn]s)://([^/?#]+)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_SUPERFLUOUS: Final = re.compile(rb"/+ipfs/+(ip[fn]s)/+([^/].*)", re.DOTALL)


def find_redirect(target: bytes, query: bytes) -> Redirect | None:
    """Return the redirect for a target that is not a content path but contains one."""
    if target in _PROTOCOL_HANDLERS:
        return uri_redirect(parse_query(query))
    return namespace_redirect(target, query)


def uri_redirect(query: Mapping[str, str]) -> Redirect | None:
    """Redirect `/ipfs/?uri=ipfs://...` to the path of the URI (browser protocol handlers).

    Raises:
        BadRequest: the URI does not start with `ipfs://` or `ipns://`.
    """
    uri = query.get("uri")
    if not uri:
        return None
    match = _URI.fullmatch(uri)
    if match is None or match[2] in (".", ".."):
        raise BadRequest("uri", "it must start with ipfs:// or ipns:// and a name")
    return Redirect(location_text(f"/{match[1].lower()}/{match[2]}{match[3]}".encode()))


def namespace_redirect(target: bytes, query: bytes) -> Redirect | None:
    """Redirect `/ipfs/ipfs/{cid}` and `/ipfs/ipns/{name}` to the inner path, if it is valid."""
    match = _SUPERFLUOUS.fullmatch(target)
    if match is None:
        return None
    inner = b"/" + match[1] + b"/" + match[2]
    try:
        parse_path(inner)
    except BadPath:
        return None
    return Redirect(location_text(inner + (b"?" + query if query else b"")))


def key_redirect(path: AnyPath, query: str) -> Redirect | None:
    """Redirect `/ipns/{key}` in another text form to the canonical base36."""
    if not isinstance(path, MutablePath) or isinstance(path.name, str):
        return None
    if path.root_text == str(path.name):
        return None
    rest = _rest(path.segments, is_directory=path.is_directory)
    return _to(f"/{path.namespace}/{path.name}{rest}", query, 302)


def subdomain_redirect(
    path: AnyPath, query: str, gateway: str, scheme: str, *, is_inlined: bool
) -> Redirect:
    """Redirect a path to the subdomain of its root.

    Args:
        path: the content path; only its root is used, and nothing is fetched (IPIP-386).
        query: the query as it was sent.
        gateway: `host[:port]` of the subdomain gateway.
        scheme: `http` or `https`.
        is_inlined: whether DNSLink names become one label; with https they always do, since a
            wildcard certificate covers one level only.

    Raises:
        BadLabel: the root does not fit into a label.
    """
    if isinstance(path, ContentPath):
        label = root_label(path.root)
    elif isinstance(path.name, str):
        label = domain_label(path.name) if is_inlined or scheme == "https" else path.name
    else:
        label = root_label(path.name)
    rest = _rest(path.segments, is_directory=path.is_directory) or "/"
    return _to(f"{scheme}://{label}.{path.namespace}.{gateway}{rest}", query)


def slash_redirect(site: Site, path: AnyPath, query: str) -> Redirect | None:
    """Redirect a directory's path without a final slash to the one with it, for relative links.

    None when the path has its slash, and for `?go-get=1`: Go's tools, which look for a `go-import`
    tag, do not follow redirects.
    """
    if path.is_directory or "go-get=1" in query.split("&"):
        return None
    return _to(f"{url_path(site, path)}/", query)


def _rest(segments: tuple[str, ...], *, is_directory: bool) -> str:
    rest = "".join(["/" + escape_segment(segment) for segment in segments])
    return f"{rest}/" if is_directory else rest


def _to(url: str, query: str, status: int = 301) -> Redirect:
    return Redirect(location_text(f"{url}?{query}".encode() if query else url.encode()), status)
