"""Every answer compared with the real Kubo: cold and warm, whole and by range, after a restart."""

import random
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.conftest import (
    HAMT_ENTRIES,
    KIB,
    MIB,
    NAMES,
    PROFILES,
    SIZES,
    Gateway,
    World,
    fetch,
    gateway,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("kubo")]

FILES = [f"{profile}-{name}" for profile in PROFILES for name in SIZES] + ["trickle"]
SAME_HEADERS = (
    "content-length",
    "content-type",
    "content-range",
    "etag",
    "cache-control",
    "x-ipfs-path",
    "x-ipfs-roots",
    "accept-ranges",
    "location",
)


@pytest.mark.parametrize("mode", ["car", "block"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_the_same_cold_and_warm(
    world: World, request: pytest.FixtureRequest, mode: str, name: str
) -> None:
    running: Gateway = request.getfixturevalue(mode)
    expected = world.range_of(name, 0, 400 * MIB)
    cold = running.get(f"/ipfs/{world.cids[name]}")
    warm = running.get(f"/ipfs/{world.cids[name]}")
    assert (cold.status, cold.sha256) == (200, expected)
    assert (warm.status, warm.sha256) == (200, expected)


def _ranges(size: int) -> list[tuple[int, int]]:
    """Return ranges at the borders of leaves and nodes, and a few by chance."""
    borders = [256 * KIB, MIB, 174 * 256 * KIB, size - 1]
    found = [(border - 2, border + 3) for border in borders if 2 < border < size]
    source = random.Random(size)  # noqa: S311 (test data)
    starts = [source.randrange(size) for _ in range(3)] if size else []
    return found + [(start, min(size, start + 300 * KIB)) for start in starts]


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith("-0")])
def test_a_range_of_a_cold_file_is_the_same(world: World, name: str, folder: Path) -> None:
    size = world.files[name].stat().st_size
    with gateway(folder, world.url) as running:
        for start, stop in _ranges(size) or [(0, size)]:
            found = running.get(f"/ipfs/{world.cids[name]}", Range=f"bytes={start}-{stop - 1}")
            assert found.status == 206
            assert found.sha256 == world.range_of(name, start, min(stop, size))


def test_a_range_fetches_only_what_it_touches(world: World, folder: Path) -> None:
    with gateway(folder, world.url) as running:
        running.get(f"/ipfs/{world.cids['v1-300MiB']}", Range="bytes=200000000-200000099")
        assert running.api("cache")["bytes_fetched"] < 2 * MIB


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/ipfs/{v1-MiB+1}", {}, id="file"),
        pytest.param("/ipfs/{v1-MiB+1}", {"Range": "bytes=5-9"}, id="range"),
        pytest.param("/ipfs/{v1-MiB+1}", {"Range": "bytes=-9"}, id="suffix"),
        pytest.param("/ipfs/{v1-MiB+1}", {"Range": "bytes=9999999-"}, id="beyond"),
        pytest.param("/ipfs/{v0-10MiB}?filename=film.mp4", {}, id="filename"),
        pytest.param("/ipfs/{v0-10MiB}?format=raw", {}, id="raw"),
        pytest.param("/ipfs/{site}", {}, id="directory-without-slash"),
        pytest.param("/ipfs/{site}/", {}, id="index"),
        pytest.param("/ipfs/{site}/deep/er/", {}, id="deep-index"),
        pytest.param("/ipfs/{site}/deep/er", {}, id="deep-without-slash"),
        pytest.param("/ipfs/{site}/nope", {}, id="no-such-name"),
        pytest.param("/ipfs/{site}/index.html/x", {}, id="below-a-file"),
        pytest.param("/ipfs/{links}/good", {}, id="symlink"),
        pytest.param("/ipfs/{links}/up", {}, id="symlink-that-leaves"),
        pytest.param("/ipfs/{many}/entry-04321.txt", {}, id="in-a-hamt"),
        pytest.param("/ipfs/{many}/nope", {}, id="not-in-a-hamt"),
        pytest.param("/ipfs/bafkqaaa", {}, id="probe"),
        pytest.param("/ipfs/bafkqaaa?format=raw", {}, id="raw-probe"),
        pytest.param("/ipfs/QmInvalidCID", {}, id="bad-cid"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_is_as_kubo_gives_it(
    world: World, car: Gateway, path: str, headers: dict[str, str], method: str
) -> None:
    target = path.format(**world.cids)
    ours, theirs = car.get(target, method, **headers), fetch(world.url + target, method, **headers)
    told = {name for name in SAME_HEADERS if name in theirs.headers}
    if "Range" in headers:
        told.discard("content-type")  # Kubo guesses from no bytes at all: text/plain
        if method == "HEAD":  # RFC 9110, 14.2: Range means something for GET only
            assert ours.status == 200
            return
    if theirs.status >= 400:
        told.clear()  # errors are pages of their own
    elif theirs.status >= 300:
        told &= {"location", "x-ipfs-path", "x-ipfs-roots"}
    elif theirs.headers["content-type"] == "inode/symlink":
        told.discard("accept-ranges")  # a target is not worth a range
    assert ours.status == theirs.status
    assert {n: ours.headers.get(n) for n in told} == {n: theirs.headers[n] for n in told}
    assert theirs.status >= 300 or ours.sha256 == theirs.sha256


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_kind_is_found(world: World, car: Gateway, name: str) -> None:
    target = f"/ipfs/{world.cids['names']}/{quote(name)}"
    ours, theirs = car.get(target), fetch(world.url + target)
    assert ours.body == f"I am {name}\n".encode()
    assert ours.body == theirs.body
    assert ours.headers["content-type"] == theirs.headers["content-type"]


def test_a_large_directory_is_listed_whole_without_its_children(world: World, folder: Path) -> None:
    with gateway(folder, world.url) as running:
        page = running.get(f"/ipfs/{world.cids['many']}/")
        assert page.status == 200
        assert running.api("cache")["bytes_fetched"] < 2 * MIB
        names = running.get(f"/ipfs/{world.cids['many']}/entry-{HAMT_ENTRIES - 1:05}.txt")
    assert names.body == f"entry {HAMT_ENTRIES - 1}\n".encode()
    assert b"entry-" in page.body


@pytest.mark.parametrize("name", ["v0-10MiB", "site", "many", "trickle"])
def test_a_car_is_as_kubo_gives_it(world: World, car: Gateway, name: str) -> None:
    target = f"/ipfs/{world.cids[name]}?format=car&dag-scope=entity"
    assert car.get(target).sha256 == fetch(world.url + target).sha256


def test_a_restart_keeps_the_cache(world: World, folder: Path) -> None:
    names = ["v0-46MiB", "v1-10MiB", "v1-1", "trickle"]
    with gateway(folder, world.url) as running:
        for name in names:
            running.get(f"/ipfs/{world.cids[name]}")
    with gateway(folder, "http://127.0.0.1:9") as alone:  # discard: nobody is there
        for name in names:
            found = alone.get(f"/ipfs/{world.cids[name]}")
            assert found.sha256 == world.range_of(name, 0, 400 * MIB)
            assert found.headers["x-cache-status"] == "HIT"


def _await_quarantined(running: Gateway, least: int) -> int:
    """Return how much was quarantined, once the writer of the cache has come so far."""
    deadline = time.monotonic() + 20
    while (count := int(running.api("cache")["quarantined"])) < least:
        if time.monotonic() > deadline:
            break
    return count


def test_a_flipped_bit_in_every_cached_file_is_healed(world: World, folder: Path) -> None:
    names = ["v0-10MiB", "v1-MiB+1", "v1-1", "names", "site"]
    paths = [
        f"/ipfs/{world.cids[name]}{'/' if name in ('names', 'site') else ''}" for name in names
    ]
    with gateway(folder, world.url) as running:
        whole = [running.get(path).sha256 for path in paths]
    files = [path for path in (folder / "cache").rglob("*") if path.is_file()]
    for number, path in enumerate(sorted(files)):
        data = bytearray(path.read_bytes())
        if data:
            data[number * 7919 % len(data)] ^= 1 << number % 8
            path.write_bytes(data)
    with gateway(folder, world.url) as running:
        assert [running.get(path).sha256 for path in paths] == whole
        assert _await_quarantined(running, 40) >= 40
    with gateway(folder, "http://127.0.0.1:9") as healed:
        assert [healed.get(path).sha256 for path in paths] == whole
