"""Kubo nodes that fetch blocks from one another by Bitswap, over TCP on loopback and nowhere else.

Nodes find nobody by themselves: connect them by `ipfs swarm connect`, directly or through a
`benchmarks.rig.link`. What a node announces, how much it fetches ahead and how it writes are Kubo's
defaults.
"""

import ipaddress
import json
from pathlib import Path
from typing import Final

from benchmarks.rig.harness import ipfs, make_kubo_repository

_LOOPBACK: Final = ipaddress.IPv4Network("127.0.0.0/8")
ELSEWHERE: Final = [
    *(
        f"/ip4/{network.network_address}/ipcidr/{network.prefixlen}"
        for network in ipaddress.IPv4Network("0.0.0.0/0").address_exclude(_LOOPBACK)
    ),
    "/ip6/::/ipcidr/0",
]
"""Swarm.AddrFilters can only forbid, so all that is not loopback is."""


def make_swarm_repository(folder: Path, port: int | None = None) -> None:
    """Make the repository `folder/kubo` of a node for `running_kubo(folder, is_online=True)`.

    Args:
        folder: is made if it is not there.
        port: where others can connect to it; None for a node that only connects itself.

    Raises:
        Missing: Kubo is not here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make_kubo_repository(folder)
    for key, value in (
        ("Addresses.Swarm", [f"/ip4/127.0.0.1/tcp/{port}"] if port else []),
        ("Swarm.AddrFilters", ELSEWHERE),
        ("Swarm.DisableNatPortMap", True),
        ("Swarm.EnableHolePunching", False),
        ("Swarm.RelayClient.Enabled", False),
        ("Swarm.RelayService.Enabled", False),
        ("AutoNAT.ServiceMode", "disabled"),
        ("AutoTLS.Enabled", False),
        ("HTTPRetrieval.Enabled", False),
    ):
        ipfs("config", "--json", key, json.dumps(value), folder=folder)


def peer_id(folder: Path) -> str:
    """Return the peer id of a node."""
    return ipfs("config", "Identity.PeerID", folder=folder)


def connect(folder: Path, port: int, peer: str) -> None:
    """Have a running node connect to a peer that is behind a port of loopback."""
    ipfs("swarm", "connect", f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer}", folder=folder)
