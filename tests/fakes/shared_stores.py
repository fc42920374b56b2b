"""Real servers for the shared tier, on free ports of loopback."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.rig.harness import free_port

START_S = 20.0


@contextmanager
def _running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603 (a program of the tests)
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + START_S
        while True:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, f"{command[0]} ended"
            assert time.monotonic() < until, f"{command[0]} does not listen"
            time.sleep(0.05)  # nothing tells when another process listens
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def redis_server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a Redis that keeps nothing; yields its URL, and the process."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: apt install redis-server")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with _running([*command, "--appendonly", "no", "--dir", "/tmp"], port) as process:  # noqa: S108 (writes nothing)
        yield f"redis://127.0.0.1:{port}/0", process


@contextmanager
def s3_server(bucket: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run an S3 server with one bucket; yields its URL, and the process."""
    port = free_port()
    program = str(Path(sys.executable).with_name("moto_server"))
    with _running([program, "-H", "127.0.0.1", "-p", str(port)], port) as process:
        url = f"http://127.0.0.1:{port}"
        request = urllib.request.Request(f"{url}/{bucket}", method="PUT")  # noqa: S310 (loopback)
        with suppress(OSError), urllib.request.urlopen(request, timeout=START_S):  # noqa: S310
            pass
        yield url, process
