"""Rainbow, the gateway of the public ipfs.io, with one trustless gateway as its only upstream."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.rig.harness import Missing, Server, free_port, program, running

_HINT = "it is in no package registry; build or download it: https://github.com/ipfs/rainbow"


def find_rainbow() -> Path:
    """Find the program.

    Raises:
        MissingUnpackaged: it is not on this machine.
    """
    return program("rainbow", _HINT, is_packaged=False)


def has_rainbow() -> bool:
    """Tell whether Rainbow is on this machine; if not, print how to get it."""
    try:
        find_rainbow()
    except Missing as exc:
        print(f"without Rainbow: {exc}")
        return False
    return True


@contextmanager
def running_rainbow(
    folder: Path, upstream: str, mode: str, *, core: int | None = None
) -> Iterator[Server]:
    """Run Rainbow without libp2p, DNS and routing; nothing but the upstream is asked.

    Args:
        folder: is made, for its data and its log.
        upstream: URL of a trustless gateway.
        mode: `car` or `block`, what it asks for.
        core: the CPU that it may use; None for all.

    Raises:
        MissingUnpackaged: it is not on this machine.
    """
    folder.mkdir()
    port = free_port()
    command = [
        find_rainbow(),
        *("--datadir", folder, "--autoconf=false", "--bootstrap", "", "--http-routers", ""),
        *("--dnslink-resolvers", "", "--libp2p=false", "--bitswap=false", "--dht-routing", "off"),
        *("--remote-backends", upstream, "--remote-backends-mode", mode),
        *("--subdomain-gateway-domains", "localhost"),
        *("--gateway-listen-address", f"127.0.0.1:{port}"),
        *("--ctl-listen-address", f"127.0.0.1:{free_port()}"),
    ]
    url, log = f"http://127.0.0.1:{port}", folder / "rainbow.log"
    with running(command, url, log, probe="/ipfs/bafkqaaa", core=core) as server:
        yield server
