import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadSetting
from gateway.guard.addresses import (
    MAX_HOPS,
    NO_ADDRESS,
    TrustedProxies,
    client_address,
    forwarded_host,
    forwarded_proto,
    parse_address,
)
from tests.refusal import check_refused

PROXY = "127.0.0.1"
TRUSTED = TrustedProxies.parse(("127.0.0.1", "10.0.0.0/8", "2001:db8:ffff::/48", "unix"))
NOBODY = TrustedProxies()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("1.2.3.4", "1.2.3.4", id="v4"),
        pytest.param(" \t1.2.3.4 ", "1.2.3.4", id="blanks-around"),
        pytest.param("1.2.3.4:56", "1.2.3.4", id="v4-port"),
        pytest.param("2001:DB8::0:1", "2001:db8::1", id="v6-canonical"),
        pytest.param("[2001:db8::1]", "2001:db8::1", id="v6-brackets"),
        pytest.param("[2001:db8::1]:443", "2001:db8::1", id="v6-port"),
        pytest.param("::ffff:1.2.3.4", "1.2.3.4", id="mapped"),
        pytest.param("[::ffff:102:304]:80", "1.2.3.4", id="mapped-hex"),
    ],
)
def test_parse_address_reads(text: str, address: str) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("unknown", id="unknown"),
        pytest.param("_hidden", id="obfuscated"),
        pytest.param("fe80::1%eth0", id="zone"),
        pytest.param("[fe80::1%25eth0]:80", id="zone-brackets"),
        pytest.param("1.2.3.4\t5", id="inner-tab"),
        pytest.param("1.2.3.4\n", id="newline"),
        pytest.param("1.2.3.256", id="octet"),
        pytest.param("01.2.3.4", id="octal"),
        pytest.param("127.1", id="short-v4"),
        pytest.param("2130706433", id="number"),
        pytest.param("0x7f.0.0.1", id="hex"),
        pytest.param("\uff11.2.3.4", id="full-width"),
        pytest.param("1.2.3.4:", id="empty-port"),
        pytest.param("1.2.3.4:port", id="word-port"),
        pytest.param("[2001:db8::1", id="open-bracket"),
        pytest.param("10.0.0.0/8", id="network"),
        pytest.param("1" * 5000, id="long"),
    ],
)
def test_parse_address_refuses(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("peer", "values", "client"),
    [
        pytest.param(PROXY, [], PROXY, id="no-field"),
        pytest.param(PROXY, ["1.2.3.4"], "1.2.3.4", id="one"),
        pytest.param(PROXY, ["6.6.6.6, 1.2.3.4"], "1.2.3.4", id="client-wrote-first"),
        pytest.param(PROXY, ["6.6.6.6", "1.2.3.4"], "1.2.3.4", id="two-fields"),
        pytest.param(PROXY, ["1.2.3.4, 10.9.9.9"], "1.2.3.4", id="through-two-proxies"),
        pytest.param(PROXY, ["6.6.6.6, 1.2.3.4, 10.9.9.9,10.8.8.8"], "1.2.3.4", id="three"),
        pytest.param(PROXY, ["10.1.1.1, 10.2.2.2"], "10.1.1.1", id="all-trusted-leftmost"),
        pytest.param(PROXY, ["1.2.3.4:56"], "1.2.3.4", id="port"),
        pytest.param(PROXY, ["::ffff:1.2.3.4"], "1.2.3.4", id="mapped"),
        pytest.param(PROXY, ["unknown"], PROXY, id="unknown"),
        pytest.param(PROXY, ["1.2.3.4, unknown"], PROXY, id="garbage-right-stops"),
        pytest.param(PROXY, ["1.2.3.4, fe80::1%eth0, 10.1.1.1"], "10.1.1.1", id="last-valid"),
        pytest.param(PROXY, ["1.2.3.4,"], PROXY, id="empty-entry"),
        pytest.param(PROXY, [""], PROXY, id="empty"),
        pytest.param(PROXY, ["\t1.2.3.4\t"], "1.2.3.4", id="tabs"),
        pytest.param(PROXY, ["\x00\xff"], PROXY, id="binary"),
        pytest.param(PROXY, ["127.0.0.1"], "127.0.0.1", id="says-loopback"),
        pytest.param(PROXY, [", ".join(["6.6.6.6"] * 1000)], "6.6.6.6", id="thousand"),
        pytest.param("9.9.9.9", ["1.2.3.4"], "9.9.9.9", id="untrusted-peer"),
        pytest.param("9.9.9.9", ["127.0.0.1"], "9.9.9.9", id="untrusted-says-loopback"),
        pytest.param("::ffff:127.0.0.1", ["1.2.3.4"], "1.2.3.4", id="mapped-peer-is-trusted"),
        pytest.param("2001:db8:ffff::1", ["2001:db8::7"], "2001:db8::7", id="v6-proxy"),
        pytest.param("fe80::1%eth0", [], "fe80::1", id="link-local-peer"),
        pytest.param("testclient", ["1.2.3.4"], NO_ADDRESS, id="peer-no-address"),
        pytest.param(None, ["1.2.3.4"], "1.2.3.4", id="unix"),
        pytest.param(None, ["unknown"], NO_ADDRESS, id="unix-garbage"),
        pytest.param(None, [], NO_ADDRESS, id="unix-no-field"),
    ],
)
def test_client_address(peer: str | None, values: list[str], client: str) -> None:
    assert client_address(peer, values, TRUSTED) == client


@pytest.mark.parametrize("peer", [pytest.param(PROXY, id="ip"), pytest.param(None, id="unix")])
def test_client_address_ignores_the_field_when_nobody_is_trusted(peer: str | None) -> None:
    assert client_address(peer, ["1.2.3.4"], NOBODY) == (peer or NO_ADDRESS)


def test_client_address_stops_after_the_longest_believable_chain() -> None:
    chain = ["1.2.3.4", *["10.0.0.1"] * (MAX_HOPS - 1)]
    assert client_address(PROXY, [",".join(chain)], TRUSTED) == "1.2.3.4"
    assert client_address(PROXY, [",".join([*chain, *["10.0.0.1"] * 5])], TRUSTED) == "10.0.0.1"


ADDRESSES = st.ip_addresses().map(str)


@pytest.mark.property
@given(st.lists(st.text() | ADDRESSES, max_size=40), ADDRESSES | st.none() | st.text())
def test_client_address_is_always_a_canonical_address(values: list[str], peer: str | None) -> None:
    client = client_address(peer, values, TRUSTED)
    assert client == NO_ADDRESS or str(ipaddress.ip_address(client)) == client


@pytest.mark.property
@given(st.text(max_size=300), ADDRESSES)
def test_what_a_client_writes_never_changes_who_it_is(spoofed: str, client: str) -> None:
    """The proxy appends the address that it saw; the client wrote the rest."""
    seen = client_address(PROXY, [f"{spoofed}, {client}"], TrustedProxies.parse([PROXY]))
    assert seen == client_address(client, [], NOBODY) or client == PROXY


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("localhost", id="name"),
        pytest.param("*", id="star"),
        pytest.param("10.0.0.1/8", id="host-bits"),
        pytest.param("10.0.0.0/33", id="prefix"),
        pytest.param("127.0.0.1:80", id="port"),
        pytest.param(" unix", id="blank"),
    ],
)
def test_trusted_proxies_refuse_and_name_the_setting(text: str) -> None:
    check_refused(
        BadSetting, r"server\.trusted_proxies: .* is not an address", TrustedProxies.parse, [text]
    )


@pytest.mark.parametrize(
    ("values", "host"),
    [
        pytest.param(["Example.COM"], "example.com", id="lower-case"),
        pytest.param(["example.com:8443"], "example.com:8443", id="port"),
        pytest.param(["[::1]:80"], "[::1]:80", id="v6"),
        pytest.param(["192.0.2.1"], "192.0.2.1", id="v4"),
        pytest.param(["evil.com, example.com"], "example.com", id="last-of-list"),
        pytest.param(["evil.com", "example.com"], "example.com", id="last-field"),
        pytest.param(["cache_ipfs_1:80"], "cache_ipfs_1:80", id="underscore"),
        pytest.param(["a.svc.local."], "a.svc.local.", id="final-dot"),
        # The host itself says that this is too long a label (issue 12, 15), as without a proxy.
        pytest.param(["b" * 64 + ".ipfs.a"], "b" * 64 + ".ipfs.a", id="long-label"),
        pytest.param(["a:99999"], None, id="no-port"),
        pytest.param([], None, id="none"),
        pytest.param([""], None, id="empty"),
        pytest.param(["a b"], None, id="blank"),
        pytest.param(["a/b?c="], None, id="path"),
        pytest.param(["u@b"], None, id="user"),
        pytest.param(["a\r\nSet-Cookie: x"], None, id="crlf"),
        pytest.param(["<script>"], None, id="markup"),
        pytest.param(["a..b"], None, id="empty-label"),
        pytest.param(["\u0435xample.com"], None, id="non-ascii"),
        pytest.param(["a." * 200 + "com"], None, id="long"),
    ],
)
def test_forwarded_host(values: list[str], host: str | None) -> None:
    assert forwarded_host(PROXY, values, TRUSTED) == host
    assert forwarded_host("9.9.9.9", values, TRUSTED) is None


@pytest.mark.parametrize(
    ("values", "proto"),
    [
        pytest.param(["https"], "https", id="https"),
        pytest.param(["HTTP"], "http", id="upper-case"),
        pytest.param(["javascript, https"], "https", id="last"),
        pytest.param(["javascript"], None, id="javascript"),
        pytest.param(["ws"], None, id="ws"),
        pytest.param([], None, id="none"),
    ],
)
def test_forwarded_proto(values: list[str], proto: str | None) -> None:
    assert forwarded_proto(None, values, TRUSTED) == proto
    assert forwarded_proto("9.9.9.9", values, TRUSTED) is None
