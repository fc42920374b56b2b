"""One client's connections leave room for others."""

import logging

import pytest

from gateway.guard.addresses import TrustedProxies
from gateway.guard.connections import LOG_EVERY_S, ConnectionLimit
from tests.fakes.clock import FakeClock


def limit(most: int, room: int, clock: FakeClock | None = None) -> ConnectionLimit:
    return ConnectionLimit(most, room, TrustedProxies.parse(["10.0.0.1"]), clock or FakeClock())


def entered(connections: ConnectionLimit, peer: str | None, tries: int = 1000) -> int:
    """Try to connect so often; return how often that went well."""
    return sum(connections.enter(peer) is not None for _ in range(tries))


def test_a_client_has_as_many_as_the_setting_says() -> None:
    connections = limit(100, 10_000)
    assert entered(connections, "192.0.2.1") == 100
    assert entered(connections, "192.0.2.2") == 100


@pytest.mark.parametrize("most", [0, 1000])
def test_nobody_takes_the_room_of_all(most: int) -> None:
    connections = limit(most, 100)
    taken = [entered(connections, f"192.0.2.{number}") for number in range(9)]
    assert taken == [50, 25, 13, 6, 3, 2, 1, 0, 0]
    assert connections.total == 100


def test_a_network_of_ipv6_is_one_client() -> None:
    connections = limit(2, 100)
    assert entered(connections, "2001:db8::1") == 2
    assert entered(connections, "2001:db8::2") == 0
    assert entered(connections, "fe80::1%eth0") == 2


@pytest.mark.parametrize("peer", [None, "10.0.0.1"], ids=["unix", "trusted"])
def test_a_proxy_has_the_connections_of_many(peer: str | None) -> None:
    connections = limit(2, 100)
    assert entered(connections, peer) == 100


def test_a_connection_that_ends_makes_room() -> None:
    connections = limit(1, 10)
    client = connections.enter("192.0.2.1")
    assert client is not None
    connections.leave(client)
    assert entered(connections, "192.0.2.1") == 1
    assert connections.total == 1


def test_the_log_says_who_is_refused_but_not_each_time(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    connections = limit(1, 10, clock)
    with caplog.at_level(logging.WARNING):
        entered(connections, "192.0.2.1", 100)
        clock.advance(LOG_EVERY_S)
        entered(connections, "192.0.2.1", 100)
    assert [record.getMessage() for record in caplog.records] == [
        f"refused {count} connections since the last such line: "
        "192.0.2.1 has 1 of 1 open, 9 are free"
        for count in (1, 99)
    ]
