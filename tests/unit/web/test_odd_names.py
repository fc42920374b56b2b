"""Directories with names that no path has, or that are not UTF-8: issue 12, 11."""

import http.client
import io
import socket
import tarfile

import pytest

from gateway.content.car import CarParser
from gateway.content.cid import parse_cid
from gateway.content.entry_name import decode_name, encode_name
from tests.fakes.dag_forge import Forge
from tests.unit.web.conftest import Listening

LATIN = decode_name(b"caf\xe9.txt")


def odd_directory(listening: Listening) -> str:
    forge = Forge()
    file = forge.raw(b"hello")
    names = ("", ".", "..", "a", "a", "b/c", LATIN, "\u202egnp.exe")
    root = forge.directory(*[(name, file) for name in names])
    listening.have(*forge.blocks.values())
    return str(root)


class _Received(socket.socket):
    """Bytes that came, as `http.client` wants them."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data

    def makefile(self, *_args: object, **_more: object) -> io.BytesIO:  # type: ignore[override]
        return io.BytesIO(self._data)


async def get(listening: Listening, target: str) -> bytes:
    """Return the body of an answer, without its chunks."""
    with _Received(await listening.get(target)) as received:
        response = http.client.HTTPResponse(received)
        response.begin()
        assert response.status == 200
        return response.read()


@pytest.mark.parametrize("name", ["a", "caf%E9.txt", "caf%e9.txt"])
async def test_every_name_that_a_path_has_is_served(listening: Listening, name: str) -> None:
    root = odd_directory(listening)
    assert await get(listening, f"/ipfs/{root}/{name}") == b"hello"


async def test_a_name_with_a_slash_is_reached_by_no_path(listening: Listening) -> None:
    """As Kubo: `%2F` and `/` alike are 404; the entries beside it are served."""
    root = odd_directory(listening)
    for path in ("b%2Fc", "b/c"):
        answer = await listening.get(f"/ipfs/{root}/{path}")
        assert answer.startswith(b"HTTP/1.1 404 ")


async def test_the_file_keeps_the_escapes_of_its_name(listening: Listening) -> None:
    root = odd_directory(listening)
    answer = await listening.get(f"/ipfs/{root}/caf%E9.txt?download=true")

    assert b"filename*=UTF-8''caf%25E9.txt" in answer


async def test_a_name_that_is_not_there_is_named_in_the_answer(listening: Listening) -> None:
    root = odd_directory(listening)
    for accept in ("text/html", "application/json", "text/plain"):
        answer = await listening.get(f"/ipfs/{root}/%ff", f"Accept: {accept}")
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"%FF" in answer


async def test_the_listing_escapes_what_is_no_text(listening: Listening) -> None:
    root = odd_directory(listening)
    page = await get(listening, f"/ipfs/{root}/")

    assert f'href="/ipfs/{root}/caf%E9.txt"'.encode() in page
    assert b">caf%E9.txt<" in page


async def test_the_listing_leads_to_unreachable_names_by_cid(listening: Listening) -> None:
    root = odd_directory(listening)
    page = await get(listening, f"/ipfs/{root}/")

    assert f'href="/ipfs/{root}/."'.encode() not in page
    assert f'href="/ipfs/{root}/b%2Fc"'.encode() not in page
    assert b"?filename=.." in page


async def test_the_car_is_whole(listening: Listening) -> None:
    root = odd_directory(listening)
    parser = CarParser()
    cids = [cid for cid, _ in parser.feed(await get(listening, f"/ipfs/{root}?format=car"))]
    parser.finish()

    assert len(cids) == 2
    assert cids[0] == parse_cid(root)


async def test_the_tar_has_all_that_can_be_written(listening: Listening) -> None:
    root = odd_directory(listening)
    data = await get(listening, f"/ipfs/{root}?format=tar")

    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as tar:
        names = [encode_name(member.name.removeprefix(f"{root}/")) for member in tar]
    assert names[1:] == [b"a", b"b/c", b"caf\xe9.txt", "\u202egnp.exe".encode()]


@pytest.mark.parametrize("query", ["", "?format=car", "?format=tar", "?format=raw"])
async def test_a_head_of_an_odd_path_has_its_fields(listening: Listening, query: str) -> None:
    root = odd_directory(listening)
    answer = await listening.get(f"/ipfs/{root}/caf%E9.txt{query}", method="HEAD")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert f"ipfs-path: /ipfs/{root}/caf%E9.txt".encode() in answer.lower().replace(b"%e9", b"%E9")
