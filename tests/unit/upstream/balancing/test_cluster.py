"""The cluster: nodes that come and go, who is to hold what, and how it is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.background import Background
from gateway.content.cid import parse_cid
from gateway.errors import BadSetting
from gateway.ports import Choice
from gateway.settings import ClusterSettings, UpstreamSettings
from gateway.upstream.balancing.cluster import Cluster, match_peers
from gateway.upstream.balancing.cluster_records import ClusterPeer
from gateway.upstream.balancing.pool import UpstreamPool
from tests.fakes.clock import FakeClock
from tests.fakes.cluster_api import ClusterApi, peer
from tests.fakes.observer import RecordingObserver

CID = parse_cid("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")
NODE = "/ip4/10.0.0.{}/tcp/4001"
ONE, TWO = peer("one", NODE.format(1)), peer("two", NODE.format(2))
CONFIGURED = UpstreamSettings(name="one", url="http://gateway.one:8080", tier="cluster")


class Bench:
    """A cluster of two peers, one of them in the configuration."""

    def __init__(self, api: ClusterApi) -> None:
        self.api = api
        self.clock = FakeClock()
        self.pool = UpstreamPool([CONFIGURED], self.clock, RecordingObserver())
        self.cluster = Cluster(ClusterSettings(api=api.url), self.pool, self.clock)

    def urls(self) -> dict[str, str]:
        return {upstream.name: upstream.url for upstream, _ in self.pool.states()}


@pytest.fixture(name="bench")
async def bench_fixture() -> AsyncIterator[Bench]:
    async with ClusterApi([ONE, TWO], {str(CID): ["id-of-two"]}) as api:
        bench = Bench(api)
        yield bench
        await bench.cluster.close()


async def test_nodes_that_are_not_configured_are_found(bench: Bench) -> None:
    await bench.cluster.refresh()
    assert bench.urls() == {"one": "http://gateway.one:8080", "two": "http://10.0.0.2:8080"}
    assert [upstream.tier for upstream, _ in bench.pool.states()] == ["cluster", "cluster"]


async def test_an_address_that_is_none_is_left_out(bench: Bench) -> None:
    """issue 12, 12."""
    bad = ("/dns4/a..b/tcp/4001", "/dns4/kubo:8080/tcp/4001", "/ip6/nonsense/tcp/4001")
    bench.api.peers = [ONE, peer("two", *bad, NODE.format(2)), peer("three", *bad)]
    await bench.cluster.refresh()
    assert bench.urls() == {"one": "http://gateway.one:8080", "two": "http://10.0.0.2:8080"}


def test_no_two_nodes_are_called_the_same() -> None:
    peers = [ClusterPeer(f"{n}-the-same-end", "same", hosts=("10.0.0.1",)) for n in range(3)]
    nodes = match_peers([], peers, ClusterSettings())
    assert nodes.names == {
        "0-the-same-end": "same",
        "1-the-same-end": "the-same-end",
        "2-the-same-end": "2-the-same-end",
    }


async def test_a_node_that_comes_is_asked_and_one_that_goes_is_not(bench: Bench) -> None:
    await bench.cluster.refresh()
    exchange = bench.pool.ask(Choice("two", "first"), "raw")
    bench.api.peers = [ONE, peer("three", NODE.format(3))]
    bench.clock.advance(29)
    await bench.cluster.refresh()
    assert set(bench.urls()) == {"one", "two", "three"}
    bench.clock.advance(1)
    await bench.cluster.refresh()
    assert set(bench.urls()) == {"one", "three"}
    exchange.delivered()
    exchange.close()
    assert bench.pool.find("two") is None


async def test_a_node_that_stays_keeps_its_figures(bench: Bench) -> None:
    await bench.cluster.refresh()
    bench.pool.ask(Choice("two", "first"), "raw").close()
    await bench.cluster.refresh()
    assert [row["requests"] for row in bench.pool.rows()] == [0, 1]


async def test_it_is_known_who_is_to_hold_a_cid(bench: Bench) -> None:
    await bench.cluster.refresh()
    assert await bench.cluster.allocated(CID) == {"two"}
    assert await bench.cluster.allocated(parse_cid("bafkqaaa")) == set()
    bench.api.status = 500
    assert await bench.cluster.allocated(CID) == ()


async def test_it_is_followed_from_the_start(bench: Bench) -> None:
    bench.cluster.start(Background(bench.clock))
    async with asyncio.timeout(5):
        while "two" not in bench.urls():  # noqa: ASYNC110 (nobody tells when it was read)
            await asyncio.sleep(0.001)


async def test_how_the_cluster_is(bench: Bench) -> None:
    assert bench.cluster.condition() == ("unhealthy", "the API of the cluster was not asked yet")
    await bench.cluster.refresh()
    assert bench.cluster.condition() == ("healthy", "2 peers in the cluster")
    bench.api.peers = [ONE, peer("two", ipfs_error="refused")]
    await bench.cluster.refresh()
    assert bench.cluster.condition() == ("degraded", "1 of 2 peers have problems: two (refused)")
    bench.api.peers = [peer("one", error="x"), peer("two", error="y")]
    await bench.cluster.refresh()
    assert bench.cluster.condition().status == "unhealthy"


async def test_a_peer_that_is_missing_is_told(bench: Bench) -> None:
    await bench.cluster.refresh()
    bench.api.peers = [ONE]
    bench.clock.advance(15)
    await bench.cluster.refresh()
    assert bench.cluster.condition() == ("degraded", "1 of 2 peers have problems: two (gone)")


async def test_nodes_stay_while_the_api_is_away(bench: Bench) -> None:
    await bench.cluster.refresh()
    bench.api.status = 503
    bench.clock.advance(3600)
    await bench.cluster.refresh()
    assert set(bench.urls()) == {"one", "two"}
    assert bench.cluster.condition() == (
        "degraded",
        "the API of the cluster answered with status 503",
    )


PEER = ClusterPeer("12D3KooWid-of-node", "node", "kubo", hosts=("10.0.0.1", "127.0.0.1"))


@pytest.mark.parametrize(
    ("upstream", "name"),
    [
        pytest.param({"name": "node"}, "node", id="by-name"),
        pytest.param({"name": "x", "peer": "node"}, "x", id="by-peer-name"),
        pytest.param({"name": "x", "peer": PEER.id}, "x", id="by-peer-id"),
        pytest.param({"name": "x", "peer": "kubo"}, "x", id="by-kubo-id"),
        pytest.param({"name": "x", "url": "http://10.0.0.1:8080"}, "x", id="by-address"),
    ],
)
def test_an_upstream_of_the_configuration_is_found(upstream: dict[str, str], name: str) -> None:
    configured = UpstreamSettings(**{"url": "http://a", **upstream})  # type: ignore[arg-type]  # texts
    nodes = match_peers([configured], [PEER], ClusterSettings())
    assert nodes == ([], {PEER.id: name})


@pytest.mark.parametrize(
    "upstream",
    [
        pytest.param({"name": "node", "peer": "other"}, id="of-another-peer"),
        pytest.param({"name": "x", "url": "http://10.0.0.1:9999"}, id="another-port"),
    ],
)
def test_another_upstream_is_not_taken_for_it(upstream: dict[str, str]) -> None:
    configured = UpstreamSettings(**{"url": "http://a", **upstream})  # type: ignore[arg-type]  # texts
    nodes = match_peers([configured], [PEER], ClusterSettings())
    assert [(one.name, one.url) for one in nodes.discovered] == [
        ("oWid-of-node" if upstream["name"] == "node" else "node", "http://10.0.0.1:8080")
    ]


@pytest.mark.parametrize(
    ("peer_", "settings"),
    [
        pytest.param(PEER, ClusterSettings(gateway_port=0), id="turned-off"),
        pytest.param(ClusterPeer("id", "node"), ClusterSettings(), id="no-address"),
        pytest.param(
            ClusterPeer("id", "node", error="x", hosts=("a",)), ClusterSettings(), id="not-well"
        ),
    ],
)
def test_some_peers_are_no_upstreams(peer_: ClusterPeer, settings: ClusterSettings) -> None:
    assert match_peers([], [peer_], settings) == ([], {})


def test_certificates_that_cannot_be_read_are_a_wrong_setting(tmp_path: Path) -> None:
    pool = UpstreamPool([], FakeClock(), RecordingObserver())
    settings = ClusterSettings(api="https://a", authority=str(tmp_path / "none.pem"))
    with pytest.raises(BadSetting, match=r"cluster.authority: .*none.pem: "):
        Cluster(settings, pool, FakeClock())


def test_certificates_in_what_is_no_file_are_a_wrong_setting() -> None:
    """Issue 12, 8: OpenSSL reads a device without an end for ever."""
    pool = UpstreamPool([], FakeClock(), RecordingObserver())
    settings = ClusterSettings(api="https://a", authority="/dev/full")
    with pytest.raises(BadSetting, match=r"cluster.authority: /dev/full: Not a regular file"):
        Cluster(settings, pool, FakeClock())
