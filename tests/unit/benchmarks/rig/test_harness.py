import os
import sys
import urllib.request
from pathlib import Path

import pytest

from benchmarks.rig import harness
from benchmarks.rig.harness import (
    Missing,
    MissingUnpackaged,
    NotStarted,
    free_port,
    program,
    running,
)


def _http_server(port: int) -> list[str]:
    return [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]


def test_a_server_answers_is_measured_and_ends_with_the_block(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(_http_server(port), url, tmp_path / "log") as server:
        urllib.request.urlopen(url, timeout=5).close()
        assert server.cpu_s() > 0
        assert server.rss_bytes() > 1_000_000
    with pytest.raises(ProcessLookupError, match="No such process"):
        os.kill(server.pid, 0)
    assert "GET / " in server.log.read_text()


def test_a_frozen_server_answers_when_it_is_thawed(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(_http_server(port), url, tmp_path / "log") as server:
        server.freeze()
        with pytest.raises(TimeoutError, match="timed out"):
            urllib.request.urlopen(url, timeout=0.1)
        server.thaw()
        assert urllib.request.urlopen(url, timeout=5).status == 200


def test_a_server_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no good reason')"]
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NotStarted, match="no good reason"), running(command, url, tmp_path / "log"):
        pass


def test_a_missing_program_is_told_with_how_to_get_it() -> None:
    with pytest.raises(Missing, match="apt-get install nothing"):
        program("a-program-that-nobody-has", "apt-get install nothing")


def test_a_missing_program_of_no_registry_is_told_as_such() -> None:
    with pytest.raises(MissingUnpackaged, match="build it yourself"):
        program("a-program-that-nobody-has", "build it yourself", is_packaged=False)


def test_programs_are_found_where_ci_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = tmp_path / "a-peer"
    peer.touch(0o755)
    monkeypatch.setattr(harness, "PEERS", tmp_path)
    assert program("a-peer", "nowhere") == peer
