"""A Kubo that holds everything the suite asks for, and speaks to nobody."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.rig.harness import Server, ipfs, make_kubo_repository, running_kubo
from tests.conformance.suite import FIXTURES

_HOST = {"UseSubdomains": True, "InlineDNSLink": True, "Paths": ["/ipfs", "/ipns"]}


def dnslinks() -> dict[str, str]:
    """Return the content paths of the domains that the suite asks for."""
    known: dict[str, str] = json.loads((FIXTURES / "dnslinks.json").read_text())["domains"]
    return known


@contextmanager
def running_node(folder: Path) -> Iterator[Server]:
    """Run a Kubo with all CARs, IPNS records (the invalid ones, too) and DNSLinks of the suite.

    Raises:
        Missing: Kubo is not here.
    """
    make_kubo_repository(folder)
    hosts = {"example.com": _HOST, "localhost": _HOST}
    ipfs("config", "--json", "Gateway.PublicGateways", json.dumps(hosts), folder=folder)
    ipfs("dag", "import", "--pin-roots=false", *_copy_cars(folder / "cars"), folder=folder)
    links = ",".join(f"{domain}:{path}" for domain, path in dnslinks().items())
    with running_kubo(folder, environment={"IPFS_NS_MAP": links}) as node:
        for record in sorted(FIXTURES.rglob("*.ipns-record")):
            key = record.stem.partition("_")[0]
            ipfs("routing", "put", "--allow-offline", f"/ipns/{key}", record, folder=folder)
        yield node


def _copy_cars(folder: Path) -> list[Path]:
    """Return copies whose names differ: Kubo imports no two files of one name at once."""
    folder.mkdir()
    return [
        shutil.copyfile(car, folder / f"{car.parent.name}-{car.name}")
        for car in sorted(FIXTURES.rglob("*.car"))
    ]
