"""Cached answers: our gateway against nginx serving the same bytes as static files.

    python -m benchmarks.hits [--smoke]

Each server has one core (nginx one worker, the gateway one process with its threads), the load
another one. Neither writes an access log. Every body is compared once before it is measured.
"""

import hashlib
import http.client
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.content import KIB, MIB, Packed, digest, pack, random_bytes
from benchmarks.generator import make_load
from benchmarks.harness import Missing, Server, cores, free_port, running_gateway, running_nginx
from benchmarks.report import Table, publish
from gateway.demo.runner import running_origin

CPU_BAR_US = 80
"""CPU of the gateway process for a hit of 10 KiB."""
STREAM_BAR = 0.5
"""Rate of a 64 MiB hit as a part of nginx's."""

_LONG_ENOUGH_TO_WARM_S = 2
"""Runs of less are to show that it works, not how well."""
_WARM_REQUESTS = 4
"""Until an answer is where it stays: fetched, then kept, then finished."""

_NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log logs/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=1000;
    keepalive_requests 100000000;
    default_type application/octet-stream;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;
    server {{ listen 127.0.0.1:{port}; root files; }}
}}
"""
GATEWAY = """
[server]
max_concurrent_requests = 4096
[cache]
directory = "{folder}/cache"
memory_size = "{memory}"
[limits]
requests = ""
[log]
access = "off"
[[upstreams]]
name = "origin"
url = "{origin}"
tier = "cluster"
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One figure: a file of one size, asked for over a number of connections."""

    label: str
    size: int
    connections: int
    is_from_disk: bool = False

    @property
    def name(self) -> str:
        """The file's name, the same in the site and in nginx's folder."""
        return f"{self.size}.bin"


CASES = (
    Case("1 KiB", KIB, 64),
    Case("10 KiB", 10 * KIB, 64),
    Case("256 KiB", 256 * KIB, 64),
    Case("1 MiB", MIB, 16),
    Case("64 MiB", 64 * MIB, 4),
    Case("64 MiB from disk", 64 * MIB, 4, is_from_disk=True),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load cost a server."""

    rate: float
    """Answers a second; those of which only a part came count as that part."""
    cpu_us: float
    """Per answer, user and system time of all its processes."""
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Servers:
    """What is compared."""

    nginx: Server | None
    """None where nginx is not installed."""
    memory: Server
    """A gateway whose memory tier holds everything."""
    disk: Server
    """One whose memory tier holds nothing of 64 MiB."""


def measure_hits(seconds: float) -> list[Table]:
    """Measure every case for `seconds` on each server."""
    with tempfile.TemporaryDirectory() as folder, _servers(Path(folder)) as (servers, packed):
        rows = [_row(case, servers, packed, seconds) for case in CASES]
    bars = (
        f"Bars: 10 KiB at most {CPU_BAR_US} us CPU of the gateway; 64 MiB at least "
        f"{STREAM_BAR:.0%} of nginx's rate. nginx: one worker, sendfile, open_file_cache."
    )
    cost = (
        "CPU is user and system time of the server a request. From memory, blocks were verified "
        "when they came; from disk, every block is hashed again before it is sent."
    )
    columns = (
        "hit",
        "connections",
        "nginx /s",
        "gateway /s",
        "ratio",
        "nginx CPU us",
        "gateway CPU us",
        "gateway MB/s",
        "p99 ms",
        "found in",
        "bar",
    )
    return [Table("Hits against nginx static files", columns, rows, (bars, cost))]


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[Servers, Packed]]:
    packed = pack(folder / "hits.car", {case.name: case.size for case in CASES})
    with ExitStack() as stack:
        origin = stack.enter_context(running_origin(packed.car))
        gateways = [
            stack.enter_context(
                running_gateway(
                    folder / memory,
                    GATEWAY.format(folder=folder / memory, memory=memory, origin=origin),
                    core=cores()[0],
                )
            )
            for memory in ("512MiB", "4MiB")
        ]
        yield Servers(_nginx(stack, folder / "nginx"), *gateways), packed


def _nginx(stack: ExitStack, folder: Path) -> Server | None:
    files = folder / "files"
    files.mkdir(parents=True)
    for case in CASES:
        (files / case.name).write_bytes(random_bytes(case.name, case.size))
    port = free_port()
    (folder / "nginx.conf").write_text(_NGINX.format(port=port))
    try:
        url = f"http://127.0.0.1:{port}"
        return stack.enter_context(running_nginx(folder, url, core=cores()[0]))
    except Missing as exc:
        print(f"without the comparison: {exc}")
        return None


def _row(case: Case, servers: Servers, packed: Packed, seconds: float) -> tuple[str, ...]:
    gateway = servers.disk if case.is_from_disk else servers.memory
    path = f"/ipfs/{packed.root}/{case.name}"
    found_in = [check_body(gateway.url + path, case) for _ in range(_WARM_REQUESTS)][-1]
    ours = _measure(gateway, path, case, seconds)
    theirs = None
    if servers.nginx is not None:
        check_body(f"{servers.nginx.url}/{case.name}", case)
        theirs = _measure(servers.nginx, f"/{case.name}", case, seconds)
    return (
        case.label,
        str(case.connections),
        _rate(theirs.rate) if theirs else "-",
        _rate(ours.rate),
        f"{ours.rate / theirs.rate:.0%}" if theirs else "-",
        f"{theirs.cpu_us:,.0f}" if theirs else "-",
        f"{ours.cpu_us:,.0f}",
        f"{ours.rate * case.size / 1e6:,.0f}",
        f"{ours.p99_ms:.2f}",
        found_in,
        _bar(case, ours, theirs),
    )


def _rate(rate: float) -> str:
    return f"{rate:,.1f}" if rate < 100 else f"{rate:,.0f}"


def _bar(case: Case, ours: Measured, theirs: Measured | None) -> str:
    if case.label == "10 KiB":
        return "held" if ours.cpu_us <= CPU_BAR_US else "MISSED"
    if case.label == "64 MiB" and theirs is not None:
        return "held" if ours.rate >= STREAM_BAR * theirs.rate else "MISSED"
    return ""


def _measure(server: Server, path: str, case: Case, seconds: float) -> Measured:
    url, core = server.url + path, cores()[-1]
    if seconds >= _LONG_ENOUGH_TO_WARM_S:
        make_load(url, 1, case.connections, core=core)
    before = server.cpu_s()
    load = make_load(url, seconds, case.connections, core=core)
    answers = load.requests if case.size < MIB else load.size_bytes / case.size
    cpu_s = server.cpu_s() - before
    return Measured(answers / load.seconds, cpu_s / answers * 1e6, load.p99_ms)


def check_body(url: str, case: Case) -> str:
    """Compare a body with what it should be; return the `detail` of Cache-Status."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        connection.request("GET", address.path)
        response = connection.getresponse()
        found = hashlib.sha256(response.read()).hexdigest()
        status = response.headers.get("Cache-Status", "")
    finally:
        connection.close()
    if found != digest(case.name, case.size):
        raise AssertionError(f"{url} is not what it should be")
    return status.rpartition("detail=")[2] if "detail=" in status else status


if __name__ == "__main__":
    publish("hits", measure_hits(1 if "--smoke" in sys.argv else 3))
