import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks.rig.generator import LoadFailed
from benchmarks.rig.harness import Missing, Server, free_port, program, running
from benchmarks.rig.sequence import (
    Ask,
    Asks,
    Run,
    ask_all,
    compare,
    in_turn,
    read_figures,
    write_script,
)
from tests.refusal import check_refused

BODIES = {"/one": b"1" * 100, "/two": b"2" * 100}
ASKS = [Ask(path, 100, partial(BODIES.__getitem__, path)) for path in BODIES]
FIGURES = (
    'figures: {{"requests": {requests}, "us": 500000, "bytes": {size}, "p50": 1500, "p99": 9000, '
    '"wrong": {wrong}, "statuses": 0, "sockets": 0, "timeouts": 0}}\n'
)


@pytest.fixture(name="server", scope="module")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("files")
    for path, body in BODIES.items():
        (folder / path[1:]).write_bytes(body)
    port = free_port()
    command = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", folder, port)
    with running(command, f"http://127.0.0.1:{port}", folder / "log") as server:
        yield server


@pytest.fixture(name="wrk")
def wrk_fixture() -> Path:
    try:
        return program("wrk", "apt-get install wrk")
    except Missing as exc:
        pytest.skip(str(exc))


def test_a_script_has_the_requests_and_their_order(tmp_path: Path) -> None:
    asks = Asks([ASKS[0], Ask("/x", 5, bytes, 206, (("Range", "bytes=0-4"),))], [1, 0])
    write_script(tmp_path, "http://h:1", Asks(asks.asks[1:], [0, 0]), Run(1, start=3))
    heads = (tmp_path / "heads").read_text()
    assert heads == "GET /x HTTP/1.1\tHost: h:1\tRange: bytes=0-4\t\t\n"
    assert (tmp_path / "order").read_text() == "1\n1\n"
    assert "local at, seen, count = 1, 0, 0" in (tmp_path / "load.lua").read_text()


def test_a_host_of_its_own_replaces_that_of_the_server() -> None:
    ask = Ask("/", 0, bytes, headers=(("Host", "cid.ipfs.localhost"),))
    assert ask.head("127.0.0.1:1") == "GET / HTTP/1.1\tHost: cid.ipfs.localhost\t\t"


def test_figures_are_read() -> None:
    load = read_figures(FIGURES.format(requests=10, size=2000, wrong=0), in_turn(ASKS), Run(1))
    assert (load.requests, load.rate, load.p50_ms, load.p99_ms) == (10, 20, 1.5, 9)


@pytest.mark.parametrize(
    ("output", "run", "told"),
    [
        pytest.param(
            FIGURES.format(requests=10, size=2000, wrong=1), Run(1), "'wrong': 1", id="wrong"
        ),
        pytest.param(FIGURES.format(requests=10, size=999, wrong=0), Run(1), "bytes", id="short"),
        pytest.param(
            FIGURES.format(requests=9, size=2000, wrong=0), Run(1, count=10), "of 9", id="too-few"
        ),
        pytest.param(
            FIGURES.format(requests=0, size=0, wrong=0), Run(1), "of 0", id="nobody-answers"
        ),
        pytest.param("unable to connect", Run(1), "unable to connect", id="no-figures"),
    ],
)
def test_figures_of_a_run_that_failed_are_refused(output: str, run: Run, told: str) -> None:
    check_refused(LoadFailed, told, read_figures, output, in_turn(ASKS), run)


@pytest.mark.usefixtures("wrk")
def test_a_counted_run_ends_with_its_last_answer(server: Server) -> None:
    load = ask_all(server.url, in_turn(ASKS), Run(2, count=50, is_checked=True))
    assert load.requests >= 50
    assert server.log.read_text().count("GET /two") >= 24


@pytest.mark.usefixtures("wrk")
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(Ask("/one", 99, bytes), id="length"),
        pytest.param(Ask("/one", 100, bytes, 206), id="status"),
    ],
)
def test_a_checked_run_refuses_answers_that_are_not_as_they_should_be(
    server: Server, ask: Ask
) -> None:
    check_refused(
        LoadFailed,
        "'wrong': 4",
        ask_all,
        server.url,
        in_turn([ask]),
        Run(1, count=4, is_checked=True),
    )


def test_bodies_are_compared_to_the_byte(server: Server) -> None:
    assert compare(server.url, in_turn(ASKS), 5) == {"-": 5}
    with pytest.raises(AssertionError, match="has 200, 100 bytes"):
        compare(server.url, in_turn([Ask("/one", 100, lambda: b"2" * 100)]), 1)
