"""Records of a cluster's API, good and odd."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.balancing.cluster_records import (
    ClusterPeer,
    host_of,
    parse_allocations,
    parse_peers,
)
from tests.fakes.cluster_api import peer


def test_peers_are_a_stream_of_records() -> None:
    records = [
        peer("node0", "/ip4/127.0.0.1/tcp/4001", "/ip4/10.0.0.1/tcp/4001"),
        peer("node1", "/ip6/fd00::1/udp/4001/quic-v1", ipfs_error="connection refused"),
        peer("node2", error="context deadline exceeded"),
    ]
    data = "\n".join(json.dumps(record) for record in records).encode()
    assert parse_peers(data) == [
        ClusterPeer("id-of-node0", "node0", "kubo-of-node0", hosts=("10.0.0.1", "127.0.0.1")),
        ClusterPeer("id-of-node1", "node1", "kubo-of-node1", "connection refused", ("[fd00::1]",)),
        ClusterPeer("id-of-node2", "node2", "kubo-of-node2", "context deadline exceeded"),
    ]


def test_peers_may_be_a_list() -> None:
    assert [p.name for p in parse_peers(json.dumps([peer("a"), peer("b")]).encode())] == ["a", "b"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="html"),
        pytest.param(b"[[", id="cut-short"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"[1, null, []]", id="no-records"),
        pytest.param(b'{"peername": "a"}', id="no-id"),
        pytest.param(b'{"id": 7}', id="id-is-a-number"),
        pytest.param(b'{"id": "a\\r\\nx: y"}', id="id-with-line-ends"),
        pytest.param(b'{"id": "\\""}', id="id-with-a-quote"),
    ],
)
def test_what_is_no_peer_is_left_out(data: bytes) -> None:
    assert parse_peers(data) == []


def test_a_peer_with_odd_parts_is_what_is_left_of_it() -> None:
    data = b'{"id": "x", "peername": 3, "ipfs": {"addresses": [1, "/tcp/1", "x", ""], "id": []}}'
    assert parse_peers(data) == [ClusterPeer("x", "x")]
    assert parse_peers(b'{"id": "x", "ipfs": [], "error": {}}') == [ClusterPeer("x", "x")]


def test_a_name_that_is_not_printable_is_no_name() -> None:
    assert parse_peers(b'{"id": "x", "peername": "a\\u0000b"}') == [ClusterPeer("x", "x")]


@pytest.mark.parametrize(
    ("data", "peers"),
    [
        pytest.param(b'{"allocations": ["a", "b"]}', ("a", "b"), id="some"),
        pytest.param(b'{"allocations": []}', (), id="all"),
        pytest.param(b'{"allocations": null}', (), id="null"),
        pytest.param(b'{"allocations": ["a", 1]}', ("a",), id="odd"),
        pytest.param(b"", (), id="nothing"),
    ],
)
def test_allocations(data: bytes, peers: tuple[str, ...]) -> None:
    assert parse_allocations(data) == peers


@pytest.mark.parametrize(
    ("address", "host"),
    [
        pytest.param("/ip4/10.0.0.1/tcp/4001/p2p/x", "10.0.0.1", id="ip4"),
        pytest.param("/ip6/::1/tcp/4001", "[::1]", id="ip6"),
        pytest.param("/dns4/node.example/tcp/4001", "node.example", id="dns"),
        pytest.param("/dns4/a..b/tcp/4001", "", id="empty-label"),
        pytest.param("/dns4/kubo:8080/tcp/4001", "", id="name-with-port"),
        pytest.param("/dns4/me@node.example/tcp/4001", "", id="name-with-user"),
        pytest.param("/dns4/a b/tcp/4001", "", id="name-with-blank"),
        pytest.param("/dns4/" + "a" * 64 + ".b/tcp/4001", "", id="label-too-long"),
        pytest.param("/dns4/\u00fc\ud800.example/tcp/4001", "", id="no-ascii"),
        pytest.param("/ip6/nonsense/tcp/4001", "", id="no-address"),
        pytest.param("/ip6/10.0.0.1/tcp/4001", "", id="address-of-the-other-kind"),
        pytest.param("/ip4/0.0.0.0/tcp/4001", "", id="unspecified"),
        pytest.param("/ip4/224.0.0.1/tcp/4001", "", id="multicast"),
        pytest.param("/ip6/fe80::1/tcp/4001", "", id="link-local"),
        pytest.param("/ip6/fd00::1%eth0/tcp/4001", "", id="with-interface"),
        pytest.param("/p2p/x/p2p-circuit", "", id="relay"),
        pytest.param("", "", id="empty"),
        pytest.param(None, "", id="null"),
    ],
)
def test_host_of_a_multiaddress(address: object, host: str) -> None:
    assert host_of(address) == host


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    parse_peers(data)
    parse_allocations(data)
