"""Where strangers may send us."""

import pytest

from gateway.net.public_address import is_public


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("1.1.1.1", id="v4"),
        pytest.param("2606:4700:4700::1111", id="v6"),
        pytest.param("64:ff9b::101:101", id="nat64-of-public"),
        pytest.param("2002:101:101::1", id="6to4-of-public"),
    ],
)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("127.8.8.8", id="loopback-net"),
        pytest.param("0.0.0.0", id="any"),  # noqa: S104 (refused, not listened on)
        pytest.param("10.1.2.3", id="rfc1918-10"),
        pytest.param("172.16.0.1", id="rfc1918-172"),
        pytest.param("192.168.1.1", id="rfc1918-192"),
        pytest.param("169.254.169.254", id="cloud-metadata"),
        pytest.param("100.64.0.1", id="carrier-nat"),
        pytest.param("192.0.2.1", id="documentation"),
        pytest.param("198.18.0.1", id="benchmarks"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("::1", id="v6-loopback"),
        pytest.param("::", id="v6-any"),
        pytest.param("fe80::1", id="link-local"),
        pytest.param("fe80::1%eth0", id="zone"),
        pytest.param("2606:4700:4700::1111%1", id="public-zone"),
        pytest.param("fd00::1", id="unique-local"),
        pytest.param("ff02::1", id="v6-multicast"),
        pytest.param("2001:db8::1", id="v6-documentation"),
        pytest.param("::ffff:127.0.0.1", id="mapped"),
        pytest.param("::ffff:10.0.0.1", id="mapped-private"),
        pytest.param("::127.0.0.1", id="compatible"),
        pytest.param("64:ff9b::7f00:1", id="nat64-of-loopback"),
        pytest.param("64:ff9b::a9fe:a9fe", id="nat64-of-metadata"),
        pytest.param("2002:7f00:1::1", id="6to4-of-loopback"),
        pytest.param("2001:0:1::1", id="teredo"),
        pytest.param("fec0::1", id="site-local"),
        pytest.param("feff:ffff::1", id="last-site-local"),
        pytest.param("::ffff:0:7f00:1", id="translated"),
        pytest.param("::ffff:0:101:101", id="translated-of-public"),
        pytest.param("localhost", id="name"),
        pytest.param("127.1", id="short"),
        pytest.param("0x7f000001", id="hexadecimal"),
        pytest.param("", id="empty"),
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(address)
