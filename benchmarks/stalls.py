"""Hostile requests, and how long each delays other clients: `python -m benchmarks.stalls`.

A gateway runs as a process. While each input is asked for, a second client asks for a small hot
file, over and over. What counts is the longest time that it waited, without the time for which the
machine had the event loop or the client wait for a core (`/proc/.../schedstat`). Each
input is asked for cold, from an upstream, and again. Then readers take nothing of large answers,
and others ask under a thousand hosts; what counts is the memory that each of them costs.
"""

import argparse
import http.client
import json
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from typing_extensions import override

from benchmarks.data.hostile import Input, block_of, make_inputs, random_names
from benchmarks.report.command import make_parser
from benchmarks.report.tables import Table, publish
from benchmarks.rig.harness import Server, admin_url, running_gateway
from gateway.content.block import Block
from gateway.content.cid import RAW, parse_cid

MIB: Final = 1024 * 1024
BAR_MS: Final = 50.0
BAR_READER_BYTES: Final = MIB
BAR_PAGE_BYTES: Final = 16 * MIB
READERS: Final = 60
HOSTS: Final = 1100
REPEATS: Final = 4
SETTLE_S: Final = 2.0
"""How long a reader that takes nothing is given what it does not take."""

CONFIG: Final = """
[server]
workers = 1
[cache]
directory = "{folder}/cache"
[retrieval]
mode = "{mode}"
[limits]
requests = ""
[log]
access = "off"
[hosts."localhost"]
subdomains = true
[[upstreams]]
name = "here"
url = "http://127.0.0.1:{port}"
tier = "public"
"""


class _Origin(BaseHTTPRequestHandler):
    """Serves blocks, one at a time."""

    protocol_version = "HTTP/1.1"
    blocks: dict[bytes, Block]

    def do_GET(self) -> None:
        """Answer with a block; of CARs it knows nothing."""
        text = self.path.partition("?")[0].removeprefix("/ipfs/").partition("/")[0]
        block = self.blocks.get(parse_cid(text).multihash)
        data = b"" if block is None or "format=raw" not in self.path else block.data
        self.send_response(200 if data else 404 if "format=raw" in self.path else 400)
        self.send_header("Content-Type", "application/vnd.ipld.raw")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_HEAD = do_GET  # noqa: N815 (its caller's name)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def running_origin(blocks: dict[bytes, Block]) -> Iterator[int]:
    """Serve blocks on a port of loopback, from threads of this process."""
    handler = type("Origin", (_Origin,), {"blocks": blocks})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Watcher:
    """A client that asks for something small and hot, and sees how long the loop was busy."""

    def __init__(self, server: Server, target: str) -> None:
        parts = urlsplit(server.url)
        self._request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 0), 30)
        self._stat = Path(f"/proc/{server.pid}/task/{server.pid}/schedstat")
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        self.stall_ms = self.waited_ms = 0.0
        """The longest: without and with what the machine had both threads wait for a core."""

    def ask(self) -> None:
        """Ask once, and take the times."""
        queued_ns, began = self._queued_ns(), time.perf_counter()
        self._socket.sendall(self._request)
        self._socket.recv(64 * 1024)
        waited_ms = (time.perf_counter() - began) * 1000
        self.waited_ms = max(self.waited_ms, waited_ms)
        self.stall_ms = max(self.stall_ms, waited_ms - (self._queued_ns() - queued_ns) / 1e6)

    def _queued_ns(self) -> int:
        own = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        return sum(int(stat.read_text().split()[1]) for stat in (self._stat, own))

    def __enter__(self) -> Self:
        self.stall_ms = self.waited_ms = 0.0
        self._is_over.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(0.001):
            self.ask()


def ask(server: Server, asked: Input) -> tuple[str, int]:
    """Ask for an input; return the status, or what is wrong with the head, and the body's bytes."""
    parts = urlsplit(server.url)
    headers = {"Host": f"{asked.host}:{parts.port}"} if asked.host else {}
    size = 0
    with closing(http.client.HTTPConnection(parts.netloc, timeout=120)) as connection:
        connection.request("GET", asked.target, headers={**headers, **asked.headers})
        try:
            response = connection.getresponse()
        except http.client.LineTooLong:
            return "head > 64 KiB", 0
        with suppress(http.client.IncompleteRead):
            while piece := response.read(MIB):
                size += len(piece)
    return str(response.status), size


def measure_stalls(server: Server, watcher: Watcher, inputs: Sequence[Input]) -> Table:
    """Ask for each input, cold and again."""
    rows = []
    for asked in inputs:
        before = server.rss_bytes()
        with watcher:
            status, size = ask(server, asked)
        cold_ms = watcher.stall_ms
        with watcher:
            for _ in range(REPEATS):
                ask(server, asked)
        grown = server.rss_bytes() - before
        figures = (cold_ms, watcher.stall_ms, watcher.waited_ms)
        shown = [f"{ms:.1f}" for ms in figures] + [f"{grown / MIB:.1f}"]
        holds = "yes" if max(figures[:2]) <= BAR_MS else "NO"
        rows.append((asked.name, status, f"{size / MIB:.2f}", *shown, holds))
    columns = ("input", "status", "MiB", "cold ms", "again ms", "waited ms", "RSS + MiB", "holds")
    return Table(f"the longest the loop was busy; bar {BAR_MS:.0f} ms", columns, rows)


def measure_orders(admin: str, watcher: Watcher, inputs: Sequence[Input]) -> Table:
    """Have what is in memory warmed, pinned and purged."""
    rows = []
    for asked in inputs:
        root = asked.blocks[0].cid
        for order, key in (
            ("warm", "cids"),
            ("pins", "add"),
            ("pins", "remove"),
            ("purge", "cids"),
        ):
            with watcher:
                said = _post(f"{admin}/api/v1/{order}", {key: [str(root)]})
                time.sleep(SETTLE_S)
            holds = "yes" if watcher.stall_ms <= BAR_MS else "NO"
            rows.append((f"{order} {key}: {asked.name}", said, f"{watcher.stall_ms:.1f}", holds))
    return Table("orders of operators", ("order", "status", "stall ms", "holds"), rows)


def _post(url: str, body: object) -> str:
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 (http:// of ours)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (likewise)
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read()[:80]!r}"


def measure_readers(server: Server, inputs: Sequence[Input]) -> Table:
    """Have readers ask for large answers and take nothing of them."""
    rows = []
    for asked in inputs:
        ask(server, asked)
        before = server.rss_bytes()
        with ExitStack() as readers:
            for _ in range(READERS):
                readers.enter_context(_asking(server, asked))
            time.sleep(SETTLE_S)
            each = (server.rss_bytes() - before) / READERS
        holds = "yes" if each <= BAR_READER_BYTES else "NO"
        rows.append((asked.name, f"{each / MIB:.2f}", holds))
        time.sleep(0.5)
    return Table(f"{READERS} readers that take nothing", ("answer", "MiB each", "holds"), rows)


@contextmanager
def _asking(server: Server, asked: Input) -> Iterator[None]:
    parts = urlsplit(server.url)
    host = f"{asked.host}:{parts.port}" if asked.host else parts.netloc
    lines = [f"GET {asked.target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in asked.headers.items()]
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((parts.hostname, parts.port))
        client.sendall("\r\n".join((*lines, "", "")).encode())
        yield


def measure_hosts(server: Server, target: str) -> Table:
    """Ask under many hosts; a later one must still get hot answers."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    before = server.rss_bytes()
    found = ""
    for host in (*random_names(HOSTS), *["later.example"] * 5):
        connection.request("GET", target, headers={"Host": host})
        response = connection.getresponse()
        response.read()
        found = response.headers.get("Cache-Status", "")
    grown = f"{(server.rss_bytes() - before) / MIB:.1f}"
    holds = "yes" if "detail=hot" in found else "NO"
    columns = ("hosts", "RSS + MiB", "then", "holds")
    return Table("a later host after many", columns, [(str(HOSTS), grown, found, holds)])


def measure(mode: str, *, is_short: bool) -> list[Table]:
    """Measure all in a gateway of one mode."""
    inputs, small = make_inputs(), block_of(RAW, b"small and hot\n")
    blocks = {block.cid.multihash: block for each in inputs for block in each.blocks}
    blocks[small.cid.multihash] = small
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(running_origin(blocks))
        config = CONFIG.format(folder=folder, mode=mode, port=port)
        server = stack.enter_context(running_gateway(folder, config))
        watcher = Watcher(server, f"/ipfs/{small.cid}")
        for _ in range(20):
            watcher.ask()
        tables = [measure_stalls(server, watcher, inputs)]
        if not is_short:
            orders = [each for each in inputs if "CAR of" in each.name]
            url = admin_url(folder / "gateway.toml")
            tables.append(measure_orders(url, watcher, orders))
            tables.append(measure_readers(server, [each for each in inputs if not each.host]))
            tables.append(measure_hosts(server, f"/ipfs/{small.cid}"))
    return tables


def main() -> None:
    """Measure, and print what came out."""
    parser: argparse.ArgumentParser = make_parser("benchmarks.stalls", __doc__)
    parser.add_argument("--mode", choices=("car", "block"), default="car")
    parser.add_argument(
        "--short",
        action="store_true",
        help="measure the requests, not the memory of stalled readers",
    )
    asked = parser.parse_args()
    publish("stalls", measure(asked.mode, is_short=asked.short))


if __name__ == "__main__":
    main()
