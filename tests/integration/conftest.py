"""A real Kubo with files of every kind, and gateways in front of it as real processes."""

import hashlib
import http.client
import json
import os
import random
import shutil
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks.rig.harness import (
    Missing,
    MissingUnpackaged,
    Server,
    ipfs,
    make_kubo_repository,
    running_gateway,
    running_kubo,
)
from tests.integration.behind_nginx import (  # noqa: F401 (pytest looks here for its hooks)
    TRUST,
    open_front,
    pytest_collection_modifyitems,
)

KIB = 1024
MIB = 1024 * KIB


@contextmanager
def peers_or_skip() -> Iterator[None]:
    """Skip what needs a program that is not here.

    With GATEWAY_REQUIRE_PEERS that fails, unless no package registry has the program.
    """
    try:
        yield
    except MissingUnpackaged as missing:
        pytest.skip(str(missing))
    except Missing as missing:
        if os.environ.get("GATEWAY_REQUIRE_PEERS"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, its body as a hash when it is large."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    size: int
    sha256: str
    body: bytes
    """The first 64 KiB."""


def fetch(url: str, method: str = "GET", **headers: str) -> Answer:
    """Send one request; redirects are not followed.

    Raises:
        http.client.HTTPException, OSError: the answer is not complete.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(
            method, target, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        digest, size, head = hashlib.sha256(), 0, b""
        while piece := response.read(MIB):
            digest.update(piece)
            size += len(piece)
            head = (head + piece)[: 64 * KIB] if len(head) < 64 * KIB else head
        fields = {name.lower(): value for name, value in response.getheaders()}
        length = fields.get("content-length")
        if method == "GET" and length is not None and int(length) != size:
            raise http.client.IncompleteRead(head, int(length) - size)
        return Answer(response.status, fields, size, digest.hexdigest(), head)
    finally:
        connection.close()


@dataclass(slots=True)
class Gateway:
    """A running gateway."""

    server: Server
    """With GATEWAY_BEHIND_NGINX=1 its URL is that of an nginx in front of it."""
    admin: str
    """URL of its operators' listener."""

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path."""
        return fetch(self.server.url + path, method, **headers)

    def api(self, name: str) -> Any:
        """Return `/api/v1/{name}`."""
        with urllib.request.urlopen(f"{self.admin}/api/v1/{name}", timeout=10) as answer:  # noqa: S310 (http:// of ours)
            return json.load(answer)


@contextmanager
def gateway(folder: Path, *upstreams: str, extra: str = "", server: str = "") -> Iterator[Gateway]:
    """Run a gateway before upstreams, in order; without limits and access log.

    Args:
        folder: for its configuration, log and cache.
        upstreams: their URLs.
        extra: further sections of the configuration.
        server: further keys of `[server]`.
    """
    tables = "".join(
        f'[[upstreams]]\nname = "upstream-{number}"\nurl = "{url}"\ntier = "cluster"\n'
        for number, url in enumerate(upstreams)
    )
    cache = "" if "[cache]" in extra else f'[cache]\ndirectory = "{folder}/cache"\n'
    config = f'[server]\n{server}\n{TRUST}\n[limits]\nrequests = ""\n{cache}{extra}\n{tables}'
    with running_gateway(folder, config) as own, peers_or_skip(), open_front(folder, own) as front:
        admin = tomllib.loads((folder / "gateway.toml").read_text())["admin"]["listen"]
        yield Gateway(front, f"http://{admin}")


@dataclass(slots=True)
class World:
    """What the Kubo holds."""

    url: str = ""
    """Of its gateway."""
    cids: dict[str, str] = field(default_factory=dict[str, str])
    """Root CIDs by the names used in tests."""
    files: dict[str, Path] = field(default_factory=dict[str, Path])
    """The file that a root was made of."""

    def range_of(self, name: str, start: int, stop: int) -> str:
        """Return the SHA-256 of a part of a file."""
        with self.files[name].open("rb") as file:
            file.seek(start)
            return hashlib.sha256(file.read(stop - start)).hexdigest()


SIZES = {
    "0": 0,
    "1": 1,
    "leaf-1": 256 * KIB - 1,
    "leaf": 256 * KIB,
    "leaf+1": 256 * KIB + 1,
    "MiB": MIB,
    "MiB+1": MIB + 1,
    "10MiB": 10 * MIB,
    "46MiB": 46 * MIB + 7,  # more than 174 leaves of 256 KiB: two levels of nodes
    "300MiB": 300 * MIB,
}
PROFILES = {
    "v0": ("--cid-version=0", "--raw-leaves=false", "--chunker=size-262144"),
    "v1": ("--cid-version=1", "--raw-leaves", "--chunker=size-1048576"),
}
NAMES = (
    "plain.txt",
    "with space.html",
    "Portugal%2C+España=Península Ibérica.txt",
    "100%.txt",
    "a#b?c&d.css",
    "ąę.json",
    "日本語.svg",
    "emoji 🚀.md",
    "quote'\"<b>.js",
    "semi;colon.png",
)
HAMT_ENTRIES = 10_000


@pytest.fixture(name="world", scope="session")
def world_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with peers_or_skip(), ExitStack() as stack:
        world = World()
        make_kubo_repository(folder)
        _add_files(world, folder)
        _add_directories(world, folder)
        world.url = stack.enter_context(running_kubo(folder)).url
        yield world
    shutil.rmtree(folder)


def _add_files(world: World, folder: Path) -> None:
    for name, size in SIZES.items():
        path = folder / f"file-{name}"
        # 16 MiB at a time: randbytes makes one huge integer of what it is asked for.
        source = random.Random(name)  # noqa: S311 (test data)
        with path.open("wb") as file:
            for start in range(0, size, 16 * MIB):
                file.write(source.randbytes(min(16 * MIB, size - start)))
        for profile, options in PROFILES.items():
            key = f"{profile}-{name}"
            world.cids[key] = ipfs("add", "-Q", *options, path, folder=folder)
            world.files[key] = path
    path = world.files["v0-10MiB"]
    world.cids["trickle"] = ipfs("add", "-Q", "--trickle", path, folder=folder)
    world.files["trickle"] = path


def _add_directories(world: World, folder: Path) -> None:
    names = folder / "names"
    names.mkdir()
    for name in NAMES:
        (names / name).write_text(f"I am {name}\n")
    site = folder / "site"
    (site / "deep" / "er").mkdir(parents=True)
    (site / "index.html").write_text("<!doctype html><title>site</title>")
    (site / "deep" / "er" / "index.html").write_text("<p>deeper")
    (site / "deep" / "no-index.txt").write_text("x")
    links = folder / "links"
    links.mkdir()
    (links / "target.txt").write_text("target")
    (links / "good").symlink_to("target.txt")
    (links / "up").symlink_to("../../etc/passwd")
    many = folder / "many"
    many.mkdir()
    for number in range(HAMT_ENTRIES):
        (many / f"entry-{number:05}.txt").write_text(f"entry {number}\n")
    for path in (names, site, links, many):
        options = ("-Q", "-r", "--cid-version=1", "--raw-leaves")
        world.cids[path.name] = ipfs("add", *options, path, folder=folder)


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path) -> Iterator[Path]:
    """A folder that is removed at once: caches of these tests are large."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(name="car", scope="module")
def car_fixture(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("car"), world.url) as running:
        yield running


@pytest.fixture(name="block", scope="module")
def block_fixture(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    extra = '[retrieval]\nmode = "block"\n'
    with gateway(tmp_path_factory.mktemp("block"), world.url, extra=extra) as running:
        yield running
