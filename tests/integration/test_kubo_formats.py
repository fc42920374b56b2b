"""TARs, documents and paths through them, compared with the real Kubo.

What we answer otherwise on purpose is left out: an index `01` is no index, plain JSON and CBOR have
nothing that a path could go on to (docs/decisions.md).
"""

import hashlib
import io
import json
import tarfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.rig.harness import ipfs
from tests.integration.conftest import Gateway, World, fetch, gateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("kubo")]

SAME_HEADERS = (
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "etag",
    "x-content-type-options",
    "x-ipfs-path",
    "x-ipfs-roots",
)


@pytest.fixture(name="cids", scope="module")
def cids_fixture(world: World, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Documents in Kubo: one in each codec, and one that links to the others."""
    folder, path = world.files["v1-1"].parent, tmp_path_factory.mktemp("documents") / "document"
    site, cids = world.cids["site"], dict(world.cids)

    def put(name: str, codec: str, value: object) -> None:
        path.write_text(json.dumps(value))
        options = ("--input-codec=dag-json", f"--store-codec={codec}", "--pin=false")
        cids[name] = ipfs("dag", "put", *options, path, folder=folder)

    put("dag-json", "dag-json", {"a": [1, {"/": site}], "b": {"/": {"bytes": "AQID"}}})
    put("dag-cbor", "dag-cbor", {"x": {"y": [None, {"/": cids["dag-json"]}]}, "z": 1.5})
    put("json", "json", {"plain": True})
    put("cbor", "cbor", {"plain": True})
    return cids


def read_tar(url: str) -> dict[str, tuple[bytes, int, str, str]]:
    """Return type, mode, target and hash of each entry; fails for a TAR that is not whole."""
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 (http:// of ours)
        data = io.BytesIO(answer.read())
    found: dict[str, tuple[bytes, int, str, str]] = {}
    with tarfile.open(fileobj=data) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            digest = hashlib.sha256(file.read()).hexdigest() if file else ""
            found[member.name] = (member.type, member.mode, member.linkname, digest)
    return found


@pytest.mark.parametrize(
    ("mode", "name"),
    [("car", name) for name in ("v0-46MiB", "v1-10MiB", "v1-0", "site", "links", "names", "many")]
    + [("block", name) for name in ("v0-46MiB", "site", "links", "names")],
)
def test_a_tar_holds_what_kubos_holds(
    world: World, request: pytest.FixtureRequest, mode: str, name: str
) -> None:
    running: Gateway = request.getfixturevalue(mode)
    target = f"/ipfs/{world.cids[name]}?format=tar"
    expected = read_tar(world.url + target)

    assert read_tar(running.server.url + target) == expected  # cold
    assert read_tar(running.server.url + target) == expected  # warm


def test_a_cold_tar_is_one_request_to_the_upstream(world: World, folder: Path) -> None:
    with gateway(folder, world.url) as running:
        read_tar(f"{running.server.url}/ipfs/{world.cids['many']}?format=tar")
        page = fetch(f"{running.admin}/metrics").body.decode()
    asked = [line for line in page.splitlines() if "upstream_requests_total{" in line]

    assert sum(float(line.rpartition(" ")[2]) for line in asked) == 1


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("{dag-cbor}", {}, id="dag-cbor"),
        pytest.param("{dag-json}", {}, id="dag-json"),
        pytest.param("{json}", {}, id="json"),
        pytest.param("{cbor}", {}, id="cbor"),
        pytest.param("{json}", {"Accept": "text/html"}, id="json-in-a-browser"),
        pytest.param("{dag-cbor}", {"Range": "bytes=1-3"}, id="range"),
        pytest.param("{dag-cbor}?format=dag-cbor", {}, id="dag-cbor-by-name"),
        pytest.param("{dag-cbor}?format=cbor", {}, id="dag-cbor-as-cbor"),
        pytest.param("{dag-json}?format=json", {}, id="dag-json-as-json"),
        pytest.param("{dag-json}", {"Accept": "application/json"}, id="by-accept"),
        pytest.param(
            "{dag-json}?format=json&download=true&filename=x.json", {}, id="download-by-name"
        ),
        pytest.param("{dag-cbor}?format=dag-json", {}, id="no-conversion"),
        pytest.param("{site}?format=dag-json", {}, id="directory-as-dag-json"),
        pytest.param("{v1-1}?format=dag-cbor", {}, id="leaf-as-dag-cbor"),
        pytest.param("{dag-cbor}/x/y/1", {}, id="path-to-a-link"),
        pytest.param("{dag-cbor}/x/y/1/a/1/index.html", {}, id="path-through-links-to-a-file"),
        pytest.param("{dag-cbor}/x/y/1/a/1/", {}, id="path-through-links-to-an-index"),
        pytest.param("{dag-cbor}/x", {}, id="path-inside"),
        pytest.param("{dag-cbor}/x/y/0", {}, id="path-to-null"),
        pytest.param("{dag-cbor}/x/nope", {}, id="no-such-field"),
        pytest.param("{dag-cbor}/x/y/-1", {}, id="negative-index"),
        pytest.param("{dag-cbor}/x/y/9", {}, id="past-the-end"),
        pytest.param("{dag-cbor}/z/1", {}, id="below-a-number"),
        pytest.param("{site}?format=tar", {}, id="tar"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_is_as_kubo_gives_it(
    world: World,
    car: Gateway,
    cids: Mapping[str, str],
    path: str,
    headers: dict[str, str],
    method: str,
) -> None:
    target = "/ipfs/" + path.format(**cids)
    ours, theirs = car.get(target, method, **headers), fetch(world.url + target, method, **headers)
    told = set(SAME_HEADERS) & theirs.headers.keys() if theirs.status < 300 else set()
    if (
        method == "HEAD" and "Range" in headers
    ):  # RFC 9110, 14.2: Range means something for GET only
        assert ours.status == 200
        return
    if "format=tar" in path:
        told.discard("content-length")  # Kubo makes short ones before it sends them
    else:
        assert theirs.status >= 300 or ours.sha256 == theirs.sha256
    assert ours.status == theirs.status
    assert {n: ours.headers.get(n) for n in told} == {n: theirs.headers[n] for n in told}


@pytest.mark.parametrize(
    "path",
    [
        "{dag-cbor}/x/y/1?format=car",
        "{dag-cbor}/x?format=car&dag-scope=block",
        "{dag-cbor}/x?format=car",
        "{dag-cbor}?format=car&dag-scope=all",
        "{dag-json}/a/1/deep?format=car&dag-scope=entity",
        "{many}?format=car&dag-scope=entity",
        "{many}/entry-00017.txt?format=car",
        "{json}?format=car",
    ],
)
def test_a_car_is_as_kubo_gives_it(
    world: World, car: Gateway, cids: Mapping[str, str], path: str
) -> None:
    target = "/ipfs/" + path.format(**cids)
    ours, theirs = car.get(target), fetch(world.url + target)

    assert ours.sha256 == theirs.sha256
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert ours.headers["x-ipfs-roots"] == theirs.headers["x-ipfs-roots"]
