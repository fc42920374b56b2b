"""CARs which prove that nothing stands at a path: as Kubo gives them, and to who relies on them."""

import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from benchmarks.rig.harness import ipfs
from benchmarks.rig.rainbow import running_rainbow
from gateway.content.car import NO_ROOT, CarParser
from gateway.content.cid import Cid
from tests.integration.conftest import Answer, Gateway, World, fetch, gateway, peers_or_skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("kubo")]

SAME_HEADERS = ("cache-control", "content-disposition", "content-type", "x-ipfs-roots")
ABSENT = [
    pytest.param("{site}/nope", id="directory"),
    pytest.param("{site}/nope/and/more", id="directory-and-more"),
    pytest.param("{site}/deep/nope", id="directory-in-a-directory"),
    pytest.param("{many}/nope", id="hamt"),
    pytest.param("{many}/entry-00017.txt/nope", id="below-a-file-in-a-hamt"),
    pytest.param("{v0-46MiB}/nope", id="below-a-file-of-many-blocks"),
    pytest.param("{v1-1}/nope", id="below-a-raw-block"),
    pytest.param("{links}/good/nope", id="below-a-symlink"),
    pytest.param("{dag-cbor}/x/nope", id="field"),
]
"""Paths at which nothing stands."""


@pytest.fixture(name="cids", scope="module")
def cids_fixture(world: World, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder, path = world.files["v1-1"].parent, tmp_path_factory.mktemp("proofs") / "document"
    path.write_text(json.dumps({"x": {"y": [None, {"/": world.cids["site"]}]}, "z": 1.5}))
    options = ("--input-codec=dag-json", "--store-codec=dag-cbor", "--pin=false")
    document = ipfs("dag", "put", *options, path, folder=folder)
    return {**world.cids, "dag-cbor": document}


@pytest.fixture(name="behind", scope="module")
def behind_fixture(car: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose only upstream is another one."""
    with gateway(tmp_path_factory.mktemp("behind"), car.server.url) as running:
        yield running


def sections(answer: Answer) -> tuple[tuple[Cid, ...] | None, list[tuple[Cid, bytes]]]:
    """Return the roots and the blocks of a CAR of less than 64 KiB."""
    assert answer.size == len(answer.body)
    parser = CarParser()
    found = parser.feed(answer.body)
    parser.finish()
    return parser.roots, found


@pytest.mark.parametrize("path", ABSENT)
@pytest.mark.parametrize("query", ["", "&dag-scope=entity", "&dag-scope=block&car-dups=y"])
def test_a_proof_is_as_kubo_gives_it(
    world: World, car: Gateway, cids: Mapping[str, str], path: str, query: str
) -> None:
    """Issue 12, 18."""
    target = f"/ipfs/{path.format(**cids)}?format=car{query}"
    ours, theirs = car.get(target), fetch(world.url + target)

    assert (ours.status, theirs.status) == (200, 200)
    assert sections(ours) == sections(theirs)
    assert sections(ours)[0] == (NO_ROOT,)
    told = {name: theirs.headers.get(name) for name in SAME_HEADERS}
    assert {name: ours.headers.get(name) for name in SAME_HEADERS} == told
    root = target.split("/")[2]
    assert ours.headers["etag"].startswith(f'W/"{root}.car.')
    head = car.get(target, "HEAD")
    assert (head.status, head.headers["etag"]) == (200, ours.headers["etag"])


@pytest.mark.parametrize("path", ABSENT)
def test_absence_is_told_through_two_gateways(
    behind: Gateway, car: Gateway, cids: Mapping[str, str], path: str
) -> None:
    """Issue 12, 18: neither blames the one behind it."""
    target = f"/ipfs/{path.format(**cids)}"

    assert behind.get(target).status == 404
    assert behind.get(f"{target}?format=raw").status == 404
    assert sections(behind.get(f"{target}?format=car")) == sections(car.get(f"{target}?format=car"))
    for running in (behind, car):
        (upstream,) = running.api("upstreams")
        assert (upstream["state"], upstream["failures"]) == ("healthy", {})


def test_rainbow_over_us_lists_a_directory_without_an_index(
    world: World, car: Gateway, tmp_path: Path
) -> None:
    """Issue 12, 18: it asks for the CAR of index.html to know that there is none; it was 502."""
    with peers_or_skip(), running_rainbow(tmp_path / "rainbow", car.server.url, "car") as rainbow:
        for name, entry in (("names", b"plain.txt"), ("links", b"target.txt")):
            url = f"{rainbow.url}/ipfs/{world.cids[name]}/"
            with urllib.request.urlopen(url, timeout=60) as page:  # noqa: S310 (http:// of ours)
                assert (page.status, page.headers["content-type"]) == (200, "text/html")
                assert entry in page.read()
        assert fetch(f"{rainbow.url}/ipfs/{world.cids['names']}/nope").status == 404
