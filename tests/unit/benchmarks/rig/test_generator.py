import asyncio
from contextlib import suppress

import pytest

from benchmarks.rig.generator import LoadFailed, ask_without_wrk, parse_wrk

_REPORT = """Running 3s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   654.01us  127.75us   3.73ms   86.88%
    Req/Sec    96.32k     4.61k  104.07k    73.33%
  Latency Distribution
     50%  630.00us
     75%  689.00us
     90%  774.00us
     99%    {p99}
  287424 requests in 3.00s, {read} read
Requests/sec:  95796.64
Transfer/sec:      0.92GB
"""


@pytest.mark.parametrize(
    ("p99", "read", "p99_ms", "size_bytes"),
    [
        pytest.param("1.10ms", "2.50GB", 1.1, 2.5 * 2**30, id="gigabytes"),
        pytest.param("850.00us", "12.00MB", 0.85, 12 * 2**20, id="microseconds"),
        pytest.param("1.21s", "512.00B", 1210, 512, id="seconds"),
    ],
)
def test_parse_wrk_reads_every_unit(p99: str, read: str, p99_ms: float, size_bytes: float) -> None:
    load = parse_wrk(_REPORT.format(p99=p99, read=read), 3.0)
    assert load.requests == 287424
    assert load.p50_ms == pytest.approx(0.63)
    assert load.p99_ms == pytest.approx(p99_ms)
    assert load.size_bytes == size_bytes
    assert load.rate == pytest.approx(95808)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("  Non-2xx or 3xx responses: 7\n", "Non-2xx", id="statuses"),
        pytest.param(
            "  Socket errors: connect 0, read 1, write 0, timeout 0\n", "Socket", id="sockets"
        ),
    ],
)
def test_parse_wrk_refuses_a_run_with_errors(line: str, told: str) -> None:
    report = _REPORT.format(p99="1.10ms", read="1.00MB") + line
    with pytest.raises(LoadFailed, match=told):
        parse_wrk(report, 3.0)


def test_parse_wrk_refuses_what_it_does_not_know() -> None:
    with pytest.raises(LoadFailed, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused", 3.0)


async def _serve(answer: bytes) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


async def test_load_without_wrk_counts_whole_answers() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    async with await _serve(answer) as server:
        host, port = server.sockets[0].getsockname()
        load = await ask_without_wrk(f"http://{host}:{port}/x", 0.05, 3)
    assert load.requests >= 3
    assert load.size_bytes == load.requests * len(answer)
    assert 0 < load.p99_ms < 1000


async def test_load_without_wrk_refuses_errors() -> None:
    async with await _serve(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(LoadFailed, match="502 Bad Gateway"):
            await ask_without_wrk(f"http://{host}:{port}/x", 0.05, 1)
