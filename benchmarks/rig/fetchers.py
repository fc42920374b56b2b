"""Gateways that fetch cold files from one Kubo node: ours, Rainbow, and another Kubo."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.data.content import pack
from benchmarks.rig.fetched import Size, fetch_file
from benchmarks.rig.harness import (
    LinkControl,
    Server,
    free_port,
    ipfs,
    running_gateway,
    running_kubo,
    running_link,
)
from benchmarks.rig.link import Shape
from benchmarks.rig.rainbow import running_rainbow
from benchmarks.rig.swarm import connect, make_swarm_repository, peer_id

PLAIN: Final = "plain"
"""HTTP from the far Kubo itself."""
OURS: Final = "ours"
RAINBOW_CARS: Final = "Rainbow by CAR"
RAINBOW_BLOCKS: Final = "Rainbow by block"
KUBO_BLOCKS: Final = "Kubo by block"

_CONFIG = """
[server]
max_concurrent_requests = 4096
[cache]
directory = "{folder}/cache"
[limits]
requests = ""
[log]
access = "off"
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """The node with all files."""

    http_port: int
    swarm_port: int
    peer: str
    root: str


@contextmanager
def running_origin(folder: Path, sizes: Sequence[Size]) -> Iterator[Origin]:
    """Run a Kubo node that has all files, and has read each once.

    Raises:
        Missing: Kubo is not here.
    """
    home, swarm_port = folder / "origin", free_port()
    make_swarm_repository(home, swarm_port)
    # Else a peer behind a link is told the address before it, and may come by that the next time.
    ipfs("config", "--json", "Addresses.NoAnnounce", '["/ip4/127.0.0.0/ipcidr/8"]', folder=home)
    packed = pack(folder / "cold.car", {n: size.size for size in sizes for n in size.names})
    ipfs("dag", "import", "--pin-roots=false", packed.car, folder=home)
    packed.car.unlink()
    with running_kubo(home, is_online=True) as kubo:
        for size in sizes:
            for name in size.names:
                fetch_file(kubo.url, packed.root, name, size)
        yield Origin(_port(kubo.url), swarm_port, peer_id(home), packed.root)


@contextmanager
def running_fetchers(
    folder: Path, origin: Origin, shape: Shape, *, with_rainbow: bool
) -> Iterator[dict[str, str]]:
    """Run gateways that have fetched nothing yet behind a link; gives their URLs by name."""
    with ExitStack() as stack:
        far = stack.enter_context(running_shape(origin.http_port, shape)).url
        urls = {
            PLAIN: far,
            OURS: stack.enter_context(running_ours(folder / "ours", {"far": far})).url,
        }
        if with_rainbow:
            for name, mode in ((RAINBOW_CARS, "car"), (RAINBOW_BLOCKS, "block")):
                server = stack.enter_context(running_rainbow(folder / mode, far, mode))
                urls[name] = server.url
        swarm = stack.enter_context(running_shape(origin.swarm_port, shape)).url
        near = stack.enter_context(_running_near_kubo(folder / "near", _port(swarm), origin.peer))
        yield {**urls, KUBO_BLOCKS: near.url}


@contextmanager
def running_shape(target_port: int, shape: Shape) -> Iterator[LinkControl]:
    """Run a link that is only long and narrow."""
    with running_link(
        target_port, round_trip_ms=shape.round_trip_ms, mbit_s=shape.mbit_s
    ) as control:
        yield control


@contextmanager
def running_ours(folder: Path, upstreams: Mapping[str, str]) -> Iterator[Server]:
    """Run our gateway, which has fetched nothing yet, with upstreams by name."""
    tables = "".join(
        f'[[upstreams]]\nname = "{name}"\nurl = "{url}"\n' for name, url in upstreams.items()
    )
    with running_gateway(folder, _CONFIG.format(folder=folder) + tables) as server:
        yield server


@contextmanager
def _running_near_kubo(folder: Path, port: int, peer: str) -> Iterator[Server]:
    """Run a Kubo node whose only peer is behind a port of loopback."""
    make_swarm_repository(folder)
    with running_kubo(folder, is_online=True) as server:
        connect(folder, port, peer)
        yield server


def _port(url: str) -> int:
    return urlsplit(url).port or 0
