import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ops.lines import PIPE_BUF, LineWriter


class Pipe:
    """A pipe whose other end is read when the test wants."""

    def __init__(self) -> None:
        self.out, self.fd = os.pipe()

    def read(self) -> bytes:
        return os.read(self.out, 1 << 20)

    def close(self) -> None:
        for fd in (self.out, self.fd):
            os.close(fd)


@pytest.fixture(name="pipe")
def pipe_fixture() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_lines_arrive_by_themselves_and_in_order(pipe: Pipe) -> None:
    writer = LineWriter(pipe.fd)
    writer.write(b"one\n")
    writer.write(b"two\n")
    received = pipe.read()
    while not received.endswith(b"two\n"):
        received += pipe.read()
    assert received == b"one\ntwo\n"
    writer.close()


def test_close_loses_nothing(tmp_path: Path) -> None:
    lines = [b"line %d\n" % number for number in range(50_000)]
    with (tmp_path / "log").open("wb") as file:
        writer = LineWriter(file.fileno())
        for line in lines:
            writer.write(line)
        writer.close()
    assert (tmp_path / "log").read_bytes() == b"".join(lines)


def test_lines_after_close_are_written_too(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        writer = LineWriter(file.fileno())
        writer.write(b"one\n")
        writer.close()
        writer.write(b"two\n")
        writer.close()
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_flush_returns_when_all_is_written(pipe: Pipe) -> None:
    writer = LineWriter(pipe.fd)
    writer.write(b"one\n")
    writer.flush()
    os.set_blocking(pipe.out, False)
    assert pipe.read() == b"one\n"
    writer.close()


def test_a_pipe_gets_whole_lines_at_once(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    write = os.write

    def noted(fd: int, data: memoryview) -> int:
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", noted)
    writer = LineWriter(pipe.fd)
    for _ in range(100):
        writer.write(b"x" * 99 + b"\n")
    writer.close()
    assert sum(sizes) == 10_000
    assert all(size <= PIPE_BUF and size % 100 == 0 for size in sizes)


def test_threads_do_not_tear_lines(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        writer = LineWriter(file.fileno())
        threads = [threading.Thread(target=_write_5000, args=(writer,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.close()
    assert (tmp_path / "log").read_bytes() == b"a whole line\n" * 20_000


def _write_5000(writer: LineWriter) -> None:
    for _ in range(5000):
        writer.write(b"a whole line\n")


def _fill(fd: int) -> None:
    """Write until nothing more fits."""
    os.set_blocking(fd, False)
    try:
        while True:
            os.write(fd, b"x" * PIPE_BUF)
    except BlockingIOError:
        pass


def test_a_stuck_reader_costs_lines_but_never_blocks(pipe: Pipe) -> None:
    _fill(pipe.fd)
    writer = LineWriter(pipe.fd, max_pending=100)
    for _ in range(1000):
        writer.write(b"y" * 499 + b"\n")
    received: list[bytes] = []
    reader = threading.Thread(target=_read_to_end, args=(pipe.out, received))
    reader.start()
    writer.close()
    os.write(pipe.fd, b"end")
    reader.join()
    lines = b"".join(received).lstrip(b"x").splitlines()
    kept = lines.count(b"y" * 499)
    assert 0 < kept < 1000
    assert lines[-2] == b'{"event":"log_lines_dropped","count":%d}' % (1000 - kept)


def _read_to_end(fd: int, received: list[bytes]) -> None:
    while not received or not received[-1].endswith(b"end"):
        received.append(os.read(fd, 1 << 20))


@pytest.mark.parametrize(
    "blocks", [pytest.param(True, id="blocking"), pytest.param(False, id="not-blocking")]
)
def test_closing_does_not_wait_for_ever_for_a_stuck_reader(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, *, blocks: bool
) -> None:
    monkeypatch.setattr("gateway.ops.lines.STUCK_S", 0.01)
    monkeypatch.setattr("gateway.ops.lines.CLOSE_S", 0.3)
    _fill(pipe.fd)
    os.set_blocking(pipe.fd, blocks)
    writer = LineWriter(pipe.fd)
    writer.write(b"one\n")
    writer.close()
    pipe.read()  # frees the thread


def test_a_reader_that_is_gone_is_no_error() -> None:
    out, fd = os.pipe()
    os.close(out)
    writer = LineWriter(fd)
    writer.write(b"one\n")
    writer.close()
    os.close(fd)
