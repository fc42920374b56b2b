"""Every format from a real gateway process: HEAD, CORS, ranges, crowds, and upstreams that lie."""

import asyncio
import io
import tarfile
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.content.block import Block
from gateway.content.build import Profile, build_directory, build_file, collect
from gateway.content.cid import CBOR, DAG_CBOR, DAG_JSON, JSON
from gateway.content.ipld import Value
from gateway.protocol.headers import CORS
from tests.fakes import lies
from tests.fakes.blocks import block_of
from tests.fakes.documents import encode_cbor, encode_json
from tests.fakes.lying_upstream import Behaviour, LyingUpstream
from tests.integration.conftest import KIB, Answer, Gateway, gateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60), pytest.mark.xdist_group("formats")]

TIMEOUTS = '[retrieval]\nfirst_byte_timeout = "500ms"\nidle_timeout = "500ms"\n'
PROFILE = Profile(chunk_bytes=16 * KIB, max_links=4, raw_leaves=True, cid_version=1)
FILE = bytes(range(256)) * 400  # seven leaves of 16 KiB
TEXT = b'{"a": "file with JSON in it"}\n'
DOCUMENT: Value = {"name": "a document", "list": [1, 2, 3]}
CROWD = 60
VARYING = {
    "date",
    "server-timing",
    "cache-status",
    "x-cache-status",
    "transfer-encoding",
    "connection",
    "ratelimit-remaining",
    "ratelimit-reset",
}
"""Fields that differ between two answers, or that HEAD may leave out: RFC 9110, 9.3.2."""
HTML = "text/html,application/xhtml+xml"


@dataclass(frozen=True, slots=True)
class Content:
    """What the upstreams have, and where."""

    blocks: list[Block]
    places: dict[str, str]
    """Placeholders of `FORMATS`."""


def _build() -> Content:
    file, blocks = collect(build_file(FILE, PROFILE))
    text, more = collect(build_file(TEXT))
    root, rest = collect(build_directory([("data.json", text), ("file.bin", file)]))
    documents = {
        "dag_json": block_of(encode_json(DOCUMENT), DAG_JSON),
        "dag_cbor": block_of(encode_cbor(DOCUMENT), DAG_CBOR),
        "json": block_of(encode_json(DOCUMENT), JSON),
        "cbor": block_of(encode_cbor(DOCUMENT), CBOR),
    }
    places = {"root": str(root.cid), "file": str(file.cid)}
    places |= {name: str(block.cid) for name, block in documents.items()}
    return Content([*blocks, *more, *rest, *documents.values()], places)


CONTENT = _build()
FORMATS: dict[str, tuple[str, dict[str, str]]] = {
    "file": ("/ipfs/{file}", {}),
    "file-in-a-directory": ("/ipfs/{root}/file.bin", {}),
    "range": ("/ipfs/{file}", {"Range": "bytes=20000-60000"}),
    "ranges": ("/ipfs/{file}", {"Range": "bytes=0-9,50000-50009"}),
    "listing": ("/ipfs/{root}/", {}),
    "raw": ("/ipfs/{root}?format=raw", {}),
    "car": ("/ipfs/{root}?format=car", {}),
    "car-of-a-path": ("/ipfs/{root}/file.bin", {"Accept": "application/vnd.ipld.car"}),
    "tar": ("/ipfs/{root}?format=tar", {}),
    "tar-of-a-file": ("/ipfs/{file}", {"Accept": "application/x-tar"}),
    "json-in-a-file": ("/ipfs/{root}/data.json?format=json", {}),
    "dag-json": ("/ipfs/{dag_json}", {}),
    "dag-json-as-json": ("/ipfs/{dag_json}?format=json", {}),
    "dag-cbor": ("/ipfs/{dag_cbor}?format=dag-cbor", {}),
    "dag-cbor-range": ("/ipfs/{dag_cbor}", {"Range": "bytes=1-4"}),
    "dag-cbor-ranges": ("/ipfs/{dag_cbor}", {"Range": "bytes=1-4,6-7"}),
    "json": ("/ipfs/{json}", {}),
    "cbor": ("/ipfs/{cbor}", {"Accept": "application/cbor"}),
    "preview": ("/ipfs/{dag_cbor}/", {"Accept": HTML}),
}
"""Path and header fields, by name."""
PROBLEMS: dict[str, tuple[str, dict[str, str], int]] = {
    "no-such-name": ("/ipfs/{root}/nope", {}, 404),
    "slash": ("/ipfs/{root}", {}, 301),
    "bad-cid": ("/ipfs/nonsense", {}, 400),
    "other-codec": ("/ipfs/{dag_json}?format=dag-cbor", {}, 406),
    "not-cached": (
        "/ipfs/bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
        {"Cache-Control": "only-if-cached"},
        412,
    ),
    "outside": ("/ipfs/{file}", {"Range": "bytes=900000-"}, 416),
    "inside-a-block": ("/ipfs/{dag_cbor}/list", {}, 501),
    "no-page": ("/metrics", {}, 404),
}


async def _get(running: Gateway, name: str, method: str = "GET", **more: str) -> Answer:
    path, fields = FORMATS[name]
    path = path.format(**CONTENT.places)
    return await asyncio.to_thread(running.get, path, method, **{**fields, **more})


@pytest.fixture(name="running", scope="module")
async def running_fixture(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway before an honest upstream."""
    async with LyingUpstream(CONTENT.blocks) as honest:
        with gateway(tmp_path_factory.mktemp("honest"), honest.settings.url) as running:
            yield running


@pytest.mark.parametrize("name", FORMATS)
async def test_a_head_has_the_fields_of_its_get(running: Gateway, name: str) -> None:
    got, told = await _get(running, name), await _get(running, name, "HEAD")
    assert (told.size, told.status) == (0, 200)
    fields = set(got.headers) - VARYING
    if got.status == 206:  # RFC 9110, 14.2: a range means something for GET only
        fields -= {"content-length", "content-range", "content-type"}
    assert {n: told.headers.get(n) for n in fields} == {n: got.headers[n] for n in fields}


@pytest.mark.parametrize("name", FORMATS)
async def test_what_is_known_is_not_sent_again(running: Gateway, name: str) -> None:
    first = await _get(running, name)
    again = await _get(running, name, **{"If-None-Match": first.headers["etag"]})
    assert (again.status, again.size) == (304, 0)
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers.get("cache-control") == first.headers.get("cache-control")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_any_page_may_use_any_answer(running: Gateway, name: str, method: str) -> None:
    _assert_cors(await _get(running, name, method))


@pytest.mark.parametrize("name", PROBLEMS)
async def test_any_page_may_see_what_went_wrong(running: Gateway, name: str) -> None:
    path, fields, status = PROBLEMS[name]
    answer = await asyncio.to_thread(running.get, path.format(**CONTENT.places), **fields)
    assert answer.status == status
    _assert_cors(answer)


def _assert_cors(answer: Answer) -> None:
    expected = {name.decode(): value.decode() for name, value in CORS}
    assert {name: answer.headers.get(name) for name in expected} == expected


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 (http:// of ours)
        data: bytes = answer.read()
        return data


async def test_a_tar_is_the_files(running: Gateway) -> None:
    path = f"/ipfs/{CONTENT.places['root']}?format=tar"
    data = await asyncio.to_thread(_read, running.server.url + path)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {m.name: archive.extractfile(m) for m in archive.getmembers() if m.isfile()}
        files = {name: file.read() for name, file in found.items() if file is not None}
    root = CONTENT.places["root"]
    assert files == {f"{root}/data.json": TEXT, f"{root}/file.bin": FILE}


async def test_a_liar_alone_gets_nothing_through(folder: Path) -> None:
    async with LyingUpstream(CONTENT.blocks, lies.flip()) as liar:
        with gateway(folder, liar.settings.url, extra=TIMEOUTS) as running:
            answers = {name: await _get(running, name) for name in FORMATS}
            kept = await asyncio.to_thread(running.api, "cache")
    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(FORMATS, 502)
    assert [name for name, answer in answers.items() if b"upstream-0" not in answer.body] == []
    assert kept["blocks"] == 0


@pytest.mark.parametrize(
    ("lie", "names"),
    [
        pytest.param(lies.flip(), ("file", "car", "tar", "listing", "dag-cbor"), id="flipped-bit"),
        pytest.param(lies.reset(1), ("ranges", "car", "tar"), id="cut-off"),
    ],
)
async def test_a_liar_beside_an_honest_upstream_is_not_felt(
    folder: Path, running: Gateway, lie: Behaviour, names: tuple[str, ...]
) -> None:
    for name in names:
        expected = await _get(running, name)
        async with (
            LyingUpstream(CONTENT.blocks, lie) as liar,
            LyingUpstream(CONTENT.blocks) as honest,
        ):
            urls = (liar.settings.url, honest.settings.url)
            with gateway(folder / name, *urls, extra=TIMEOUTS) as other:
                answer = await _get(other, name)
        assert liar.log
        assert (name, answer.status, answer.size) == (name, expected.status, expected.size)
        assert answer.sha256 == expected.sha256


@pytest.mark.parametrize("name", ["car", "tar", "listing", "ranges"])
async def test_a_crowd_causes_one_fetch(folder: Path, running: Gateway, name: str) -> None:
    expected = await _get(running, name)
    async with LyingUpstream(CONTENT.blocks) as honest:
        with gateway(folder, honest.settings.url) as other:
            answers = await asyncio.gather(*(_get(other, name) for _ in range(CROWD)))
    assert {answer.sha256 for answer in answers} == {expected.sha256}
    assert honest.sent_bytes <= 1.05 * sum(len(block.data) + 100 for block in CONTENT.blocks)
