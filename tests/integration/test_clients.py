"""Clients of other people, unmodified, with our gateway as their only way to the content."""

import asyncio
import hashlib
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.rig.harness import program
from gateway.content.build import Profile, build_file, collect
from tests.fakes import lies
from tests.fakes.lying_upstream import Answer, Behaviour, LyingUpstream, honest
from tests.integration.client_kit import (
    Fetched,
    Source,
    clients_folder,
    digests,
    running_source,
    unpack_car,
    verified_fetch,
)
from tests.integration.conftest import KIB, MIB, Gateway, gateway, peers_or_skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.xdist_group("clients")]

FILES = {
    "ipfs://{film}": "film.bin",
    "ipfs://{root}/film.bin": "film.bin",
    "ipfs://{root}/page.html": "page.html",
    "ipfs://{root}/many/entry-123.txt": "many/entry-123.txt",
    "ipfs://{root}/empty": "empty",
    "ipns://{name}/page.html": "page.html",
}
"""What is asked for, and the file that it is: of one block or several, in a HAMT, by a name."""
TRUTH = b"the truth"
FILM = random.Random("film").randbytes(5 * MIB)  # noqa: S311 (test data)
PROFILE = Profile(chunk_bytes=256 * KIB, max_links=174, raw_leaves=True, cid_version=1)
PARTIAL_FILE = 18
"""curl's exit code for a body that ended early."""


@pytest.fixture(name="source", scope="module")
def source_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with peers_or_skip(), running_source(tmp_path_factory.mktemp("source")) as source:
        yield source


@pytest.fixture(name="npm", scope="module")
def npm_fixture() -> None:
    with peers_or_skip():
        clients_folder()


@pytest.fixture(name="running", scope="module")
def running_fixture(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("gateway"), source.node.url) as running:
        yield running


@pytest.fixture(name="fetched", scope="module")
def fetched_fixture(source: Source, running: Gateway) -> dict[str, Fetched]:
    """What verified-fetch made of every URI, in one process: Node takes a second to start."""
    uris = [uri.format(film=source.film, root=source.root, name=source.name) for uri in FILES]
    with peers_or_skip():
        return dict(zip(FILES, verified_fetch(running.server.url, uris), strict=True))


@pytest.mark.parametrize(("uri", "path"), FILES.items(), ids=str)
def test_verified_fetch_gets_the_file(
    source: Source, fetched: dict[str, Fetched], uri: str, path: str
) -> None:
    assert fetched[uri].get("sha256") == source.sha256(path), fetched[uri]


@pytest.mark.usefixtures("npm")
@pytest.mark.parametrize(
    ("behaviour", "patience_s", "digest"),
    [
        pytest.param(honest, 30.0, hashlib.sha256(TRUTH).hexdigest(), id="honest"),
        pytest.param(lies.flip(), 4.0, None, id="flipped-bit"),
    ],
)
async def test_verified_fetch_gets_the_truth_or_nothing(
    folder: Path, behaviour: Behaviour, patience_s: float, digest: str | None
) -> None:
    built, blocks = collect(build_file(TRUTH))
    async with LyingUpstream(blocks, behaviour) as upstream:
        with gateway(folder, upstream.settings.url) as running:
            uris = [f"ipfs://{built.cid}"]
            url = running.server.url
            (fetched,) = await asyncio.to_thread(verified_fetch, url, uris, patience_s)
    assert upstream.log
    got = fetched.get("sha256") if fetched.get("status") == 200 else None
    assert got == digest, fetched


@pytest.mark.usefixtures("npm")
def test_ipfs_car_unpacks_the_files_that_went_in(
    source: Source, running: Gateway, tmp_path: Path
) -> None:
    url = f"{running.server.url}/ipfs/{source.root}?format=car"
    assert asyncio.run(_curl(url, "-o", tmp_path / "car")) == 0
    unpack_car((tmp_path / "car").read_bytes(), tmp_path / "unpacked")
    assert digests(tmp_path / "unpacked") == source.tree()


async def _two_blocks_then_nothing(answer: Answer) -> None:
    """Break the first CAR off and refuse everything after it."""
    is_first = len(answer.upstream.log) == 1
    await (lies.reset(2) if is_first else lies.hang_up)(answer)


async def test_curl_resumes_a_download_that_was_cut(folder: Path) -> None:
    built, blocks = collect(build_file(FILM, PROFILE))
    out = folder / "film"
    async with LyingUpstream(blocks, _two_blocks_then_nothing) as upstream:
        with gateway(folder / "gateway", upstream.settings.url) as running:
            url = f"{running.server.url}/ipfs/{built.cid}"
            assert await _curl(url, "-o", out) == PARTIAL_FILE
            received = out.stat().st_size
            assert 0 < received < len(FILM)
            upstream.behaviour = honest
            assert await _curl(url, "-C", "-", "-o", out) == 0
    assert out.read_bytes() == FILM


async def _curl(url: str, *arguments: str | Path) -> int:
    with peers_or_skip():
        curl = program("curl", "apt-get install curl")
    command = [curl, "--silent", "--show-error", "--fail", *arguments, url]
    done = await asyncio.to_thread(subprocess.run, command, check=False)
    return done.returncode
