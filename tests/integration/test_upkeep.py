"""Purge, pin and warm, from the command line to two real workers and back."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from benchmarks.rig.harness import free_port, stop
from gateway.demo.pack import DEMO_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

START_S = 90.0
WITHIN_S = 5.0
CONNECTIONS = 12
"""Enough for both workers to get some; which one gets a connection is for the kernel to say."""


class Gateway:
    """A demo with two workers."""

    def __init__(self, content: str, admin: str, environment: dict[str, str]) -> None:
        self.url = f"http://{content}/ipfs/{DEMO_ROOT}/"
        self.admin = f"http://{admin}"
        self._environment = environment

    def run(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 (our own command)
            [sys.executable, "-m", "gateway", *arguments, "--url", self.admin],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def cached_statuses(self) -> set[int]:
        """Ask for what is cached only, over connections of their own."""
        fields = {"cache-control": "only-if-cached"}
        return {httpx.get(self.url, headers=fields).status_code for _ in range(CONNECTIONS)}

    def heat(self) -> set[str]:
        """Ask until both workers answer from finished answers; return where answers came from."""
        answers = [httpx.get(self.url) for _ in range(4 * CONNECTIONS)]
        return {answer.headers["cache-status"] for answer in answers}


@contextmanager
def running(home: Path) -> Iterator[Gateway]:
    content, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    settings = {
        "GATEWAY_SERVER__LISTEN": content,
        "GATEWAY_SERVER__WORKERS": "2",
        "GATEWAY_ADMIN__LISTEN": admin,
        "GATEWAY_LIMITS__REQUESTS": "",
    }
    output = home / "output"
    with output.open("wb") as opened:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "demo"],
            env=environment | settings,
            stdout=opened,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_S
        while f"listening on http://{admin}" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        yield Gateway(content, admin, environment)
    finally:
        stop(process)


@pytest.fixture(name="gateway", scope="module")
def gateway_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("home")) as gateway:
        yield gateway


def test_a_purge_is_everywhere_within_seconds(gateway: Gateway) -> None:
    gateway.heat()
    assert any("detail=hot" in status for status in gateway.heat())
    shown = gateway.run("purge", "--recursive", str(DEMO_ROOT))
    until = time.monotonic() + WITHIN_S
    while gateway.cached_statuses() != {412}:
        assert time.monotonic() < until
    assert str(DEMO_ROOT) in shown


def test_what_was_warmed_is_there_before_anybody_asks(gateway: Gateway) -> None:
    gateway.run("purge", "--recursive", str(DEMO_ROOT))
    shown = gateway.run("warm", str(DEMO_ROOT))
    assert "done" in shown
    assert gateway.cached_statuses() == {200}


def test_pinned_content_survives_a_purge_until_it_is_unpinned(gateway: Gateway) -> None:
    gateway.run("pin", str(DEMO_ROOT))
    assert "pinned blocks stayed" in gateway.run("purge", "--recursive", str(DEMO_ROOT))
    assert gateway.cached_statuses() == {200}
    figures = httpx.get(f"{gateway.admin}/api/v1/cache").json()
    assert (figures["pins"], figures["pinned_bytes"] > 0) == (1, True)
    gateway.run("pin", "--remove", str(DEMO_ROOT))
    until = time.monotonic() + WITHIN_S
    while gateway.cached_statuses() != {412}:
        gateway.run("purge", "--recursive", str(DEMO_ROOT))
        assert time.monotonic() < until
