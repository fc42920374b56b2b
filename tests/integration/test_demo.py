"""`ipfs-gateway demo` as a person starts it: an empty home, one command."""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from benchmarks.rig.harness import free_port, stop
from gateway.demo.pack import DEMO_ROOT
from gateway.demo.video import VIDEO_BYTES, video_pieces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that is running."""

    process: subprocess.Popen[bytes]
    site: httpx.Client
    """Its base is the first page, without the last slash."""
    admin: httpx.Client
    output: Path


def _start(home: Path, listen: str, admin: str) -> subprocess.Popen[bytes]:
    kept = {"PATH": os.environ["PATH"], "HOME": str(home)}
    settings = {"GATEWAY_SERVER__LISTEN": listen, "GATEWAY_ADMIN__LISTEN": admin}
    with (home / "output").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "gateway", "demo"],
            env=kept | settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def _running(home: Path) -> Iterator[Demo]:
    content, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
    process = _start(home, content, admin)
    output = home / "output"
    try:
        deadline = time.monotonic() + _START_S
        while f"listening on http://{admin}" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        site = httpx.Client(base_url=f"http://{content}/ipfs/{DEMO_ROOT}", timeout=30)
        with site, httpx.Client(base_url=f"http://{admin}", timeout=30) as operators:
            yield Demo(process, site, operators, output)
    finally:
        stop(process)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with _running(tmp_path_factory.mktemp("home")) as running:
        yield running


def test_the_first_page_is_there(demo: Demo) -> None:
    page = demo.site.get("/")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "was verified" in page.text
    assert str(page.url) in demo.output.read_text()


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        pytest.param("/style.css", "text/css", id="style"),
        pytest.param("/picture.png", "image/png", id="picture"),
        pytest.param("/icon.svg", "image/svg+xml", id="icon"),
        pytest.param(
            "/names/%C3%A9t%C3%A9%20%E6%97%A5%E6%9C%AC%E8%AA%9E%20%F0%9F%8C%8D.txt",
            "text/plain",
            id="unicode",
        ),
        pytest.param("/names/100%25%20%26%20more%3F.txt", "text/plain", id="percent"),
    ],
)
def test_every_sort_of_file_has_its_type(demo: Demo, path: str, content_type: str) -> None:
    answer = demo.site.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(content_type)


def test_a_jump_into_the_video_fetches_only_what_it_shows(demo: Demo) -> None:
    before = demo.admin.get("/api/v1/cache").json()["bytes_fetched"]
    answer = demo.site.get("/media/clock.mp4", headers={"Range": "bytes=50000000-50000099"})
    after = demo.admin.get("/api/v1/cache").json()["bytes_fetched"]
    video = b"".join(video_pieces())
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes 50000000-50000099/{VIDEO_BYTES}"
    assert answer.content == video[50_000_000:50_000_100]
    assert after - before < 3 * 1024 * 1024


def test_the_whole_video_is_the_same_cold_and_warm(demo: Demo) -> None:
    wanted = hashlib.sha256(b"".join(video_pieces())).hexdigest()
    for _ in range(2):
        assert hashlib.sha256(demo.site.get("/media/clock.mp4").content).hexdigest() == wanted


def test_the_large_directory_is_listed_and_searched(demo: Demo) -> None:
    listing = demo.site.get("/many/", headers={"Accept": "text/html"})
    assert listing.text.count("entry-") >= 2000
    assert demo.site.get("/many/entry-1999.txt").text.startswith("This is file 1999 of 2000")
    assert demo.site.get("/many/entry-2000.txt").status_code == 404


def test_an_address_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = _start(tmp_path, address, f"127.0.0.1:{free_port()}")
        assert process.wait(_START_S) not in (0, 2)
    told = (tmp_path / "output").read_text()
    assert f"cannot listen on {address}: address already in use" in told


def test_the_demo_stops_with_its_upstream(tmp_path: Path) -> None:
    with _running(tmp_path) as demo:
        upstream = demo.admin.get("/api/v1/upstreams").json()[0]["url"]
        assert httpx.get(f"{upstream}/ipfs/bafkqaaa?format=raw").status_code == 200
        assert stop(demo.process) == 0
    with pytest.raises(httpx.ConnectError, match="refused"):
        httpx.get(upstream)
