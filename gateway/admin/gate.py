"""Who may read the operator's pages.

A browser on the operator's machine can be made to send requests by any web page that it shows.
So requests that another page caused are refused (`Origin`, `Sec-Fetch-Site`), and so are, where
no token protects, host names that a stranger's DNS could point at this listener.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admin.reply import json_response

OPEN_PATHS: Final = frozenset(("/healthz",))
"""Answered without a token: it says that the process is alive and nothing more."""

_READING: Final = ("GET", "HEAD")
_JSON: Final = b"application/json"
_OWN_SITES: Final = (b"same-origin", b"none")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


_NO_TOKEN: Final = Refusal(
    401,
    "this listener wants its token: Authorization: Bearer ...",
    (("WWW-Authenticate", 'Bearer realm="ipfs-gateway admin"'),),
)
_FOREIGN: Final = Refusal(403, "another web page caused this request")
_REBOUND: Final = Refusal(
    403, "without admin.token, Host must be localhost or an IP address (DNS rebinding)"
)
_NOT_JSON: Final = Refusal(415, "an order is JSON: Content-Type: application/json")


class Gate:
    """ASGI middleware: answers what must not pass.

    Args:
        app: gets the rest.
        token: the bearer token; empty if none is asked for.
        methods: by path, what is allowed there; GET and HEAD everywhere else.
    """

    def __init__(
        self, app: ASGIApp, token: str, methods: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._app = app
        self._methods = methods or {}
        self._token = _digest(token.encode()) if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on."""
        refusal = self.judge(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        body = {"error": refusal.reason}
        await json_response(body, refusal.status, refusal.headers)(scope, receive, send)

    def judge(self, scope: MutableMapping[str, Any]) -> Refusal | None:
        """Decide about one request by method, path and headers."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        host = _first(headers, b"host")
        if _is_foreign(headers, host):
            return _FOREIGN
        if scope["path"] not in OPEN_PATHS:
            if self._token is not None:
                if not self._is_known(headers):
                    return _NO_TOKEN
            elif _is_tcp(scope) and not _is_local(host):
                return _REBOUND
        allowed = self._methods.get(scope["path"], _READING)
        if scope["method"] not in allowed:
            return Refusal(405, "this page has no such method", (("Allow", ", ".join(allowed)),))
        # A form of another web page cannot be of this type, not even where no Origin is sent.
        is_json = (_first(headers, b"content-type") or b"").partition(b";")[0].strip() == _JSON
        return _NOT_JSON if scope["method"] == "POST" and not is_json else None

    def _is_known(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Tell whether there is exactly one Authorization and it has the token.

        What is compared are digests, so that neither content nor length shows in the time.
        """
        values = [value for name, value in headers if name == b"authorization"]
        scheme, _, credentials = (values[0] if len(values) == 1 else b"").partition(b" ")
        is_right = hmac.compare_digest(_digest(credentials.strip(b" ")), self._token or b"")
        return is_right and scheme.lower() == b"bearer"


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _first(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name == wanted), None)


def _is_foreign(headers: Iterable[tuple[bytes, bytes]], host: bytes | None) -> bool:
    """Tell whether a page of another origin caused the request; clients that browse not say so."""
    for name, value in headers:
        if name == b"sec-fetch-site" and value.lower() not in _OWN_SITES:
            return True
        if name == b"origin" and value.lower().partition(b"://")[2] != (host or b"").lower():
            return True
    return False


def _is_tcp(scope: MutableMapping[str, Any]) -> bool:
    """Tell whether a browser could be at the other end: none speaks to a Unix socket."""
    server = scope.get("server")
    return server is None or server[1] is not None


def _is_local(host: bytes | None) -> bool:
    """Tell whether a Host cannot have come from a stranger's DNS."""
    if host is None:  # every browser sends one
        return True
    name = _name(host.decode("latin-1").lower())
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    """Return a Host without its port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
