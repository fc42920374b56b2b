"""Where a Kubo node of the benchmarks must not connect to."""

import ipaddress

import pytest

from benchmarks.rig.swarm import ELSEWHERE


def is_forbidden(address: str) -> bool:
    wanted = ipaddress.ip_address(address)
    found = [filter_.split("/") for filter_ in ELSEWHERE]
    return any(wanted in ipaddress.ip_network(f"{part[2]}/{part[4]}") for part in found)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.255.255.255"])
def test_loopback_is_open(address: str) -> None:
    assert not is_forbidden(address)


@pytest.mark.parametrize(
    "address", ["0.0.0.1", "126.255.255.255", "128.0.0.0", "192.168.1.1", "255.255.255.255", "::1"]
)
def test_all_else_is_forbidden(address: str) -> None:
    assert is_forbidden(address)
