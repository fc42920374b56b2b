"""A site of which the real Kubo has lost blocks: what it lacks is 404, by its path as by its CID.

Issue 12, 17.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.rig.harness import ipfs, make_kubo_repository, running_kubo
from tests.integration.conftest import KIB, Gateway, gateway, peers_or_skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("kubo")]

LEAF = 256 * KIB
INDEX = "withindex/index.html"
ADD = ("-Q", "--pin=false", "--cid-version=1", "--raw-leaves", f"--chunker=size-{LEAF}")


@dataclass(frozen=True, slots=True)
class Site:
    """What a Kubo has, less what it has lost."""

    url: str
    root: str
    lost: dict[str, str]
    """CIDs of blocks that it has not."""

    def path(self, text: str) -> str:
        return text.format(root=self.root, **self.lost)


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("lossy")
    with peers_or_skip():
        root, lost = _lose_blocks(folder)
        with running_kubo(folder) as kubo:
            yield Site(kubo.url, root, lost)
    shutil.rmtree(folder)


def _lose_blocks(folder: Path) -> tuple[str, dict[str, str]]:
    """Make a repository of a site, and remove blocks; returns the root, and what was removed."""
    top = folder / "top"
    for name in ("gone", "withindex", "nofirst", "nosecond"):
        (top / name).mkdir(parents=True)
    (top / "gone.txt").write_text("gone")
    (top / "here.txt").write_text("here")
    (top / "gone" / "below.txt").write_text("below")
    (top / INDEX).write_text("<p>an index")
    (top / "nofirst" / "file").write_bytes(b"1" * LEAF + b"2" * LEAF)
    (top / "nosecond" / "file").write_bytes(b"3" * LEAF + b"4" * LEAF)
    make_kubo_repository(folder)
    root = ipfs("add", "-r", *ADD, top, folder=folder)
    lost: dict[str, str] = {}
    for key, path in (("child", "gone.txt"), ("directory", "gone"), ("index", INDEX)):
        found = ipfs("resolve", f"/ipfs/{root}/{path}", folder=folder)
        lost[key] = found.removeprefix("/ipfs/")
    for key, name, index in (("first", "nofirst", 0), ("second", "nosecond", 1)):
        leaves = ipfs("refs", f"/ipfs/{root}/{name}/file", folder=folder).split()
        lost[key] = leaves[index]
    ipfs("block", "rm", *lost.values(), folder=folder)
    return root, lost


@pytest.fixture(name="running", scope="module", params=["car", "block"])
def running_fixture(
    site: Site, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    extra = f'[retrieval]\nmode = "{request.param}"\n'
    with gateway(tmp_path_factory.mktemp("lossy-gateway"), site.url, extra=extra) as running:
        yield running


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "headers", "missing"),
    [
        pytest.param("/ipfs/{child}", {}, "child", id="by-cid"),
        pytest.param("/ipfs/{root}/gone.txt", {}, "child", id="by-path"),
        pytest.param("/ipfs/{root}/gone.txt", {"Range": "bytes=1-2"}, "child", id="range"),
        pytest.param("/ipfs/{root}/gone.txt?format=raw", {}, "child", id="raw"),
        pytest.param("/ipfs/{root}/gone/below.txt", {}, "directory", id="in-the-middle"),
        pytest.param("/ipfs/{root}/gone/", {}, "directory", id="directory"),
        pytest.param("/ipfs/{root}/gone/?format=tar", {}, "directory", id="tar"),
        pytest.param("/ipfs/{root}/withindex/", {}, "index", id="index"),
        pytest.param("/ipfs/{root}/nofirst/file", {}, "first", id="first-leaf"),
    ],
)
def test_what_kubo_lacks_is_404(
    site: Site, running: Gateway, method: str, path: str, headers: dict[str, str], missing: str
) -> None:
    for _ in range(2):
        found = running.get(site.path(path), method, **headers)
        assert found.status == 404
        assert found.headers["cache-control"] == "no-store"
        if method == "GET":
            cid = site.lost[missing]
            assert f"{cid} was not found on any upstream" in found.body.decode()
            assert f"upstream upstream-0 (raw): does not have {cid}" in found.body.decode()
            assert "step: fetch" in found.body.decode()
    assert [row["state"] for row in running.api("upstreams")] == ["healthy"]


def test_a_range_of_what_is_there_is_given(site: Site, running: Gateway) -> None:
    path = site.path("/ipfs/{root}/nosecond/file")
    found = running.get(path, Range="bytes=5-9")
    assert (found.status, found.body) == (206, b"33333")
    assert running.get(path, Range=f"bytes={LEAF}-{LEAF + 3}").status == 404
    assert running.get(site.path("/ipfs/{root}/here.txt")).body == b"here"
    assert running.get(site.path("/ipfs/{root}/nope.txt")).status == 404
