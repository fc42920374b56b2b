"""Clients of three continents, placed by a real GeoIP database, and who serves them."""

from pathlib import Path

import pytest

from gateway.errors import BlockMismatch
from gateway.ops.geo import GeoDatabase
from gateway.settings import UpstreamSettings
from gateway.upstream.balancing.pool import UpstreamPool
from tests.fakes.clock import FakeClock
from tests.fakes.observer import RecordingObserver

DATABASE = Path(__file__).parents[3] / "data" / "maxmind" / "GeoIP2-City-Test.mmdb"
SWEDEN, JAPAN, AMERICA = "89.160.20.112", "2001:218::1", "216.160.83.56"


def node(name: str, latitude: float, longitude: float, country: str) -> UpstreamSettings:
    return UpstreamSettings(
        name=name,
        url=f"http://{name}",
        tier="cluster",
        country=country,
        latitude=latitude,
        longitude=longitude,
    )


UPSTREAMS = (
    UpstreamSettings(name="public", url="https://public"),
    node("tokyo", 35.68, 139.69, "JP"),
    node("seattle", 47.6, -122.3, "US"),
    node("stockholm", 59.33, 18.07, "SE"),
)


@pytest.mark.parametrize(
    ("client", "order"),
    [
        pytest.param(SWEDEN, ["stockholm", "seattle", "tokyo", "public"], id="sweden"),
        pytest.param(JAPAN, ["tokyo", "seattle", "stockholm", "public"], id="japan"),
        pytest.param(AMERICA, ["seattle", "stockholm", "tokyo", "public"], id="america"),
    ],
)
def test_the_nearest_healthy_node_serves_and_a_public_one_last(
    client: str, order: list[str]
) -> None:
    clock = FakeClock()
    pool = UpstreamPool(UPSTREAMS, clock, RecordingObserver())
    place = GeoDatabase(str(DATABASE), clock).find(client)
    chosen = []
    for _ in order:
        choice = pool.choose(place)
        assert choice is not None
        chosen.append(choice.upstream)
        exchange = pool.ask(choice, "raw")
        exchange.failed(BlockMismatch("cid", choice.upstream))  # it is ejected
        exchange.close()
    assert chosen == order
