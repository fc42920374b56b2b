"""The redirects of a path gateway: `?uri=`, `/ipfs/ipfs/` and the slash of a directory."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.content.path import AnyPath, escape_path, parse_path
from gateway.errors import BadPath, BadRequest
from gateway.protocol.headers import location_text


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the client should look instead; always a path on the same host."""

    location: bytes
    """Printable ASCII that starts with one slash."""
    status: int = 301


_PROTOCOL_HANDLERS: Final = frozenset({b"/ipfs/", b"/ipns/", b"/ipfs", b"/ipns"})
_URI: Final = re.compile(r"(ip[fn]s)://([^/?#]+)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_SUPERFLUOUS: Final = re.compile(rb"/+ipfs/+(ip[fn]s)/+([^/].*)", re.DOTALL)


def uri_redirect(target: bytes, query: Mapping[str, str]) -> Redirect | None:
    """Send `/ipfs/?uri=ipfs://...` to the path that the URI means (browser protocol handlers).

    Raises:
        BadRequest: the URI is not an `ipfs:` or `ipns:` one.
    """
    uri = query.get("uri")
    if not uri or target not in _PROTOCOL_HANDLERS:
        return None
    match = _URI.fullmatch(uri)
    if match is None or match[2] in (".", ".."):
        raise BadRequest("uri", "it has to start with ipfs:// or ipns:// and a name")
    return Redirect(location_text(f"/{match[1].lower()}/{match[2]}{match[3]}".encode()))


def namespace_redirect(target: bytes, query: bytes) -> Redirect | None:
    """Send `/ipfs/ipfs/{cid}` and `/ipfs/ipns/{name}` to the path inside, if that is one."""
    match = _SUPERFLUOUS.fullmatch(target)
    if match is None:
        return None
    inner = b"/" + match[1] + b"/" + match[2]
    if match[1] == b"ipfs":
        try:
            parse_path(inner)
        except BadPath:
            return None
    return Redirect(location_text(inner + (b"?" + query if query else b"")))


def slash_redirect(path: AnyPath, query: str) -> Redirect | None:
    """Send a directory's path without a slash to the one with it, so that relative links work.

    None when the path has its slash, and for `?go-get=1`, with which Go's tools look for a
    `go-import` tag and do not follow redirects.
    """
    if path.is_directory or "go-get=1" in query.split("&"):
        return None
    suffix = f"?{query}" if query else ""
    return Redirect(location_text(f"{path_href(path)}/{suffix}".encode()))


def path_href(path: AnyPath) -> str:
    """Return the path percent-encoded, as the client wrote its root, without a final slash."""
    parts = (path.namespace, path.root_text, *path.segments)
    return "".join("/" + escape_segment(part) for part in parts)


def escape_segment(name: str) -> str:
    """Percent-encode one name, a slash in it too."""
    return escape_path(name).replace("/", "%2F")
