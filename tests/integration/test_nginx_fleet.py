"""nginx before several gateways on Unix sockets: a CID keeps to its process, a host to its URL."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.rig.harness import (
    Server,
    free_port,
    program,
    running_gateway,
    running_nginx,
)
from gateway.content.build import Build, Built, build_directory, build_file
from gateway.demo.pack import write_car
from gateway.demo.runner import running_origin
from tests.integration.conftest import peers_or_skip
from tests.integration.nginx_stack import Answer, Stack, configure, turn_response_cache_on

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90), pytest.mark.xdist_group("nginx")]

FILES = tuple(b"file %d" % number for number in range(16))
HOST = "gw.example"
GATEWAYS = 2
LOGGED_S = 10.0
CONFIG = """
[server]
trusted_proxies = ["unix"]
[hosts."gw.example"]
[cache]
directory = "{folder}/cache"
[limits]
requests = ""
[log]
access = "json"
[[upstreams]]
name = "origin"
url = "{origin}"
tier = "cluster"
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """nginx, its gateways, and what they have."""

    stack: Stack
    gateways: tuple[ExitStack, ...]
    """By socket; closing one ends its gateway."""
    logs: tuple[Path, ...]
    cids: tuple[str, ...]

    def ask(self, path: str, host: str = HOST, headers: dict[str, str] | None = None) -> Answer:
        return self.stack.ask(path, "127.0.0.1", {"Host": host, **(headers or {})})

    @property
    def port(self) -> int:
        return self.stack.address[1]

    def chosen(self) -> dict[str, set[str]]:
        """Return the gateways that answered, by CID, since the last time; waits for the log."""
        log = self.stack.folder / "nginx" / "logs" / "access.log"
        found: dict[str, set[str]] = {}
        for entry in entries(log, len(self.cids)):
            cid = entry["request"].split()[1].removeprefix("/ipfs/")
            found.setdefault(cid, set()).add(entry["gateway"].rpartition(", ")[2])
        log.write_text("")
        return found


def entries(log: Path, least: int) -> list[dict[str, str]]:
    deadline = time.monotonic() + LOGGED_S
    while True:
        lines = [line for line in log.read_text().splitlines() if "/ipfs/" in line]
        if len(lines) >= least or time.monotonic() > deadline:
            return [json.loads(line) for line in lines]
        time.sleep(0.02)


@pytest.fixture(name="fleet", scope="module")
def fleet_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("f")) as fleet:
        yield fleet


@pytest.fixture(autouse=True, scope="module")
def _need_nginx() -> None:
    with peers_or_skip():
        program("nginx", "apt-get install nginx-light")


@contextmanager
def running_fleet(folder: Path, *, is_cached: bool = False) -> Iterator[Fleet]:
    car = folder / "content.car"
    cids: list[str] = []
    root = str(write_car(car, _build(cids), lambda _: None).cid)
    sockets = [folder / f"{number}.sock" for number in range(GATEWAYS)]
    port, nginx_folder = free_port(), folder / "nginx"
    names = tuple(f"unix:{socket}" for socket in sockets)
    configure(nginx_folder, port, *names, url_port=f":{port}")
    hosts = f"server_name {HOST} *.ipfs.{HOST} *.ipns.{HOST};\n"
    (nginx_folder / "site" / "names.conf").write_text(hosts)
    if is_cached:
        turn_response_cache_on(nginx_folder)
        policy = nginx_folder / "response-cache.conf"
        policy.write_text(policy.read_text().replace("200 301 1m", "200 301 1s"))
    with ExitStack() as stack:
        origin = stack.enter_context(running_origin(car))
        gateways = tuple(stack.enter_context(ExitStack()) for _ in sockets)
        servers = [
            _start(gateway, folder / f"gateway-{name.stem}", name, origin)
            for gateway, name in zip(gateways, sockets, strict=True)
        ]
        server = stack.enter_context(running_nginx(nginx_folder, f"http://127.0.0.1:{port}"))
        logs = tuple(gateway.log for gateway in servers)
        yield Fleet(Stack(server, servers[0], folder, root), gateways, logs, tuple(cids))


def _start(stack: ExitStack, folder: Path, socket: Path, origin: str) -> Server:
    config = CONFIG.format(folder=folder, origin=origin)
    return stack.enter_context(running_gateway(folder, config, listen=f"unix:{socket}"))


def _build(cids: list[str]) -> Build:
    """Build a folder of files; adds the CIDs of those."""
    files: list[Built] = []
    for data in FILES:
        file = yield from build_file(data)
        files.append(file)
    cids += [str(file.cid) for file in files]
    return (yield from build_directory([(f"{n}.txt", file) for n, file in enumerate(files)]))


def test_a_redirect_to_a_subdomain_has_the_port_of_the_world(fleet: Fleet) -> None:
    answer = fleet.ask(f"/ipfs/{fleet.cids[0]}")
    assert answer.status in (301, 302)
    expected = f"http://{fleet.cids[0]}.ipfs.{HOST}:{fleet.port}/"
    assert answer.headers["Location"] == expected


def test_a_subdomain_has_its_content(fleet: Fleet) -> None:
    answer = fleet.ask("/3.txt", f"{fleet.stack.root}.ipfs.{HOST}:{fleet.port}")
    assert (answer.status, answer.body) == (200, FILES[3])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("X-Forwarded-Host", "evil.example", id="host"),
        pytest.param("X-Forwarded-Proto", "gopher", id="proto"),
        pytest.param("X-Forwarded-Port", "1", id="port"),
        pytest.param("Forwarded", "host=evil.example;proto=https", id="forwarded"),
    ],
)
def test_a_client_cannot_change_the_urls_of_redirects(fleet: Fleet, name: str, value: str) -> None:
    answer = fleet.ask(f"/ipfs/{fleet.cids[1]}", HOST, {name: value})
    expected = f"http://{fleet.cids[1]}.ipfs.{HOST}:{fleet.port}/"
    assert answer.headers["Location"] == expected


def test_the_host_behind_an_absolute_url_is_not_believed(fleet: Fleet) -> None:
    head = f"GET http://{HOST}/ipfs/{fleet.cids[2]} HTTP/1.1\r\nHost: evil.example\r\n"
    answer = fleet.stack.send(f"{head}Connection: close\r\n\r\n".encode(), "127.0.0.1")
    location = re.search(rb"(?i)\r\nlocation: ([^\r]*)", answer)
    assert location is not None
    assert location[1].decode() == f"http://{fleet.cids[2]}.ipfs.{HOST}:{fleet.port}/"


def test_a_cid_keeps_to_its_gateway_and_moves_only_when_that_goes(tmp_path: Path) -> None:
    with running_fleet(tmp_path) as fleet:
        for _ in range(2):
            assert {fleet.ask(f"/ipfs/{cid}").status for cid in fleet.cids} == {301}
        before = fleet.chosen()
        fleet.gateways[0].close()
        assert {fleet.ask(f"/ipfs/{cid}").status for cid in fleet.cids} == {301}
        after = fleet.chosen()
    gone = f"unix:{tmp_path}/0.sock"
    assert {len(names) for names in before.values()} == {1}
    assert len(set.union(*before.values())) == GATEWAYS
    stayed = {cid: names for cid, names in before.items() if names != {gone}}
    assert {cid: after[cid] for cid in stayed} == stayed


def test_the_response_cache_asks_again_and_hears_that_nothing_changed(tmp_path: Path) -> None:
    with running_fleet(tmp_path, is_cached=True) as fleet:
        host = f"{fleet.stack.root}.ipfs.{HOST}"
        first = fleet.ask("/5.txt", host)
        assert (first.body, first.headers["X-Proxy-Cache"]) == (FILES[5], "MISS")
        deadline = time.monotonic() + LOGGED_S
        while not any('"status":304' in log.read_text() for log in fleet.logs):
            assert time.monotonic() < deadline
            assert fleet.ask("/5.txt", host).body == FILES[5]
            time.sleep(0.1)  # nginx has a limit, too
        again = fleet.ask("/5.txt", host)
        assert (again.body, again.headers["Etag"]) == (FILES[5], first.headers["Etag"])
        assert again.headers["X-Proxy-Cache"] != "MISS"
