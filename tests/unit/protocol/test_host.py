import pytest

from gateway.errors import BadRequest
from gateway.protocol.host import _is_host, check_host, is_host
from tests.refusal import check_refused


@pytest.mark.parametrize(
    "host",
    [
        b"example.com",
        b"EXAMPLE.com.",
        b"127.0.0.1:8080",
        b"[::1]:8080",
        b"0",
        b"a_b.internal",
        b"xn--bcher-kva.example",
        b"x" * 253,
        b"cache_ipfs_1:8080",
        b"kubo.ipfs.svc.cluster.local.:8080",
    ],
)
def test_check_host_takes(host: bytes) -> None:
    check_host([host], is_required=True)


def test_check_host_lets_http_1_0_leave_it_out() -> None:
    check_host([], is_required=False)


@pytest.mark.parametrize(
    ("hosts", "reason"),
    [
        pytest.param([], "HTTP/1.1 requires it", id="missing"),
        pytest.param([b"a", b"b"], "the request has 2", id="two"),
        pytest.param([b"a", b"a"], "the request has 2", id="twice-the-same"),
        pytest.param([b""], "it is not host", id="empty"),
        pytest.param([b"a/b?c="], "it is not host", id="path"),
        pytest.param([b"u@b"], "it is not host", id="user"),
        pytest.param([b"a..b"], "it is not host", id="empty-label"),
        pytest.param([b"example.com.."], "it is not host", id="two-final-dots"),
        pytest.param([b"a b"], "it is not host", id="space"),
        pytest.param([b"a\n"], "it is not host", id="line-end"),
        pytest.param([b"[::1]:99999"], "it is not host", id="port"),
        pytest.param([b"a:http"], "it is not host", id="port-in-words"),
        pytest.param([b"x" * 300], "it is not host", id="300-characters"),
        pytest.param([b"\xc3\xa4.example"], "it is not host", id="raw-utf-8"),
    ],
)
def test_check_host_refuses(hosts: list[bytes], reason: str) -> None:
    check_refused(BadRequest, f"Host: {reason}", check_host, hosts, is_required=True)


def test_hosts_that_are_too_long_are_not_remembered() -> None:
    """1,024 of them, as long as a head may be, were 32 MiB (issue 12, 22)."""
    before = _is_host.cache_info().currsize
    assert not is_host(b"a" * 32_000)
    assert _is_host.cache_info().currsize == before
