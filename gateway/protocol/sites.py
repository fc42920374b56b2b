"""Under which host a request came: a path gateway, a subdomain of one, or a DNSLink site.

https://specs.ipfs.tech/http-gateways/subdomain-gateway/ and `dnslink-gateway/`. Pure: whether a
domain has a DNSLink is for the caller to find out.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.content.path import AnyPath, escape_segment
from gateway.settings import HostSettings


class SiteKind(StrEnum):
    """How content is addressed under a host."""

    PATH = "path"
    """`/ipfs/{cid}/a`: all content shares one origin."""
    SUBDOMAIN = "subdomain"
    """`{cid}.ipfs.{gateway}/a`: each root is an origin of its own."""
    DNSLINK = "dnslink"
    """`{domain}/a`: the website of a domain."""


class Site(NamedTuple):
    """Where a request came in; says how links are written there."""

    kind: SiteKind = SiteKind.PATH
    host: str = ""
    """`host[:port]` in lower case; empty when it does not matter."""
    parent: str = ""
    """Of a subdomain: `host[:port]` of the gateway that it belongs to."""
    root: str = ""
    """Of a site of its own: `/ipfs/{cid}` or `/ipns/{name}`, which its paths are below."""
    is_trustless: bool = False
    """Whether files and pages are refused there."""
    until: float | None = None
    """Monotonic seconds until when it is known that the host is this; None for always."""

    @property
    def is_isolated(self) -> bool:
        """Whether the content has an origin of its own."""
        return self.kind is not SiteKind.PATH


PATH_SITE: Final = Site()


class HostMatch(NamedTuple):
    """What a host name is to this gateway."""

    settings: HostSettings | None
    """None for a host that is not one of ours."""
    gateway: str = ""
    """`host[:port]` of the gateway."""
    namespace: str = ""
    """Of a subdomain: `ipfs` or `ipns`."""
    label: str = ""
    """Of a subdomain: what stands in front of the namespace; a DNSLink name may have dots."""


NO_MATCH: Final = HostMatch(None)
LOCALHOST: Final = "localhost"
"""Browsers resolve `*.localhost` themselves (RFC 6761, 6.3), so its subdomains always work."""


class Hosts:
    """The gateways under host names.

    Args:
        hosts: by host name in lower case, without port.
    """

    def __init__(self, hosts: Mapping[str, HostSettings]) -> None:
        self._exact = dict(hosts)
        self._parents = {LOCALHOST: HostSettings(), **hosts}

    def match(self, host: str) -> HostMatch:
        """Tell what a host is.

        Args:
            host: `host[:port]` in lower case, well-formed (`gateway.protocol.host`).
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
    """Return how a path is written in the URLs of a site: escaped, without a final slash.

    Empty for the root of a site of its own.
    """
    names = path.segments if site.is_isolated else (path.namespace, path.root_text, *path.segments)
    return "".join(["/" + escape_segment(name) for name in names])
