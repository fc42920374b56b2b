"""Which host is what, and how paths are written there."""

import pytest

from gateway.content.path import parse_path
from gateway.protocol.sites import (
    NO_MATCH,
    PATH_SITE,
    HostMatch,
    Hosts,
    Site,
    SiteKind,
    split_port,
    url_path,
)
from gateway.settings import HostSettings

GATEWAY = HostSettings(inline_dnslink=False)
HOSTS = Hosts({"example.com": GATEWAY, "ipfs.example.net": HostSettings(paths=("/ipfs",))})


@pytest.mark.parametrize(
    ("host", "match"),
    [
        pytest.param("example.com", HostMatch(GATEWAY, "example.com"), id="gateway"),
        pytest.param("example.com:80", HostMatch(GATEWAY, "example.com:80"), id="port"),
        pytest.param("example.com.:80", HostMatch(GATEWAY, "example.com:80"), id="final-dot"),
        pytest.param(
            "bafkqaaa.ipfs.example.com:80",
            HostMatch(GATEWAY, "example.com:80", "ipfs", "bafkqaaa"),
            id="subdomain",
        ),
        pytest.param(
            "en.wiki.org.ipns.example.com",
            HostMatch(GATEWAY, "example.com", "ipns", "en.wiki.org"),
            id="dotted-name",
        ),
        pytest.param(
            "a.ipns.b.ipns.example.com",
            HostMatch(GATEWAY, "example.com", "ipns", "a.ipns.b"),
            id="namespace-in-a-name",
        ),
        pytest.param("bafkqaaa.ipfs.example.org", NO_MATCH, id="not-ours"),
        pytest.param("ipfs.example.com", NO_MATCH, id="no-label"),
        pytest.param("x.p2p.example.com", NO_MATCH, id="other-namespace"),
        pytest.param("localhost:8080", NO_MATCH, id="localhost-by-path"),
        pytest.param(
            "bafkqaaa.ipfs.localhost:8080",
            HostMatch(HostSettings(), "localhost:8080", "ipfs", "bafkqaaa"),
            id="localhost-by-subdomain",
        ),
        pytest.param("127.0.0.1:8080", NO_MATCH, id="address"),
        pytest.param("[::1]:8080", NO_MATCH, id="address-6"),
        pytest.param("", NO_MATCH, id="none"),
    ],
)
def test_a_host_is_known_by_its_name(host: str, match: HostMatch) -> None:
    assert HOSTS.match(host) == match


def test_localhost_can_be_configured_like_any_other() -> None:
    assert Hosts({"localhost": GATEWAY}).match("localhost:1") == HostMatch(GATEWAY, "localhost:1")


@pytest.mark.parametrize(
    ("host", "parts"),
    [
        pytest.param("a.b:80", ("a.b", ":80"), id="port"),
        pytest.param("a.b", ("a.b", ""), id="no-port"),
        pytest.param("[::1]:80", ("[::1]", ":80"), id="ipv6"),
        pytest.param("[::1]", ("[::1]", ""), id="ipv6-no-port"),
    ],
)
def test_a_port_is_split_off(host: str, parts: tuple[str, str]) -> None:
    assert split_port(host) == parts


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        pytest.param("path", "/ipfs/bafkqaaa/a b/%2F/", "/ipfs/bafkqaaa/a%20b/%2F", id="path"),
        pytest.param("subdomain", "/ipfs/bafkqaaa/a b/", "/a%20b", id="subdomain"),
        pytest.param("dnslink", "/ipns/example.com/ä", "/%C3%A4", id="dnslink"),
        pytest.param("dnslink", "/ipns/example.com/", "", id="root"),
    ],
)
def test_a_path_is_written_as_its_site_has_it(kind: str, path: str, expected: str) -> None:
    site = Site(SiteKind(kind), "example.com")
    assert url_path(site, parse_path(path.replace(" ", "%20").encode())) == expected
    assert site.is_isolated == (kind != "path")


def test_a_path_gateway_shares_its_origin() -> None:
    assert not PATH_SITE.is_isolated
