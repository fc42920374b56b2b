"""nginx with the configuration of this repository, the gateway and what it serves, for tests."""

import http.client
import re
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.rig.harness import NGINX_FOLDER, Server
from gateway.content.build import Build, build_file, build_symlink
from gateway.demo.pack import Folder

MIB = 1024 * 1024
SMALL = b"a small file\n"
LARGE = bytes(range(256)) * (5 * MIB // 256) + b"the end"
BROKEN_BYTES = 8 * MIB
LONG_NAMES = tuple("é" * 20 + f"-{number:03}" for number in range(64))
"""A path of 64 segments that is nearly 8 KiB long when it is percent-encoded."""
REQUESTS = 6
"""What one address may send at once in these tests."""
RAISED = {
    "rate=100r/s": "rate=1000000r/s",
    # The clock of nginx stands still while it handles up to 512 events: no rate is enough for them.
    "burst=500 nodelay;": "burst=5000 nodelay;",
    "limit_conn ipfs_connections 128;": "limit_conn ipfs_connections 4096;",
}
"""Limits of one address in `gateway.conf`, and what takes their place."""
GATEWAY = f"""
[server]
trusted_proxies = ["127.0.0.1"]
[cache]
directory = "{{folder}}/cache"
[limits]
requests = "1/minute"
burst = {REQUESTS}
[log]
access = "json"
[[upstreams]]
name = "origin"
url = "{{origin}}"
tier = "cluster"
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True, slots=True)
class Stack:
    """nginx, the gateway behind it and the content behind that."""

    nginx: Server
    gateway: Server
    folder: Path
    root: str

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of nginx."""
        url = urlsplit(self.nginx.url)
        return str(url.hostname), int(url.port or 0)

    def ask(
        self,
        path: str,
        client: str,
        headers: dict[str, str] | None = None,
        method: str = "GET",
    ) -> Answer:
        """Send one request from an address of loopback: each is another client."""
        connection = http.client.HTTPConnection(
            *self.address, timeout=20, source_address=(client, 0)
        )
        try:
            connection.request(method, path, headers={"Host": "localhost", **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def send(self, data: bytes, client: str) -> bytes:
        """Send bytes as they are and return all that comes back."""
        with socket.create_connection(
            self.address, timeout=20, source_address=(client, 0)
        ) as connection:
            connection.sendall(data)
            return _receive_all(connection)


def _receive_all(connection: socket.socket) -> bytes:
    received = bytearray()
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return bytes(received)


def build_content() -> Build:
    """Build the content; the last leaf of `broken.bin` is left out of the file."""
    root = Folder()
    root.add(("small.txt",), (yield from build_file(SMALL)))
    root.add(("large.bin",), (yield from build_file(LARGE)))
    root.add((*LONG_NAMES, "deep.txt"), (yield from build_file(b"deep")))
    root.add(("broken.bin",), (yield from _without_last_leaf()))
    root.add(("link",), (yield from build_symlink(b"small.txt")))
    return (yield from root.build())


def _without_last_leaf() -> Build:
    leaves = (bytes([number]) * MIB for number in range(BROKEN_BYTES // MIB))
    build = build_file(leaves)
    while True:
        try:
            block = next(build)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        if block.data[:1] != bytes([BROKEN_BYTES // MIB - 1]):
            yield block


def turn_response_cache_on(folder: Path) -> None:
    """Do what the head of `response-cache.conf` says."""
    described = (folder / "response-cache.conf").read_text().replace("\n#", "")
    zone = re.search(r"proxy_cache_path[^;]*;", described)
    assert zone is not None
    with (folder / "site" / "upstream.conf").open("a") as upstream:
        upstream.write(f"{zone[0]}\n")
    policy = folder / "gateway.conf"
    policy.write_text(policy.read_text().replace("# include response", "include response"))


def configure(folder: Path, port: int, *gateways: str, url_port: str = "") -> None:
    """Copy our configuration; only the files that are a machine's own are written anew.

    Args:
        folder: where to.
        port: of loopback, to listen on.
        gateways: `host:port` or `unix:/path` of each.
        url_port: what URLs have behind the host, such as `:8000`.
    """
    shutil.copytree(NGINX_FOLDER, folder)
    site = folder / "site"
    (site / "listen.conf").write_text(f"listen 127.0.0.1:{port};\n")
    (site / "port.conf").write_text(f'set $ipfs_port "{url_port}";\n')
    upstream = (site / "upstream.conf").read_text()
    (line,) = [line for line in upstream.splitlines() if "server 127.0.0.1:8080 " in line]
    lines = "\n".join(line.replace("127.0.0.1:8080", gateway) for gateway in gateways)
    (site / "upstream.conf").write_text(upstream.replace(line, lines))


def raise_limits(folder: Path) -> None:
    """Let one address, that of all clients in a test, ask as often as a crowd does."""
    policy = folder / "gateway.conf"
    text = policy.read_text()
    for old, new in RAISED.items():
        assert old in text, f"our nginx configuration has no {old!r} any more"
        text = text.replace(old, new)
    policy.write_text(text)
