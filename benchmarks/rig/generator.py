"""Load on one address: `wrk` when it is here, else a few lines of asyncio."""

import asyncio
import re
import subprocess
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.rig.harness import Missing, pinned, program

_READ_BYTES = 256 * 1024
_TIMEOUT_S = 30
_COUNTED = re.compile(r"(\d+) requests in [\d.]+(?:ms|s|m), ([\d.]+)([KMGT]?)B read")
_LATENCY = r"{percent}%\s+([\d.]+)(us|ms|s)"
_FAILED = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.+)")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class LoadFailed(Exception):
    """Some answers were errors: the figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server was made to do."""

    requests: int
    seconds: float
    size_bytes: int
    """Received, heads included."""
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def make_load(url: str, seconds: float, connections: int, *, core: int | None = None) -> Load:
    """Ask for one address over keep-alive connections, as fast as answers come.

    Raises:
        LoadFailed: not every answer was a success.
    """
    try:
        return _run_wrk(url, seconds, connections, core)
    except Missing:
        return asyncio.run(ask_without_wrk(url, seconds, connections))


def _run_wrk(url: str, seconds: float, connections: int, core: int | None) -> Load:
    wrk = program("wrk", "apt-get install wrk")
    duration = f"-d{max(1, round(seconds))}s"
    patience = ("--timeout", f"{_TIMEOUT_S}s")
    command = [str(wrk), "-t1", f"-c{connections}", duration, *patience, "--latency", url]
    with pinned(core):
        process = subprocess.Popen(  # noqa: S603 (a program of ours, no shell)
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    started = time.monotonic()
    output = process.communicate()[0]
    return parse_wrk(output, time.monotonic() - started)


def parse_wrk(output: str, seconds: float) -> Load:
    """Read the figures that `wrk --latency` prints.

    Raises:
        LoadFailed: it saw errors, or printed something else.
    """
    counted, failed = (pattern.search(output) for pattern in (_COUNTED, _FAILED))
    p50, p99 = (re.search(_LATENCY.format(percent=percent), output) for percent in (50, 99))
    if failed or not counted or not p50 or not p99:
        raise LoadFailed(failed[0] if failed else output[-500:])
    return Load(
        requests=int(counted[1]),
        seconds=seconds,
        size_bytes=int(float(counted[2]) * _UNITS[counted[3]]),
        p50_ms=float(p50[1]) * _MS[p50[2]],
        p99_ms=float(p99[1]) * _MS[p99[2]],
    )


async def ask_without_wrk(url: str, seconds: float, connections: int) -> Load:
    """Do what `make_load` does, slower: enough for CPU time a request, not for rates.

    Raises:
        LoadFailed: not every answer was a success.
    """
    started = time.monotonic()
    parts = await asyncio.gather(*(_ask_on_one(url, started + seconds) for _ in range(connections)))
    took = time.monotonic() - started
    latencies = sorted(latency for part, _ in parts for latency in part)
    if not latencies:
        raise LoadFailed(f"no answer from {url} in {seconds} s")
    p50, p99 = (latencies[len(latencies) * percent // 100] for percent in (50, 99))
    size_bytes = sum(size for _, size in parts)
    return Load(len(latencies), took, size_bytes, p50 * 1000, p99 * 1000)


async def _ask_on_one(url: str, until: float) -> tuple[list[float], int]:
    """Return the seconds of each answer, and the bytes of all."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        address.hostname, address.port, limit=_READ_BYTES
    )
    head = f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()
    latencies: list[float] = []
    size = 0
    try:
        while (started := time.monotonic()) < until:
            writer.write(head)
            size += await _read_answer(reader)
            latencies.append(time.monotonic() - started)
    finally:
        writer.close()
    return latencies, size


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    if not head.startswith(b"HTTP/1.1 2") or not length:
        raise LoadFailed(head.decode("latin-1"))
    left = int(length[1])
    while left:
        left -= len(await reader.readexactly(min(left, _READ_BYTES)))
    return len(head) + int(length[1])
