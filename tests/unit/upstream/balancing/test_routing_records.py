"""Providers as routers tell them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.balancing.routing_records import HTTP, Provider, parse_providers, url_of


def record(*addresses: object, **more: Any) -> dict[str, Any]:
    return {"Schema": "peer", "ID": "12D3", "Protocols": [HTTP], "Addrs": list(addresses), **more}


GOOD = "/dns4/a.example/tcp/443/https"
TAKEN = [Provider("12D3", ("https://a.example:443",))]


def test_json_has_a_list() -> None:
    assert parse_providers(json.dumps({"Providers": [record(GOOD), record()]}).encode()) == TAKEN


def test_ndjson_has_a_record_on_each_line() -> None:
    data = f"{json.dumps(record(GOOD))}\n{json.dumps(record(GOOD))}\n".encode()
    assert parse_providers(data) == TAKEN * 2


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[1]", id="list"),
        pytest.param(b"{" * 10_000, id="broken"),
        pytest.param(b'{"Providers": null}', id="no-list"),
        pytest.param(b'{"Providers": [1, null]}', id="no-records"),
        pytest.param(json.dumps(record(GOOD, Protocols=["transport-bitswap"])).encode(), id="p2p"),
        pytest.param(json.dumps(record(GOOD, Protocols=None)).encode(), id="no-protocols"),
        pytest.param(json.dumps(record(GOOD, ID=7)).encode(), id="no-id"),
        pytest.param(json.dumps(record(GOOD, ID="")).encode(), id="empty-id"),
        pytest.param(json.dumps(record(GOOD, ID="12D3\r\nx: y")).encode(), id="line-ends-in-id"),
        pytest.param(json.dumps(record(GOOD, ID='12D3"')).encode(), id="quote-in-id"),
        pytest.param(json.dumps(record(GOOD, ID="12D3\u00fc")).encode(), id="utf-8-in-id"),
        pytest.param(json.dumps(record(GOOD, ID="1" * 129)).encode(), id="long-id"),
        pytest.param(json.dumps(record(7, "/p2p/x", Addrs="x")).encode(), id="odd-addresses"),
        pytest.param(json.dumps(record("/ip4/1.2.3.4/tcp/4001")).encode(), id="no-http-address"),
    ],
)
def test_what_cannot_be_used_is_left_out(data: bytes) -> None:
    assert parse_providers(data) == []


@pytest.mark.parametrize(
    ("address", "url"),
    [
        pytest.param("/dns4/a.example/tcp/443/https", "https://a.example:443", id="https"),
        pytest.param("/dns/a.example/tcp/443/tls/http", "https://a.example:443", id="tls-http"),
        pytest.param("/dns6/a.example/tcp/80/http", "http://a.example:80", id="http"),
        pytest.param("/ip4/1.2.3.4/tcp/80/http", "http://1.2.3.4:80", id="ip4"),
        pytest.param("/ip6/2606::1/tcp/80/http", "http://[2606::1]:80", id="ip6"),
        pytest.param(
            "/dns/a.example/tcp/443/tls/sni/a.example/http", "https://a.example:443", id="sni"
        ),
        pytest.param("/dns/a.example/tcp/443/tls/sni/b.example/http", "", id="another-sni"),
        pytest.param("/dns/a.example/tcp/443/https/http-path/x", "", id="path"),
        pytest.param("/dns/a.example/tcp/443/wss", "", id="wss"),
        pytest.param("/dns/a.example/udp/443/https", "", id="udp"),
        pytest.param("/dns/a.example/tcp/99999/https", "", id="port"),
        pytest.param("/dns/a b/tcp/443/https", "", id="space"),
        pytest.param("/dns/a@b/tcp/443/https", "", id="user"),
        pytest.param("/dns/a%2fb/tcp/443/https", "", id="escape"),
        pytest.param("/dns/é.example/tcp/443/https", "", id="not-ascii"),
        pytest.param("/ip4/127.1/tcp/80/http", "", id="short-address"),
        pytest.param("/dns/a.example", "", id="host-only"),
        pytest.param("dns/a.example/tcp/443/https", "", id="no-slash"),
        pytest.param(None, "", id="null"),
    ],
)
def test_url_of_a_multiaddress(address: object, url: str) -> None:
    assert url_of(address) == url


@given(st.binary(max_size=200), st.text(max_size=80))
def test_nothing_raises(data: bytes, text: str) -> None:
    parse_providers(data)
    url_of("/" + text)
