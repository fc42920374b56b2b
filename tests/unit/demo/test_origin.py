import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typing_extensions import override

from gateway.content.block import verify
from gateway.content.build import Build, build_directory, build_file, build_hamt
from gateway.content.car import CarParser
from gateway.content.car_walk import walk_car
from gateway.content.cid import Cid
from gateway.content.walk import Scope
from gateway.demo.carfile import CarFile
from gateway.demo.origin import Origin
from gateway.demo.pack import write_car
from gateway.demo.runner import running_origin

_ABSENT = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
_MIB = 1024 * 1024


def _tree() -> Build:
    """Build `large.bin` (three leaves, the first and the last alike), `small.txt`, `many/`."""
    leaf = bytes(range(256)) * 4096
    large = yield from build_file(leaf + leaf[::-1] + leaf)
    small = yield from build_file(b"small")
    many = yield from build_hamt((f"{number}.txt", small) for number in range(300))
    entries = {"large.bin": large, "small.txt": small, "many": many}
    return (yield from build_directory(entries.items()))


@pytest.fixture(scope="module")
def car(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("origin") / "tree.car"
    write_car(path, _tree(), lambda _: None)
    return path


@pytest.fixture(scope="module")
def root(car: Path) -> Cid:
    parser = CarParser()
    parser.feed(car.read_bytes())
    assert parser.roots is not None
    return parser.roots[0]


class _Application(httpx.BaseTransport):
    """Asks an ASGI application in this process."""

    def __init__(self, app: Origin) -> None:
        self._transport = httpx.ASGITransport(app=app)

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._ask(request))

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        body = httpx.ByteStream(await answer.aread())
        return httpx.Response(answer.status_code, headers=answer.headers, stream=body)


@pytest.fixture(scope="module", params=["process", "application"])
def origin(car: Path, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """Speak to the process that the demo starts, and to the application in it alone."""
    if request.param == "process":
        with running_origin(car) as url, httpx.Client(base_url=url) as client:
            yield client
    else:
        with CarFile(car) as blocks:
            transport = _Application(Origin(blocks))
            with httpx.Client(transport=transport, base_url="http://origin.test") as client:
                yield client


def _ordered(
    car: Path, root: Cid, segments: tuple[str, ...], *wanted: object, dups: bool = False
) -> list[bytes]:
    """Return the multihashes that `walk_car` asks for."""
    asked: list[bytes] = []
    with CarFile(car) as blocks:
        walk = walk_car(root, segments, *wanted, is_unique=not dups)  # type: ignore[arg-type]
        try:
            want = next(walk)
            while True:
                asked.append(want.cid.multihash)
                want = walk.send(blocks.get(want.cid))
        except StopIteration:
            return asked if dups else list(dict.fromkeys(asked))


def _sections(response: httpx.Response) -> list[bytes]:
    """Return the multihashes of a CAR response; every block is verified."""
    parser = CarParser()
    sections = parser.feed(response.content)
    parser.finish()
    return [verify(cid, data).cid.multihash for cid, data in sections]


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        pytest.param((), "", (Scope.ALL,), id="everything"),
        pytest.param(("large.bin",), "&dag-scope=entity", (Scope.ENTITY,), id="file"),
        pytest.param(
            ("large.bin",),
            "&entity-bytes=1048576:1048577",
            (Scope.ENTITY, _MIB, _MIB + 2),
            id="range",
        ),
        pytest.param(("large.bin",), "&entity-bytes=-5:*", (Scope.ENTITY, -5), id="last-bytes"),
        pytest.param(("many",), "&dag-scope=entity", (Scope.ENTITY,), id="hamt"),
        pytest.param(("many", "7.txt"), "&dag-scope=block", (Scope.BLOCK,), id="hamt-entry"),
    ],
)
def test_a_car_holds_what_the_walk_asks_for(
    car: Path,
    root: Cid,
    origin: httpx.Client,
    path: tuple[str, ...],
    query: str,
    wanted: tuple[object, ...],
) -> None:
    response = origin.get(f"/ipfs/{'/'.join((str(root), *path))}?format=car{query}")
    assert response.status_code == 200
    assert response.headers["content-type"] == (
        "application/vnd.ipld.car; version=1; order=dfs; dups=n"
    )
    assert _sections(response) == _ordered(car, root, path, *wanted)


def test_a_car_repeats_blocks_when_asked_to(car: Path, root: Cid, origin: httpx.Client) -> None:
    accept = {"Accept": "application/vnd.ipld.car; version=1; order=dfs; dups=y"}
    response = origin.get(f"/ipfs/{root}/large.bin?dag-scope=entity", headers=accept)
    sections = _sections(response)
    assert response.headers["content-type"].endswith("dups=y")
    assert sections == _ordered(car, root, ("large.bin",), Scope.ENTITY, dups=True)
    assert len(sections) == len(set(sections)) + 1


def test_an_absent_name_is_proven_by_the_blocks_before_it(root: Cid, origin: httpx.Client) -> None:
    response = origin.get(f"/ipfs/{root}/nothing.txt?format=car")
    assert response.status_code == 200
    assert _sections(response) == [root.multihash]


def test_a_path_below_a_file_is_disproved_by_the_file(root: Cid, origin: httpx.Client) -> None:
    """Issue 12, 18: the connection broke off."""
    sections = _sections(origin.get(f"/ipfs/{root}/small.txt/nothing?format=car"))
    assert sections == _sections(origin.get(f"/ipfs/{root}/small.txt?format=car"))


def test_a_raw_block_is_its_bytes(root: Cid, origin: httpx.Client) -> None:
    response = origin.get(f"/ipfs/{root}?format=raw")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/vnd.ipld.raw"
    assert verify(root, response.content).cid == root


def test_a_raw_block_is_found_by_path(root: Cid, origin: httpx.Client) -> None:
    assert origin.get(f"/ipfs/{root}/small.txt?format=raw").content == b"small"


def test_the_probe_is_answered(origin: httpx.Client) -> None:
    response = origin.get("/ipfs/bafkqaaa?format=raw")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("form", ["raw", "car"])
def test_head_tells_the_same_without_a_body(root: Cid, origin: httpx.Client, form: str) -> None:
    told = origin.head(f"/ipfs/{root}?format={form}")
    whole = origin.get(f"/ipfs/{root}?format={form}")
    assert told.content == b""
    assert _described(told) == _described(whole)


def _described(response: httpx.Response) -> dict[str, str]:
    """Return the header without what is of the moment or of the framing."""
    framing = ("date", "transfer-encoding")
    return {name: value for name, value in response.headers.items() if name not in framing}


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        pytest.param(f"/ipfs/{_ABSENT}?format=raw", {}, 404, id="absent-raw"),
        pytest.param(f"/ipfs/{_ABSENT}?format=car", {}, 404, id="absent-car"),
        pytest.param(
            f"/ipfs/{_ABSENT}?format=raw",
            {"Cache-Control": "only-if-cached"},
            412,
            id="absent-only-if-cached",
        ),
        pytest.param("/ipfs/{root}/nothing?format=raw", {}, 404, id="absent-name"),
        pytest.param("/ipfs/{root}", {}, 406, id="not-trustless"),
        pytest.param("/ipfs/{root}?format=car&dag-scope=some", {}, 400, id="bad-scope"),
        pytest.param("/ipfs/nonsense?format=raw", {}, 400, id="bad-cid"),
        pytest.param("/", {}, 400, id="no-path"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    root: Cid, origin: httpx.Client, target: str, headers: dict[str, str], status: int
) -> None:
    response = origin.get(target.format(root=root), headers=headers)
    assert response.status_code == status
    assert response.text.endswith("\n")


def test_a_hole_in_the_file_breaks_the_answer_off(tmp_path: Path) -> None:
    def without_leaves() -> Build:
        build = build_file(bytes(_MIB) + bytes([1]) * _MIB)
        while True:
            try:
                block = next(build)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            if len(block.data) < _MIB:
                yield block

    car = tmp_path / "hole.car"
    built = write_car(car, without_leaves(), lambda _: None)
    with running_origin(car) as url, pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        httpx.get(f"{url}/ipfs/{built.cid}?format=car")
