"""From the head of a request to its host, its site and its content path.

https://specs.ipfs.tech/http-gateways/subdomain-gateway/ and `dnslink-gateway/`; the order of
decisions is that of the deployed gateways (boxo's hostname handler).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.content.cid import LIBP2P_KEY, parse_cid
from gateway.errors import (
    BadCid,
    BadPath,
    BadRequest,
    MethodNotAllowed,
    NoSuchPage,
    NotAcceptable,
)
from gateway.guard.addresses import forwarded_host, forwarded_proto
from gateway.host_names import MAX_LABEL_CHARACTERS, parse_domain
from gateway.ports import HostAnswer, NameResolver
from gateway.protocol.answer import OPTIONS, Answer, redirect_answer
from gateway.protocol.formats import TRUSTLESS, ResponseFormat, media_type
from gateway.protocol.host import check_host
from gateway.protocol.labels import label_domain
from gateway.protocol.redirects import Redirect, key_redirect, subdomain_redirect
from gateway.protocol.request import GatewayRequest, collapse_target, parse_request
from gateway.protocol.sites import HostMatch, Hosts, Site, SiteKind, split_port
from gateway.settings import HostSettings
from gateway.web.clients import Clients
from gateway.web.pages.landing import landing_answer
from gateway.web.send import Scope

_NAMESPACES: Final = ("/ipfs", "/ipns")
_RECORDS: Final = "/routing/v1/ipns/"
_RECORD_TYPE: Final = media_type(ResponseFormat.IPNS_RECORD).decode("ascii")
_NO_WEBSITE: Final = HostAnswer(is_website=False)
_ANY_TYPE: Final = ("", "*/*", "application/*")


class _Head(NamedTuple):
    """The parts of a request head from which routing decides."""

    scope: Scope
    host: str
    """`host[:port]` in lower case, as the client sees it."""
    scheme: str

    @property
    def path(self) -> str:
        """The path of the target, still percent-encoded."""
        return collapse_target(self.scope["raw_path"]).decode("latin-1")

    @property
    def query(self) -> str:
        """The query as it was sent."""
        return self.scope["query_string"].decode("latin-1")  # type: ignore[no-any-return]

    @property
    def is_head(self) -> bool:
        """Whether the method is HEAD, so that the answer has no body."""
        return bool(self.scope["method"] == "HEAD")

    @property
    def domain(self) -> str | None:
        """The host name, if it is a domain name."""
        return parse_domain(split_port(self.host)[0])


class Router:
    """Finds the host, the site and the content path of requests.

    Args:
        clients: finds clients, and names the proxies trusted for host and scheme.
        hosts: settings by host name of the gateways under host names of their own.
        names: resolves whether a host has a DNSLink.
    """

    def __init__(
        self, clients: Clients, hosts: Mapping[str, HostSettings], names: NameResolver
    ) -> None:
        self.clients = clients
        self._hosts = Hosts(hosts)
        self._names = names

    async def route(self, scope: Scope) -> GatewayRequest | Answer:
        """Return the request for content, or the finished answer of a request that needs none.

        Raises:
            ClientError: the request is malformed, or this host does not serve it.
        """
        head = self._read(scope)
        if scope["method"] == "OPTIONS":
            return OPTIONS
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(scope["method"])
        match = self._hosts.match(head.host)
        if match.label:
            return _route_subdomain(head, match)
        if match.settings is not None:
            return await self._route_gateway(head, match.settings, match.gateway)
        found = await self._look_up(head)
        return _route_website(head) if found.is_website else _route_path(head, found.until)

    def _read(self, scope: Scope) -> _Head:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        check_host(hosts, is_required=scope["http_version"] == "1.1")
        if any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0")
            for name, value in headers
        ):
            raise BadRequest("body", "a request for content has none")
        peer = scope["client"][0] if scope["client"] else None
        told = [v.decode("latin-1") for name, v in headers if name == b"x-forwarded-host"]
        protos = [v.decode("latin-1") for name, v in headers if name == b"x-forwarded-proto"]
        trusted = self.clients.trusted
        own = hosts[0].decode("ascii").lower() if hosts else ""
        host = forwarded_host(peer, told, trusted) or own
        return _Head(scope, host, forwarded_proto(peer, protos, trusted) or "http")

    async def _look_up(self, head: _Head) -> HostAnswer:
        """Look up whether the host is a DNSLink website.

        Raises:
            HostUnknown: the DNS cannot be asked now.
        """
        domain = head.domain
        return _NO_WEBSITE if domain is None else await self._names.look_up_host(domain)

    async def _route_gateway(
        self, head: _Head, settings: HostSettings, gateway: str
    ) -> GatewayRequest | Answer:
        path = head.path
        if any(path == space or path.startswith(f"{space}/") for space in settings.paths):
            return _route_namespace(head, settings, gateway)
        if path.startswith(_RECORDS):
            return _route_record(head)
        if settings.dnslink and (await self._look_up(head)).is_website:
            request = _route_website(head)
            _check_format(request, settings)
            return request
        if path == "/":
            return landing_answer(is_head=head.is_head)
        raise NoSuchPage(path)


def _route_record(head: _Head) -> GatewayRequest:
    """Route a request of the delegated routing API for an IPNS record."""
    scope = head.scope
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
    types = [part.partition(";")[0].strip() for part in accept.decode("latin-1").split(",")]
    if not any(asked == _RECORD_TYPE or asked in _ANY_TYPE for asked in types):
        raise NotAcceptable(f"send Accept: {_RECORD_TYPE}")
    target = b"/ipns/" + scope["raw_path"][len(_RECORDS) :]
    request = parse_request(scope["method"], target, b"format=ipns-record", scope["headers"])
    assert isinstance(request, GatewayRequest)  # noqa: S101 (there is no `uri` in the query)
    return request


def _route_namespace(head: _Head, settings: HostSettings, gateway: str) -> GatewayRequest | Answer:
    """Route a path of a gateway with a host name of its own."""
    site = Site(SiteKind.PATH, head.host, is_trustless=not settings.deserialized)
    request = _parse(head, site)
    if isinstance(request, Redirect):
        return redirect_answer(request)
    if settings.subdomains:
        path, is_inlined = request.path, settings.inline_dnslink
        target = subdomain_redirect(path, head.query, gateway, head.scheme, is_inlined=is_inlined)
        return redirect_answer(target)
    _check_format(request, settings)
    return _canonical(request)


def _route_path(head: _Head, until: float | None) -> GatewayRequest | Answer:
    """Route a path of a gateway that has no host name of its own."""
    path = head.path
    if path.startswith(_RECORDS):
        return _route_record(head)
    if not path.startswith(_NAMESPACES):
        if path == "/":
            return landing_answer(is_head=head.is_head)
        if path.startswith("/"):
            raise NoSuchPage(path)
    request = _parse(head, Site(SiteKind.PATH, head.host, until=until))
    return redirect_answer(request) if isinstance(request, Redirect) else _canonical(request)


def _canonical(request: GatewayRequest) -> GatewayRequest | Answer:
    redirect = key_redirect(request.path, request.query)
    return request if redirect is None else redirect_answer(redirect)


def _route_website(head: _Head) -> GatewayRequest:
    """Route a path of a DNSLink website."""
    return _parse_isolated(head, Site(SiteKind.DNSLINK, head.host, root=f"/ipns/{head.domain}"))


def _route_subdomain(head: _Head, match: HostMatch) -> GatewayRequest | Answer:
    """Route a path of the website that a subdomain is."""
    settings = match.settings
    assert settings is not None  # noqa: S101 (a match with a label has them)
    if not settings.subdomains or f"/{match.namespace}" not in settings.paths:
        raise NoSuchPage(head.path)
    root, is_canonical = _find_root(match)
    request = _parse_isolated(head, Site(SiteKind.SUBDOMAIN, head.host, match.gateway, root))
    if not is_canonical:  # one host for each root, so that each root has one origin
        gateway, scheme = match.gateway, head.scheme
        return redirect_answer(
            subdomain_redirect(request.path, head.query, gateway, scheme, is_inlined=True)
        )
    _check_format(request, settings)
    return request


def _find_root(match: HostMatch) -> tuple[str, bool]:
    """Return the content path of a subdomain, and whether its label is in canonical form.

    Raises:
        BadPath: the label is neither a CID nor a name.
    """
    namespace, label = match.namespace, match.label
    root = f"/{namespace}/{label}"
    fits = len(label) <= MAX_LABEL_CHARACTERS
    try:
        cid = parse_cid(label)
    except BadCid as exc:
        if namespace == "ipfs":
            raise BadPath(root, str(exc)) from exc
        domain = parse_domain(label if "." in label else label_domain(label))
        if domain is None:
            raise BadPath(root, "neither a key nor a domain name") from exc
        return f"/ipns/{domain}", True
    return root, fits and (namespace == "ipfs" or cid.codec == LIBP2P_KEY)


def _parse(head: _Head, site: Site) -> GatewayRequest | Redirect:
    scope = head.scope
    return parse_request(
        scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], site
    )


def _parse_isolated(head: _Head, site: Site) -> GatewayRequest:
    request = _parse(head, site)
    assert isinstance(request, GatewayRequest)  # noqa: S101 (redirects are for shared origins)
    return request


def _check_format(request: GatewayRequest, settings: HostSettings) -> None:
    if not settings.deserialized and request.format not in TRUSTLESS:
        raise NotAcceptable("this host is trustless: request ?format=raw or ?format=car")
