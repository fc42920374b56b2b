"""The sites that hosts stand for: path gateways, subdomains of gateways, and DNSLink websites.

https://specs.ipfs.tech/http-gateways/subdomain-gateway/ and `dnslink-gateway/`. Pure: the caller
resolves whether a domain has a DNSLink.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.content.path import AnyPath, escape_segment
from gateway.settings import HostSettings


class SiteKind(StrEnum):
    """The ways to address content under a host."""

    PATH = "path"
    """`/ipfs/{cid}/a`: all content has the same origin."""
    SUBDOMAIN = "subdomain"
    """`{cid}.ipfs.{gateway}/a`: each root is an origin of its own."""
    DNSLINK = "dnslink"
    """`{domain}/a`: the website of a domain."""


class Site(NamedTuple):
    """The site of a request, which determines how links are written."""

    kind: SiteKind = SiteKind.PATH
    host: str = ""
    """`host[:port]` in lower case; empty when it does not matter."""
    parent: str = ""
    """`host[:port]` of the gateway that a subdomain belongs to."""
    root: str = ""
    """Content root of an isolated site: `/ipfs/{cid}` or `/ipns/{name}`."""
    is_trustless: bool = False
    """Whether the site serves only formats that clients can verify."""
    until: float | None = None
    """Monotonic seconds until which the host is known to be this site; None for always."""

    @property
    def is_isolated(self) -> bool:
        """Whether each root has its own origin."""
        return self.kind is not SiteKind.PATH


PATH_SITE: Final = Site()


class HostMatch(NamedTuple):
    """The configured gateway that a host name belongs to."""

    settings: HostSettings | None
    """Settings of the host; None for a host that is not configured."""
    gateway: str = ""
    """`host[:port]` of the gateway."""
    namespace: str = ""
    """`ipfs` or `ipns` for a subdomain."""
    label: str = ""
    """The part of a subdomain in front of the namespace; a DNSLink name may contain dots."""


NO_MATCH: Final = HostMatch(None)
LOCALHOST: Final = "localhost"
"""Browsers resolve `*.localhost` themselves (RFC 6761, 6.3), so its subdomains always work."""


class Hosts:
    """Matches host names against the configured gateways.

    Args:
        hosts: settings by lower-case host name without port.
    """

    def __init__(self, hosts: Mapping[str, HostSettings]) -> None:
        self._exact = dict(hosts)
        self._parents = {LOCALHOST: HostSettings(), **hosts}

    def match(self, host: str) -> HostMatch:
        """Return the gateway that a host belongs to.

        Args:
            host: well-formed `host[:port]` in lower case (`gateway.protocol.host`).
        """
        name, port = split_port(host)
        settings = self._exact.get(name)
        if settings is not None:
            return HostMatch(settings, name + port)
        labels = name.split(".")
        for index in range(len(labels) - 2, 0, -1):
            if labels[index] in ("ipfs", "ipns"):
                parent = ".".join(labels[index + 1 :])
                if parent in self._parents:
                    label = ".".join(labels[:index])
                    return HostMatch(self._parents[parent], parent + port, labels[index], label)
        return NO_MATCH


def split_port(host: str) -> tuple[str, str]:
    """Split `host[:port]` into the name, without a final dot, and the port with its colon."""
    if host.startswith("["):
        name, bracket, port = host.partition("]")
        return name + bracket, port
    name, colon, port = host.partition(":")
    return name.removesuffix("."), colon + port


def url_path(site: Site, path: AnyPath) -> str:
    """Return the percent-encoded URL path of a content path on a site, without a final slash.

    Empty for the root of an isolated site.
    """
    names = path.segments if site.is_isolated else (path.namespace, path.root_text, *path.segments)
    return "".join(["/" + escape_segment(name) for name in names])
