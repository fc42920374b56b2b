"""`serve` as an operator sees it: lines, exit codes, signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.processes.listeners import open_listener

pytestmark = pytest.mark.timeout(60)  # starting a process takes seconds on a busy machine

Start = Callable[..., "subprocess.Popen[str]"]
END_S = 30.0


@pytest.fixture(name="start")
def start_fixture(tmp_path: Path) -> Iterator[Start]:
    """Start `ipfs-gateway serve` with free ports and a cache folder of its own."""
    running: list[subprocess.Popen[str]] = []
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("GATEWAY_", "XDG_"))},
        "GATEWAY_SERVER__LISTEN": "127.0.0.1:0",
        "GATEWAY_ADMIN__LISTEN": "127.0.0.1:0",
        "GATEWAY_CACHE__DIRECTORY": str(tmp_path / "cache"),
    }

    def start(
        *arguments: str,
        stderr: int = subprocess.PIPE,
        wrapper: Sequence[str] = (),
        **variables: str,
    ) -> "subprocess.Popen[str]":
        process = subprocess.Popen(  # noqa: S603 (ourselves)
            [*wrapper, sys.executable, "-m", "gateway", "serve", *arguments],
            env=environment | variables,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def listening(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Return the URLs of content and admin listener, once they accept."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    assert all(line.startswith("listening on http://127.0.0.1:") for line in lines)
    content, admin = (line.split()[-1] for line in lines)
    return content, admin


def fill(fd: int) -> None:
    """Write to a pipe until nothing more fits; whoever blocks there does so for ever."""
    os.set_blocking(fd, False)
    with suppress(BlockingIOError):
        while True:
            os.write(fd, b"x")
    os.set_blocking(fd, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_zero(start: Start, number: signal.Signals) -> None:
    process = start()
    _, admin = listening(process)

    ready = httpx.get(f"{admin}/readyz").status_code
    process.send_signal(number)
    printed, _ = process.communicate(timeout=END_S)

    assert (ready, process.returncode, printed) == (200, 0, "")


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_a_signal_that_is_for_other_things_drains_it(
    start: Start, tmp_path: Path, name: str, workers: str
) -> None:
    """Issue 12, 25: it ended with 129 or 138 and left the file of its socket."""
    path = Path(os.path.relpath(tmp_path, "/")) / "gw.sock"
    process = start(GATEWAY_SERVER__LISTEN=f"unix:/{path}", GATEWAY_SERVER__WORKERS=workers)
    assert process.stdout is not None
    assert process.stdout.readline() == f"listening on unix:/{path}\n"

    process.send_signal(getattr(signal, name))
    _, told = process.communicate(timeout=END_S)

    assert (process.returncode, Path(f"/{path}").exists()) == (0, False)
    assert f"{name}: a reload is not supported" in told


def test_it_outlives_its_terminal_under_nohup(start: Start) -> None:
    process = start(wrapper=["nohup"])
    _, admin = listening(process)

    process.send_signal(signal.SIGHUP)
    ready = httpx.get(f"{admin}/readyz").status_code
    process.terminate()
    process.communicate(timeout=END_S)

    assert (ready, process.returncode) == (200, 0)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_ends_although_nobody_reads_its_log(start: Start, workers: str) -> None:
    """Issue 12, 25: standard error is a full pipe, and SIGTERM never ended it."""
    out, fd = os.pipe()
    fill(fd)
    process = start(stderr=fd, GATEWAY_SERVER__WORKERS=workers)
    content, _ = listening(process)
    served = httpx.get(f"{content}/ipfs/bafkqabtimvwgy3yk").content

    process.terminate()
    code = process.wait(timeout=END_S)
    os.close(out)
    os.close(fd)

    assert (served, code) == (b"hello\n", 0)


def test_an_error_that_nobody_reads_does_not_keep_it_from_ending(start: Start) -> None:
    out, fd = os.pipe()
    fill(fd)
    process = start(stderr=fd, GATEWAY_SERVER__LISTEN="8080")

    code = process.wait(timeout=END_S)
    os.close(out)
    os.close(fd)

    assert code == 2


def test_workers_serve_and_end_with_it(start: Start) -> None:
    process = start(GATEWAY_SERVER__WORKERS="2")
    content, _ = listening(process)

    body = httpx.get(f"{content}/ipfs/bafkqabtimvwgy3yk").content
    process.terminate()
    process.communicate(timeout=END_S)

    assert (body, process.returncode) == (b"hello\n", 0)


def test_a_rule_that_is_added_is_in_force_in_all_workers(start: Start, tmp_path: Path) -> None:
    """Also for an answer that is sent from ready bytes by then."""
    rules = tmp_path / "rules.deny"
    rules.write_text("# nothing yet\n")
    process = start(GATEWAY_SERVER__WORKERS="2", GATEWAY_DENYLIST__FILES=f'["{rules}"]')
    content, admin = listening(process)
    url = f"{content}/ipfs/bafkqabtimvwgy3yk"
    before = {httpx.get(url).status_code for _ in range(20)}

    with rules.open("a") as file:
        file.write("/ipfs/bafkqabtimvwgy3yk gateway_status:451 reason:order%207\n")
    until = time.monotonic() + END_S
    while {(answer := httpx.get(url)).status_code for _ in range(20)} != {451}:
        assert time.monotonic() < until, "the rule is not in force"
    state = httpx.get(f"{admin}/api/v1/denylist").json()

    assert before == {200}
    assert "blocked on this gateway: order 7" in answer.text
    assert (state["rules"], state["files"][0]["file"]) == (1, str(rules))


def test_a_unix_socket_is_told_by_its_path(start: Start, tmp_path: Path) -> None:
    path = Path(os.path.relpath(tmp_path, "/")) / "gw.sock"
    process = start(GATEWAY_SERVER__LISTEN=f"unix:/{path}")
    assert process.stdout is not None

    assert process.stdout.readline() == f"listening on unix:/{path}\n"

    process.terminate()
    process.communicate(timeout=END_S)
    assert not Path(f"/{path}").exists()


def test_without_upstreams_it_says_whom_it_asks(start: Start) -> None:
    process = start()
    listening(process)
    process.terminate()

    _, told = process.communicate(timeout=END_S)

    assert "no upstream is configured" in told
    assert "https://trustless-gateway.link" in told


def test_a_taken_address_is_an_error_of_the_machine(start: Start) -> None:
    with closing(open_listener("127.0.0.1:0")) as taken:
        address = str(taken).removeprefix("http://")
        process = start(GATEWAY_SERVER__LISTEN=address)
        printed, told = process.communicate(timeout=END_S)

    assert (process.returncode, printed) == (1, "")
    assert f"error: cannot listen on {address}: address already in use" in told.splitlines()


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_wrong_configuration_is_refused_by_its_keys(tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[server]\nlisten = "8080"\n[retrieval]\nmode = "fast"\n')

    result = CliRunner().invoke(app, ["serve", "--config", str(file), *arguments])

    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [
        "server.listen",
        "retrieval.mode",
    ]


def test_a_database_that_is_none_is_a_wrong_configuration(start: Start, tmp_path: Path) -> None:
    database = tmp_path / "geo.mmdb"
    database.write_bytes(b"not a database")

    process = start(GATEWAY_GEOIP__DATABASE=str(database))
    printed, told = process.communicate(timeout=END_S)

    assert (process.returncode, printed) == (2, "")
    assert "\nerror: geoip.database: " in f"\n{told}"


def test_checking_says_ok_and_serves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("")

    result = CliRunner().invoke(app, ["serve", "-c", str(file), "--check"])

    assert (result.exit_code, result.stdout) == (0, "configuration: ok\n")
