"""The servers of the mix: ours, nginx with a cache, and Rainbow, before one Kubo node.

Each has the first core; Kubo shares the last one with the load, so that a server which fetches has
its core for itself.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.rig.contenders import (
    GATEWAY_ALONE,
    GATEWAY_TAG,
    GATEWAY_TWO,
    NGINX_CACHE,
    NGINX_CACHE_TWO,
    RAINBOW,
    Contender,
    NginxOptions,
    Stage,
    start_all,
)
from benchmarks.rig.harness import Server, cores, ipfs, make_kubo_repository, running_kubo

HOSTS: Final = {
    "localhost": {
        "Paths": ["/ipfs", "/ipns"],
        "UseSubdomains": True,
        "DeserializedResponses": True,
    }
}
"""Hosts under which the node serves more than blocks and CARs."""

# Kubo's answers depend on the host here, so the key does, too.
SUBDOMAINS: Final = """
server {{
    listen 127.0.0.1:{port};
    server_name .ipfs.localhost;
    location / {{
        proxy_pass {origin};
        proxy_cache answers;
        proxy_cache_valid 1h;
        proxy_cache_key $scheme$host$request_uri;
        proxy_set_header Host $host;
    }}
}}
"""


@contextmanager
def running_origin(folder: Path, cars: Sequence[Path]) -> Iterator[Server]:
    """Run a Kubo node that has the blocks of some CAR files, which are removed.

    Raises:
        Missing: Kubo is not here.
    """
    folder.mkdir()
    make_kubo_repository(folder)
    ipfs("config", "--json", "Gateway.PublicGateways", json.dumps(HOSTS), folder=folder)
    ipfs("dag", "import", "--pin-roots=false", *cars, folder=folder)
    for car in cars:
        car.unlink()
    with running_kubo(folder, core=cores()[-1]) as server:
        yield server


@contextmanager
def running_three(
    folder: Path, origin: str, memory: str, *, with_tag: bool = False
) -> Iterator[list[Contender]]:
    """Run ours, nginx and Rainbow, all empty, with one process each; a fourth is ours with tags."""
    folder.mkdir()
    with ExitStack() as stack:
        stage = Stage(stack, folder, origin)
        tag = [(GATEWAY_TAG, lambda: stage.gateway("tag", memory, verification="tag"))]
        yield start_all(
            [
                (NGINX_CACHE, lambda: stage.proxy_cache(options=NginxOptions(more=SUBDOMAINS))),
                (RAINBOW, stage.rainbow),
                (GATEWAY_ALONE, lambda: stage.gateway("cid", memory)),
                *(tag if with_tag else ()),
            ]
        )


@contextmanager
def running_pairs(folder: Path, origin: str, memory: str) -> Iterator[list[Contender]]:
    """Run ours and nginx with two workers each, on all cores."""
    folder.mkdir()
    with ExitStack() as stack:
        stage = Stage(stack, folder, origin)
        yield start_all(
            [
                (NGINX_CACHE_TWO, lambda: stage.proxy_cache(workers=2)),
                (GATEWAY_TWO, lambda: stage.gateway("two", memory, workers=2)),
            ]
        )
