"""Herds, upstreams that die, places on the map, and requests that no client should send."""

import asyncio
import hashlib
import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import mode

import pytest

from benchmarks.rig.harness import running_delay
from tests.integration.behind_nginx import NO_STATUS, expected_statuses
from tests.integration.conftest import MIB, World, gateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.xdist_group("kubo")]

GEO_DATABASE = Path(__file__).parent.parent / "data" / "maxmind" / "GeoIP2-City-Test.mmdb"
SWEDEN, JAPAN, UNITED_STATES = "89.160.20.112", "2001:218::1", "216.160.83.56"


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


async def _herd(port: int, path: str, clients: int) -> list[str]:
    """Return the SHA-256 of the body that each of many clients got, all at once."""
    barrier = asyncio.Barrier(clients)

    async def client() -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4 * MIB)
        await barrier.wait()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        digest = hashlib.sha256()
        while piece := await reader.read(MIB):
            digest.update(piece)
        writer.close()
        return digest.hexdigest()

    return await asyncio.gather(*(client() for _ in range(clients)))


async def test_a_thousand_clients_of_one_cold_file_cause_one_fetch(
    world: World, folder: Path
) -> None:
    with gateway(folder, world.url) as running:
        path = f"/ipfs/{world.cids['v1-10MiB']}"
        digests = await _herd(_port(running.server.url), path, 1000)
        fetched = running.api("cache")["bytes_fetched"]
    assert digests == [world.range_of("v1-10MiB", 0, 10 * MIB)] * 1000
    assert fetched <= 1.05 * 10 * MIB


def test_an_upstream_that_dies_in_mid_body_is_not_felt(world: World, folder: Path) -> None:
    with ExitStack() as one, ExitStack() as other, ExitStack() as living:
        links = {"upstream-0": one, "upstream-1": other}
        urls = [link.enter_context(running_delay(_port(world.url), 0)) for link in links.values()]
        running = living.enter_context(gateway(folder, *urls))
        connection = http.client.HTTPConnection("127.0.0.1", _port(running.server.url), timeout=60)
        connection.request("GET", f"/ipfs/{world.cids['v0-300MiB']}")
        response = connection.getresponse()
        digest = hashlib.sha256(response.read(4 * MIB))
        asked = {row["name"]: row["requests"] for row in running.api("upstreams")}
        dead = max(asked, key=asked.__getitem__)
        links.pop(dead).close()
        while piece := response.read(MIB):
            digest.update(piece)
        connection.close()
        requests = {row["name"]: row["requests"] for row in running.api("upstreams")}
    assert digest.hexdigest() == world.range_of("v0-300MiB", 0, 300 * MIB)
    assert asked[dead] >= 1
    assert all(requests[name] > asked[name] for name in links)


def test_a_body_that_nobody_can_finish_is_cut_visibly(world: World, folder: Path) -> None:
    with ExitStack() as dying, ExitStack() as living:
        first = dying.enter_context(running_delay(_port(world.url), 0))
        running = living.enter_context(gateway(folder, first))
        connection = http.client.HTTPConnection("127.0.0.1", _port(running.server.url), timeout=60)
        connection.request("GET", f"/ipfs/{world.cids['v0-300MiB']}")
        response = connection.getresponse()
        response.read(4 * MIB)
        dying.close()
        with pytest.raises(http.client.IncompleteRead, match="bytes read"):
            response.read()
        connection.close()


def test_clients_are_served_from_the_nearest_upstream(world: World, folder: Path) -> None:
    places = {
        "stockholm": ("SE", 59.33, 18.07),
        "tokyo": ("JP", 35.68, 139.69),
        "seattle": ("US", 47.61, -122.33),
    }
    with ExitStack() as stack:
        doors = {name: ExitStack() for name in places}
        tables = ""
        for name, (country, latitude, longitude) in places.items():
            url = doors[name].enter_context(running_delay(_port(world.url), 0))
            stack.enter_context(doors[name])
            tables += (
                f'[[upstreams]]\nname = "{name}"\nurl = "{url}"\ntier = "cluster"\n'
                f'country = "{country}"\nlatitude = {latitude}\nlongitude = {longitude}\n'
            )
        extra = f'[geoip]\ndatabase = "{GEO_DATABASE}"\n{tables}'
        running = stack.enter_context(
            gateway(folder, extra=extra, server='trusted_proxies = ["127.0.0.1"]')
        )

        def who_serves(client: str, name: str) -> str:
            before = {row["name"]: row["bytes"] for row in running.api("upstreams")}
            answer = running.get(f"/ipfs/{world.cids[name]}", X_Forwarded_For=client)
            assert answer.sha256 == world.range_of(name, 0, 400 * MIB)
            after = {row["name"]: row["bytes"] for row in running.api("upstreams")}
            return max(places, key=lambda place: after[place] - before[place])

        # One may come from elsewhere: a busy core delays an answer by more than an ocean does.
        def most_often(client: str, *names: str) -> str:
            return mode(who_serves(client, name) for name in names)

        assert most_often(SWEDEN, "v0-MiB", "v0-leaf-1", "v1-leaf") == "stockholm"
        assert most_often(JAPAN, "v0-MiB+1", "v0-leaf", "v1-leaf+1") == "tokyo"
        assert most_often(UNITED_STATES, "v1-MiB+1", "v0-leaf+1", "v1-1") == "seattle"
        doors["stockholm"].close()
        assert who_serves(SWEDEN, "v0-10MiB") == "seattle"


@pytest.fixture(name="alive", scope="module")
def alive_fixture(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the port of one gateway for all requests, and look at the end that it lives."""
    with gateway(tmp_path_factory.mktemp("alive"), world.url) as running:
        yield _port(running.server.url)
        assert running.get("/ipfs/bafkqaaa").status == 200


HOST = "Host: h\r\n"
CID = "bafkqaaa"


@pytest.mark.parametrize(
    ("line", "fields", "statuses"),
    [
        # The request line and the path
        ("GET /ipfs/ HTTP/1.1", HOST, {400}),
        ("GET /ipfs HTTP/1.1", HOST, {400, 404}),
        ("GET /ipfs// HTTP/1.1", HOST, {400}),
        ("GET /ipfs/QmInvalidCID HTTP/1.1", HOST, {400}),
        ("GET /ipfs/bafybadcid HTTP/1.1", HOST, {400}),
        ("GET /ipfs/" + "b" + "a" * 300 + " HTTP/1.1", HOST, {400}),
        ("GET /ipfs/" + "z" + "1" * 7000 + " HTTP/1.1", HOST, {400}),
        ("GET /ipfs/" + "a" * 20000 + " HTTP/1.1", HOST, {414}),
        ("GET /ipfs/../metrics HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}/../../x HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}/%2e%2e/%2e%2e/x HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}/%c0%ae HTTP/1.1", HOST, {404}),  # names are bytes
        (f"GET /ipfs/{CID}/%ff HTTP/1.1", HOST, {404}),
        (f"GET /ipfs/{CID}/%00 HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}/%zz HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}/% HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}/%0d%0aSet-Cookie:x HTTP/1.1", HOST, {404}),
        (f"GET /ipfs/{CID}/a/b HTTP/1.1", HOST, {404}),
        (f"GET /ipfs/{CID}/" + "a/" * 1000 + " HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}/\xff HTTP/1.1", HOST, {400}),
        ("GET @evil HTTP/1.1", HOST, {400}),
        ("GET ipfs/x HTTP/1.1", HOST, {400}),
        ("GET * HTTP/1.1", HOST, {400}),
        ("GET  HTTP/1.1", HOST, {400}),
        ("GET /ipfs/x", HOST, {400}),
        (f"GET /ipfs/{CID} HTTP/9.9", HOST, {400, 505}),
        (f"GET /ipfs/{CID} HTTP/1.1 x", HOST, {400}),
        ("\x16\x03\x01\x00\x01\x01", "", {400}),
        # Methods
        (f"PUT /ipfs/{CID} HTTP/1.1", HOST, {405}),
        (f"POST /ipfs/{CID} HTTP/1.1", HOST, {405}),
        (f"DELETE /ipfs/{CID} HTTP/1.1", HOST, {405}),
        (f"PURGE /ipfs/{CID} HTTP/1.1", HOST, {405}),
        (f"TRACE /ipfs/{CID} HTTP/1.1", HOST, {405}),
        (f"BREW /ipfs/{CID} HTTP/1.1", HOST, {400}),
        (f"get /ipfs/{CID} HTTP/1.1", HOST, {400}),
        ("X" * 8000 + f" /ipfs/{CID} HTTP/1.1", HOST, {400}),
        # CIDs that are well-formed and not to be had
        (
            "GET /ipfs/bafkreif2pall7dybz7vecqka3zo24irdwabwdi4wc55jznaq75q7eaavv HTTP/1.1",
            HOST,
            {400},
        ),
        ("GET /ipfs/f01551204aabbccdd HTTP/1.1", HOST, {400}),
        ("GET /ipfs/f015500" + "8102" + "00" * 257 + " HTTP/1.1", HOST, {400}),
        ("GET /ipfs/f0155d50110" + "00" * 16 + " HTTP/1.1", HOST, {400}),
        ("GET /ipfs/BAFKQAAA=== HTTP/1.1", HOST, {400}),
        ("GET /ipfs/bAFKQAAA HTTP/1.1", HOST, {400}),
        # Hosts
        (f"GET /ipfs/{CID} HTTP/1.1", "", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + HOST, {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", "Host: a/b?c=\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", "Host: u@b\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", "Host: a b\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", "Host: [::1]:99999\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", "Host: " + "a" * 300 + "\r\n", {400}),
        # Framing and sizes of heads
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + "Content-Length: 5\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + "Content-Length: -1\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + "Content-Length: +5\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + "Transfer-Encoding: chunked\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + "Transfer-Encoding: xchunked\r\n", {400}),
        (
            f"GET /ipfs/{CID} HTTP/1.1",
            HOST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            {400},
        ),
        (f"GET /ipfs/{CID} HTTP/1.1", "Host : h\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + ": no name\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + "A: \x00\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + "A: b\r\n" * 101, {431}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + "A: " + "b" * 70000 + "\r\n", {431}),
        # Parameters
        (f"GET /ipfs/{CID}?format=car&dag-scope=foo HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}?format=car&entity-bytes=5:1 HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}?format=car&entity-bytes=a:b HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}?format=car&car-version=2 HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID}?format=car&car-dups=maybe HTTP/1.1", HOST, {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + "Accept: application/vnd.ipld.nope\r\n", {400}),
        (f"GET /ipfs/{CID} HTTP/1.1", HOST + "Service-Worker: script\r\n", {400}),
    ],
)
def test_a_malformed_request_gets_its_4xx(
    alive: int, line: str, fields: str, statuses: set[int]
) -> None:
    request = f"{line}\r\n{fields}\r\n"
    assert _send(alive, request) in expected_statuses(request, statuses)


def _send(port: int, request: str) -> int:
    """Send bytes as they are and return the status of what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode("latin-1"))
        try:
            answer = connection.recv(65536)
        except ConnectionResetError:
            return NO_STATUS
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else NO_STATUS
