"""Three real Kubo nodes and three IPFS Cluster peers on loopback; pins are on one node each."""

import json
import secrets
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rig.harness import (
    Server,
    free_port,
    ipfs,
    program,
    running,
    running_kubo,
)
from benchmarks.rig.swarm import make_swarm_repository

SIZE = 3
CLUSTER_HINT = "https://ipfscluster.io/download/"


@dataclass(frozen=True, slots=True)
class Node:
    """A Kubo node with its cluster peer."""

    name: str
    folder: Path
    kubo: Server
    """Its URL is that of the gateway."""
    peer: Server
    """Its URL is that of the cluster's REST API."""

    def add(self, file: Path) -> str:
        """Add a file on this node, and pin it in the cluster by this peer: it holds it, alone."""
        cid = ipfs(
            "add", "-Q", "--cid-version=1", "--raw-leaves", "--pin=false", file, folder=self.folder
        )
        self.call("POST", f"/pins/{cid}?user-allocations={_identity(self.folder)}")
        return cid

    def call(self, method: str, path: str) -> Any:
        """Ask the REST API; a stream of JSON comes as a list."""
        request = urllib.request.Request(self.peer.url + path, method=method)  # noqa: S310 (http:// of ours)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return [json.loads(line) for line in answer.read().splitlines()]


@contextmanager
def running_cluster(folder: Path) -> Iterator[list[Node]]:
    """Run the nodes and the peers.

    Raises:
        Missing: a program is not here.
    """
    program("ipfs-cluster-service", CLUSTER_HINT)
    with ExitStack() as stack:
        secret, bootstrap = secrets.token_hex(32), ""
        folders = [folder / f"node{number}" for number in range(SIZE)]
        for each in folders:
            make_swarm_repository(each, free_port())
        kubos = [stack.enter_context(running_kubo(each, is_online=True)) for each in folders]
        _connect(folders)
        nodes = []
        for number, (kubo, each) in enumerate(zip(kubos, folders, strict=True)):
            swarm = free_port()
            environment = _environment(each, f"node{number}", secret, swarm)
            peer = stack.enter_context(_running_peer(each, environment, bootstrap))
            nodes.append(Node(f"node{number}", each, kubo, peer))
            bootstrap = bootstrap or f"/ip4/127.0.0.1/tcp/{swarm}/p2p/{_identity(each)}"
        yield nodes


def _connect(folders: list[Path]) -> None:
    """Have every node know every other one."""
    addresses = {
        folder: json.loads(ipfs("id", folder=folder))["Addresses"][0] for folder in folders
    }
    for folder in folders:
        for other, address in addresses.items():
            if other is not folder:
                ipfs("swarm", "connect", address, folder=folder)


def _environment(folder: Path, name: str, secret: str, swarm: int) -> Mapping[str, str]:
    config = json.loads((folder / "kubo" / "config").read_text())
    listen = "/ip4/127.0.0.1/tcp/"
    return {
        "IPFS_CLUSTER_PATH": str(folder / "cluster"),
        "CLUSTER_SECRET": secret,
        "CLUSTER_PEERNAME": name,
        "CLUSTER_CRDT_TRUSTEDPEERS": "*",
        "CLUSTER_LISTENMULTIADDRESS": f"{listen}{swarm}",
        "CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS": f"{listen}{free_port()}",
        "CLUSTER_IPFSPROXY_LISTENMULTIADDRESS": f"{listen}{free_port()}",
        "CLUSTER_PINSVCAPI_HTTPLISTENMULTIADDRESS": f"{listen}{free_port()}",
        "CLUSTER_IPFSHTTP_NODEMULTIADDRESS": config["Addresses"]["API"],
        "CLUSTER_MDNSINTERVAL": "0s",
        "CLUSTER_ENABLERELAYHOP": "false",
        "CLUSTER_REPLICATIONFACTORMIN": "1",
        "CLUSTER_REPLICATIONFACTORMAX": "1",
        "CLUSTER_MONITORPINGINTERVAL": "1s",
        "CLUSTER_PUBSUBMON_CHECKINTERVAL": "1s",
    }


@contextmanager
def _running_peer(folder: Path, environment: Mapping[str, str], bootstrap: str) -> Iterator[Server]:
    service = program("ipfs-cluster-service", CLUSTER_HINT)
    port = environment["CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS"].rpartition("/")[2]
    url = f"http://127.0.0.1:{port}"
    more = ["--bootstrap", bootstrap] if bootstrap else []
    with running(
        ["sh", "-c", '"$0" init --consensus crdt && exec "$0" daemon "$@"', service, *more],
        url,
        folder / "cluster.log",
        probe="/id",
        environment=environment,
    ) as server:
        yield server


def _identity(folder: Path) -> str:
    identity: str = json.loads((folder / "cluster" / "identity.json").read_text())["id"]
    return identity
