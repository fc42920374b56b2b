"""The nginx configuration of this repository, run by the real nginx before the real gateway."""

import http.client
import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from benchmarks.rig.harness import free_port, program, running_gateway, running_nginx
from gateway.demo.pack import write_car
from gateway.demo.runner import running_origin
from tests.integration.conftest import peers_or_skip
from tests.integration.nginx_stack import (
    BROKEN_BYTES,
    GATEWAY,
    LARGE,
    LONG_NAMES,
    MIB,
    REQUESTS,
    SMALL,
    Stack,
    build_content,
    configure,
    turn_response_cache_on,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60), pytest.mark.xdist_group("nginx")]

_LOGGED_S = 5.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    car = folder / "content.car"
    root = str(write_car(car, build_content(), lambda _: None).cid)
    port = free_port()
    with running_origin(car) as origin:
        config = GATEWAY.format(folder=folder, origin=origin)
        with running_gateway(folder / "gateway", config) as gateway:
            configure(folder / "nginx", port, urlsplit(gateway.url).netloc)
            url = f"http://127.0.0.1:{port}"
            with peers_or_skip(), running_nginx(folder / "nginx", url) as nginx:
                yield Stack(nginx, gateway, folder, root)


def test_the_bytes_are_those_of_the_gateway(stack: Stack) -> None:
    answer = stack.ask(f"/ipfs/{stack.root}/large.bin", "127.0.0.11")
    assert answer.status == 200
    assert answer.body == LARGE
    assert answer.headers["Content-Length"] == str(len(LARGE))
    assert "ipfs-gateway" in answer.headers["Cache-Status"]


def test_a_range_is_passed_on(stack: Stack) -> None:
    answer = stack.ask(
        f"/ipfs/{stack.root}/large.bin", "127.0.0.12", {"Range": "bytes=1048570-1048585"}
    )
    assert answer.status == 206
    assert answer.body == LARGE[1048570:1048586]


def test_the_path_is_passed_on_as_it_was_written(stack: Stack) -> None:
    answer = stack.ask(f"/ipfs/{stack.root}/small.txt%2Fx", "127.0.0.13")
    assert answer.status == 404
    assert b"small.txt/x" in answer.body


def test_an_etag_is_answered_with_304(stack: Stack) -> None:
    path = f"/ipfs/{stack.root}/small.txt"
    etag = stack.ask(path, "127.0.0.14").headers["Etag"]
    answer = stack.ask(path, "127.0.0.14", {"If-None-Match": etag})
    assert (answer.status, answer.body) == (304, b"")


def test_a_path_header_of_eight_kibibytes_passes(stack: Stack) -> None:
    path = quote("/".join((f"/ipfs/{stack.root}", *LONG_NAMES, "deep.txt")))
    assert 7900 < len(path) <= 8192
    answer = stack.ask(path, "127.0.0.15")
    assert (answer.status, answer.body) == (200, b"deep")
    assert len(answer.headers["X-Ipfs-Path"]) > 2500
    redirect = stack.ask(path.removesuffix("/deep.txt"), "127.0.0.15")
    assert redirect.status == 301
    assert len(redirect.headers["Location"]) > 7800


@pytest.mark.parametrize(
    ("client", "field", "value"),
    [
        pytest.param("127.0.0.21", "X-Forwarded-For", "203.0.113.{}", id="forwarded-for"),
        pytest.param("127.0.0.22", "X-Forwarded-For", "127.0.0.1, 203.0.113.{}", id="list"),
        pytest.param("127.0.0.23", "Forwarded", "for=203.0.113.{}", id="forwarded"),
        pytest.param("127.0.0.24", "X-Real-IP", "203.0.113.{}", id="real-ip"),
        pytest.param("127.0.0.25", "X_Forwarded_For", "203.0.113.{}", id="underscores"),
    ],
)
def test_a_client_cannot_pose_as_another(stack: Stack, client: str, field: str, value: str) -> None:
    path = f"/ipfs/{stack.root}/small.txt"
    statuses = [
        stack.ask(path, client, {field: value.format(number)}).status
        for number in range(REQUESTS + 2)
    ]
    assert statuses == [200] * REQUESTS + [429] * 2
    assert stack.ask(path, f"{client}0").status == 200  # another client has its own limit


def _entries(log: Path, client: str) -> list[dict[str, Any]]:
    """Return what a log says of a client; both servers write it after the answer has gone."""
    deadline = time.monotonic() + _LOGGED_S
    while True:
        lines = [line for line in log.read_text().splitlines() if client in line]
        if lines or time.monotonic() > deadline:
            return [json.loads(line) for line in lines]
        time.sleep(0.02)


def test_the_gateway_logs_the_real_address(stack: Stack) -> None:
    path = f"/ipfs/{stack.root}/small.txt"
    stack.ask(path, "127.0.0.61", {"X-Forwarded-For": "203.0.113.99"})
    assert _entries(stack.gateway.log, '"127.0.0.61"')
    assert "203.0.113.99" not in stack.gateway.log.read_text()


def test_nginx_logs_the_real_address_and_what_the_cache_did(stack: Stack) -> None:
    stack.ask(f"/ipfs/{stack.root}/small.txt", "127.0.0.62")
    (entry,) = _entries(stack.folder / "nginx" / "logs" / "access.log", '"127.0.0.62"')
    assert entry["client"] == "127.0.0.62"
    assert entry["cache"].startswith("ipfs-gateway")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"])
def test_other_methods_are_refused_with_what_is_allowed(stack: Stack, method: str) -> None:
    answer = stack.ask(f"/ipfs/{stack.root}/small.txt", "127.0.0.63", method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def _request(*lines: str) -> bytes:
    return "\r\n".join((*lines, "Connection: close", "", "")).encode("latin-1")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(
            _request("GET / HTTP/1.1", "Host: localhost", f"X-Large: {'x' * 9000}"),
            b"400",
            id="field-of-9000-bytes",
        ),
        pytest.param(
            _request(
                "GET / HTTP/1.1",
                "Host: localhost",
                *(f"X-{number}: {'x' * 8000}" for number in range(8)),
            ),
            b"400",
            id="64-KB-of-fields",
        ),
        pytest.param(
            _request("GET / HTTP/1.1", "Host: localhost", *(f"X-{n}: 1" for n in range(101))),
            b"400",
            id="103-fields",
        ),
        pytest.param(
            _request(f"GET /{'x' * 9000} HTTP/1.1", "Host: localhost"), b"414", id="long-url"
        ),
        pytest.param(_request("GET / HTTP/1.1"), b"400", id="no-host"),
        pytest.param(
            _request("GET / HTTP/1.1", "Host: localhost", "Host: localhost"),
            b"400",
            id="two-hosts",
        ),
        pytest.param(_request("GET / HTTP/1.1", "Host: evil.example"), b"421", id="foreign"),
        pytest.param(_request("GET / HTTP/1.1", "Host: u@localhost"), b"421", id="userinfo"),
        pytest.param(_request("GET / HTTP/1.1", "Host: a/b?c="), b"400", id="path-in-host"),
        pytest.param(_request("GET / HTTP/1.1", f"Host: {'a' * 300}"), b"421", id="host-of-300"),
        pytest.param(
            _request(
                "GET / HTTP/1.1",
                "Host: localhost",
                "Content-Length: 5",
                "Transfer-Encoding: chunked",
            ),
            b"400",
            id="length-and-chunked",
        ),
        pytest.param(
            _request("GET / HTTP/1.1", "Host: localhost", "Content-Length: 2048"),
            b"413",
            id="large-body",
        ),
        pytest.param(_request("GET /%00 HTTP/1.1", "Host: localhost"), b"400", id="nul"),
    ],
)
def test_nginx_refuses_what_the_gateway_should_never_see(
    stack: Stack, data: bytes, status: bytes
) -> None:
    answer = stack.send(data, "127.0.0.64")
    assert answer.split(b"\r\n")[0].split()[1] == status


@pytest.mark.parametrize(
    "drip",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n", id="no-end"),
    ],
)
def test_a_slow_head_is_cut_in_time(stack: Stack, drip: bytes) -> None:
    started = time.monotonic()
    answer = stack.send(drip, "127.0.0.65")
    assert 3 < time.monotonic() - started < 10
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408")


def test_a_broken_upstream_is_a_broken_answer(stack: Stack) -> None:
    head = (f"GET /ipfs/{stack.root}/broken.bin HTTP/1.1", "Host: localhost")
    answer = stack.send(_request(*head), "127.0.0.66")
    header, _, body = answer.partition(b"\r\n\r\n")
    assert header.startswith(b"HTTP/1.1 200")
    assert f"content-length: {BROKEN_BYTES}".encode() in header.lower()
    assert len(body) < BROKEN_BYTES
    assert body == b"".join(bytes([n]) * MIB for n in range(8))[: len(body)]


def test_the_response_cache_works_when_it_is_turned_on(stack: Stack, tmp_path: Path) -> None:
    folder, port = tmp_path / "nginx", free_port()
    configure(folder, port, urlsplit(stack.gateway.url).netloc)
    turn_response_cache_on(folder)
    with running_nginx(folder, f"http://127.0.0.1:{port}") as nginx:
        behind = Stack(nginx, stack.gateway, folder, stack.root)
        path = f"/ipfs/{stack.root}/small.txt"
        first, second = (behind.ask(path, "127.0.0.67") for _ in range(2))
    assert first.body == second.body == SMALL
    assert second.headers["X-Proxy-Cache"] == "HIT"
    for name in ("RateLimit-Remaining", "RateLimit-Limit", "RateLimit-Policy", "Server-Timing"):
        assert name not in second.headers, f"{name} was about another client"


def test_the_response_cache_keeps_answers_apart_that_a_field_of_the_request_changes(
    stack: Stack, tmp_path: Path
) -> None:
    """Issue 12, 7: a worker's script came from the cache, and so did the answer to a probe."""
    folder, port = tmp_path / "nginx", free_port()
    configure(folder, port, urlsplit(stack.gateway.url).netloc)
    turn_response_cache_on(folder)
    clients = (f"127.0.1.{number}" for number in range(1, 255))
    with running_nginx(folder, f"http://127.0.0.1:{port}") as nginx:
        behind = Stack(nginx, stack.gateway, folder, stack.root)

        def ask(method: str, path: str, *fields: str) -> tuple[int, bytes]:
            line = f"{method} /ipfs/{stack.root}{path} HTTP/1.1"
            answer = behind.send(
                _request(line, "Host: localhost", *fields, "Connection: close"), next(clients)
            )
            return int(answer.split(b" ", 2)[1]), answer

        assert ask("GET", "/small.txt")[0] == 200
        for value in (
            "only-if-cached",
            "no-transform, ONLY-IF-CACHED",
            "0\r\nCache-Control: only-if-cached",
        ):
            for _ in range(2):
                probed = ask("HEAD", "/small.txt", f"Cache-Control: {value}")
                assert probed[0] == 200
            plain = ask("HEAD", "/small.txt")[1].lower()
            assert b"content-length: 13\r\n" in plain
            assert b"etag: " in plain
        assert ask("GET", "?format=raw")[0] == 200
        assert ask("GET", "")[0] == 301
        for _ in range(2):
            assert ask("GET", "", "Service-Worker: script")[0] == 400
            assert ask("GET", "")[0] == 301
        both = ("Accept: text/plain", "Accept: text/html")  # the key has the first alone
        assert ask("GET", "/nothing", *both)[0] == 404
        assert b"content-type: text/plain" in ask("GET", "/nothing", both[0])[1].lower()


def test_tls_works_when_it_is_turned_on(stack: Stack, tmp_path: Path) -> None:
    folder, port = tmp_path / "nginx", free_port()
    configure(folder, port, urlsplit(stack.gateway.url).netloc)
    certificate, key = _make_certificate(folder)
    tls = folder / "site" / "tls.conf"
    live = "/etc/letsencrypt/live/ipfs.example.com"
    tls.write_text(
        tls.read_text()
        .replace(f"{live}/fullchain.pem", str(certificate))
        .replace(f"{live}/privkey.pem", str(key))
    )
    plain = free_port()
    (folder / "site" / "listen.conf").write_text(
        f"listen 127.0.0.1:{plain};\nlisten 127.0.0.1:{port} ssl http2;\ninclude site/tls.conf;\n"
    )
    context = ssl.create_default_context(cafile=str(certificate))
    with running_nginx(folder, f"http://127.0.0.1:{plain}"):
        connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
        connection.request("GET", f"/ipfs/{stack.root}/small.txt")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, SMALL)
        assert connection.sock.version() == "TLSv1.3"
        connection.close()


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of localhost for an hour, signed by itself."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    with peers_or_skip():
        openssl = program("openssl", "apt-get install openssl")
    subprocess.run(  # noqa: S603 (fixed arguments, no shell)
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
