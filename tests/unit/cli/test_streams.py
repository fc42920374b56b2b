"""Streams that are closed, full or broken cost what they would have carried, and nothing else.

Issue 12, 30.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

pytestmark = pytest.mark.timeout(60)  # starting a process takes seconds on a busy machine

END_S = 30.0
LOOK_S = 0.05


@pytest.fixture(name="folder")
def folder_fixture() -> Iterator[Path]:
    """Give a folder whose name leaves room for that of a socket."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def run(
    command: str, redirection: str, folder: Path, workers: str = "1"
) -> "subprocess.Popen[str]":
    """Run a command of the gateway with streams as a shell makes them."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GATEWAY_", "XDG_"))}
    environment |= {
        "GATEWAY_SERVER__LISTEN": f"unix:{folder}/content",
        "GATEWAY_SERVER__WORKERS": workers,
        "GATEWAY_ADMIN__LISTEN": f"unix:{folder}/admin",
        "GATEWAY_CACHE__DIRECTORY": f"{folder}/cache",
    }
    return subprocess.Popen(  # noqa: S603 (ourselves)
        ["/bin/sh", "-c", f'exec "$0" -m gateway {command} {redirection}', sys.executable],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )


def fetch_once_it_listens(process: "subprocess.Popen[str]", address: Path) -> bytes:
    """Fetch something; that it listens may be told to nobody."""
    while not can_connect(address):
        with suppress(subprocess.TimeoutExpired):
            pytest.fail(f"it ended with {process.wait(LOOK_S)}")
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(address))) as client:
        return client.get("http://localhost/ipfs/bafkqabtimvwgy3yk").content


def can_connect(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(address)) == 0


@pytest.mark.parametrize(
    ("redirection", "workers"),
    [
        pytest.param(">/dev/full", "1", id="stdout-full"),
        pytest.param(">&-", "1", id="stdout-closed"),
        pytest.param("2>/dev/full", "1", id="stderr-full"),
        pytest.param("2>&-", "1", id="stderr-closed"),
        pytest.param("<&- >&- 2>&-", "1", id="all-closed"),
        pytest.param("<&- >&- 2>&-", "2", id="all-closed-workers"),
        pytest.param("", "1", id="stdout-broken"),
    ],
)
def test_it_serves_and_ends_whatever_takes_its_lines(
    folder: Path, redirection: str, workers: str
) -> None:
    process = run("serve", redirection, folder, workers)
    assert process.stdout is not None
    process.stdout.close()
    try:
        served = fetch_once_it_listens(process, folder / "content")
    finally:
        process.terminate()
        code = process.wait(END_S)
        assert process.stderr is not None
        process.stderr.close()

    assert (served, code) == (b"hello\n", 0)


@pytest.mark.parametrize("command", ["cid bafkqaaa", "check-config /dev/null", "--help"])
def test_a_command_whose_output_is_lost_says_so(folder: Path, command: str) -> None:
    process = run(command, ">/dev/full", folder)

    _, told = process.communicate(timeout=END_S)

    assert process.returncode == 1
    assert told.splitlines()[-1] == "error: [Errno 28] No space left on device"


@pytest.mark.parametrize("redirection", ["2>/dev/full", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param("check-config /dev/null", 0, id="a-table"),
        pytest.param("cid oops", 2, id="wrong"),
        pytest.param("stats --url http://127.0.0.1:1", 1, id="no-answer"),
    ],
)
def test_the_exit_code_does_not_depend_on_who_reads(
    folder: Path, command: str, code: int, redirection: str
) -> None:
    process = run(command, redirection, folder)

    process.communicate(timeout=END_S)

    assert process.returncode == code
