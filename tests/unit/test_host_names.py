"""Names of hosts: one grammar for settings, requests and DNSLinks (issue 12, 15)."""

import pytest

from gateway.host_names import canonical_host, parse_domain


@pytest.mark.parametrize(
    ("text", "host"),
    [
        pytest.param("Example.COM", "example.com", id="case"),
        pytest.param("kubo.ipfs.svc.cluster.local.", "kubo.ipfs.svc.cluster.local", id="final-dot"),
        pytest.param("cache_ipfs_1", "cache_ipfs_1", id="underscore"),
        pytest.param("localhost", "localhost", id="one-label"),
        pytest.param("a" * 63 + ".b", "a" * 63 + ".b", id="longest-label"),
        pytest.param("", None, id="empty"),
        pytest.param(".", None, id="dot"),
        pytest.param("a..", None, id="two-final-dots"),
        pytest.param("a..b", None, id="empty-label"),
        pytest.param("a-.b", None, id="dash-last"),
        pytest.param("\u212aubo.example", None, id="kelvin-sign"),
        pytest.param("a.b\n", None, id="newline"),
        pytest.param("a.b:80", None, id="port"),
    ],
)
def test_a_host_has_one_spelling(text: str, host: str | None) -> None:
    assert canonical_host(text) == host


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        pytest.param("En.Wikipedia-on-ipfs.ORG", "en.wikipedia-on-ipfs.org", id="case"),
        pytest.param("example.com.", "example.com", id="final-dot"),
        pytest.param("_dnslink.example.com", "_dnslink.example.com", id="underscore"),
        pytest.param("127.0.0.1", None, id="ipv4"),
        pytest.param("1.2", None, id="numeric"),
        pytest.param("example", None, id="one-label"),
        pytest.param("a..b", None, id="empty-label"),
        pytest.param("-a.b", None, id="dash-first"),
        pytest.param("a" * 64 + ".b", None, id="long-label"),
        pytest.param("a." * 126 + "bc", None, id="254-characters"),
        pytest.param("ä.example", None, id="not-ascii"),
    ],
)
def test_parse_domain(text: str, domain: str | None) -> None:
    assert parse_domain(text) == domain
