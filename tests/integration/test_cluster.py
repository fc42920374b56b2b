"""A real cluster of three: what is pinned on one node is fetched from that node."""

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rig.harness import NotStarted, ipfs
from tests.integration.cluster_stack import Node, running_cluster
from tests.integration.conftest import Gateway, fetch, gateway, peers_or_skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.xdist_group("cluster")]

ABSENT = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
HEALTHY_S, ILL_S = 15.0, 30.0


@pytest.fixture(name="nodes", scope="module")
def nodes_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with peers_or_skip(), running_cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@pytest.fixture(name="running")
def running_fixture(nodes: list[Node], folder: Path) -> Iterator[Gateway]:
    upstreams = "".join(
        f'[[upstreams]]\nname = "{node.name}"\nurl = "{node.kubo.url}"\ntier = "cluster"\n'
        for node in nodes
    )
    cluster = f'[cluster]\napi = "{nodes[0].peer.url}"\nsearch = false\n'
    with gateway(folder, extra=f"{cluster}{upstreams}") as running:
        until(lambda: health(running)["status"] == "healthy", HEALTHY_S)
        yield running


def health(running: Gateway) -> Any:
    return json.loads(fetch(f"{running.admin}/health/cluster").body)


def until(is_so: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def make_file(folder: Path, seed: int, size: int = 3_000_000) -> Path:
    path = folder / f"file-{seed}"
    path.write_bytes(random.Random(seed).randbytes(size))  # noqa: S311 (test data)
    return path


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_cid_is_fetched_from_the_node_that_holds_it(
    nodes: list[Node], running: Gateway, folder: Path, number: int
) -> None:
    file = make_file(folder, number)
    cid = nodes[number].add(file)
    answer = running.get(f"/ipfs/{cid}")
    assert (answer.status, answer.size) == (200, 3_000_000)
    assert f'"{nodes[number].name} holder"' in answer.headers["server-timing"]
    asked = {row["name"] for row in running.api("upstreams") if row["requests"]}
    assert asked == {nodes[number].name}
    for node in nodes:
        if node is not nodes[number]:
            with pytest.raises(NotStarted, match="not found"):
                ipfs("--offline", "block", "stat", cid, folder=node.folder)


def test_what_no_node_holds_is_404_at_once(running: Gateway) -> None:
    started = time.monotonic()
    first = running.get(f"/ipfs/{ABSENT}")
    first_s = time.monotonic() - started
    assert first.status == 404
    assert b"upstream node2 (head): does not hold" in first.body
    assert first_s < 2
    assert running.get(f"/ipfs/{ABSENT}").status == 404


def test_what_appears_is_served_within_5_s(
    nodes: list[Node], running: Gateway, folder: Path
) -> None:
    file = make_file(folder, 7)
    cid = ipfs(
        "add", "-Q", "--cid-version=1", "--raw-leaves", "--only-hash", file, folder=nodes[1].folder
    )
    assert running.get(f"/ipfs/{cid}").status == 404
    assert nodes[1].add(file) == cid
    started = time.monotonic()
    until(lambda: running.get(f"/ipfs/{cid}").status == 200, 5)
    assert time.monotonic() - started < 5
