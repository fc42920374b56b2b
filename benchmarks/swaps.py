"""Order of answers on one connection: a slow HEAD, and a hot GET sent soon after it.

The head of the answer to HEAD was once held back while the answer already counted as complete, and
one hot answer in seven was sent before it. Each try sends a HEAD that takes the slow path, waits
for up to 0.9 ms, sends the GET, and then reads both answers. The GET is for a body in memory, or
for one in a file, which the kernel sends; the gateway is one process, or has two workers.
"""

import asyncio
import random
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.data.blocks import numbered
from benchmarks.data.content import KIB
from benchmarks.report.command import make_parser
from benchmarks.report.tables import Table, publish
from benchmarks.restarts import CONFIG
from benchmarks.rig.harness import free_port, running_gateway
from benchmarks.rig.writers import open_cache
from gateway.content.block import Block

TRIES: Final = 10_000  # of each row
TRIES_PER_CONNECTION: Final = 100
LONGEST_WAIT_S: Final = 0.0009
WARM_CONNECTIONS: Final = 24  # the kernel gives some to each worker
WARM_REQUESTS: Final = 6  # until an answer is hot, and its head known to the byte
ASKED: Final = numbered(1, KIB)
"""By HEAD."""
HOT: Final = {
    "in memory": numbered(2, 10 * KIB),
    "in a file": numbered(3, 300 * KIB),
}
"""By GET."""


@dataclass(slots=True)
class Tally:
    """What came of a number of tries."""

    tries: int = 0
    swaps: int = 0
    """Answers to GET that came before the one to HEAD."""
    wrong: int = 0
    """Tries with anything else than the two answers."""
    hot: int = 0
    """Answers to GET that were hot: others cannot overtake."""


class _Client:
    """One connection, read by hand: libraries wait for one answer before they ask again."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host = f"Host: {address.netloc}\r\n".encode()
        where = (address.hostname or "", address.port or 0)
        self._socket = socket.create_connection(where, timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def send(self, method: str, block: Block, more: bytes = b"") -> None:
        """Ask, and wait for nothing."""
        line = f"{method} /ipfs/{block.cid} HTTP/1.1\r\n".encode()
        self._socket.sendall(line + self._host + more + b"\r\n")

    def head(self) -> tuple[int, int, bool]:
        """Read a head; return status, Content-Length, and whether the answer is hot."""
        while b"\r\n\r\n" not in self._read:
            self._receive()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        line, *lines = head.lower().split(b"\r\n")
        fields = dict(one.split(b": ", 1) for one in lines)
        is_hot = b"detail=hot" in fields.get(b"cache-status", b"")
        return int(line.split()[1]), int(fields[b"content-length"]), is_hot

    def body(self, size: int) -> bytes:
        """Read a body."""
        while len(self._read) < size:
            self._receive()
        body, self._read = self._read[:size], self._read[size:]
        return body

    def _receive(self) -> None:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the gateway closed the connection")
        self._read += data

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def try_swaps(url: str, hot: Block, tries: int, chance: random.Random) -> Tally:
    """Try so often, on connections of `TRIES_PER_CONNECTION` each."""
    tally = Tally()
    while tally.tries < tries:
        with closing(_Client(url)) as client:
            for _ in range(min(TRIES_PER_CONNECTION, tries - tally.tries)):
                tally.tries += 1
                if not _try_once(client, hot, chance, tally):
                    break
    return tally


def _try_once(client: _Client, hot: Block, chance: random.Random, tally: Tally) -> bool:
    """Try once; False when the connection is of no use any more."""
    client.send("HEAD", ASKED, b"X-Try: %d\r\n" % tally.tries)
    until = time.perf_counter() + chance.random() * LONGEST_WAIT_S
    while time.perf_counter() < until:
        pass
    client.send("GET", hot)
    status, length, _ = client.head()
    if (status, length) != (200, len(ASKED.data)):
        tally.swaps += length == len(hot.data)
        tally.wrong += length != len(hot.data)
        return False
    status, length, is_hot = client.head()
    is_right = (status, length) == (200, len(hot.data)) and client.body(length) == hot.data
    tally.hot += is_hot
    tally.wrong += not is_right
    return is_right


def _warm(url: str, hot: Block) -> None:
    for _ in range(WARM_CONNECTIONS):
        with closing(_Client(url)) as client:
            for _ in range(WARM_REQUESTS):
                client.send("GET", hot)
                client.body(client.head()[1])


async def _fill(directory: Path) -> None:
    store = await open_cache(directory)
    for block in (ASKED, *HOT.values()):
        await store.keep(block)
    await store.close()


def measure_swaps(tries: int = TRIES) -> Table:
    """Try each kind of body, with one process and with two workers."""
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(_fill(folder / "cache"))
        for workers in (1, 2):
            config = CONFIG.format(workers=workers, folder=folder, port=free_port())
            with running_gateway(folder / "gateway", config) as server:
                for kind, block in HOT.items():
                    _warm(server.url, block)
                    tally = try_swaps(server.url, block, tries, random.Random(workers))
                    rows.append(_row(workers, kind, tally))
    return swaps_table(rows)


def _row(workers: int, kind: str, tally: Tally) -> tuple[str, ...]:
    is_held = not tally.swaps and not tally.wrong
    figures = (tally.tries, tally.hot, tally.swaps, tally.wrong)
    bar = "0 and 0" if is_held else "0 and 0: MISSED"
    return (str(workers), kind, *(f"{figure:,}" for figure in figures), bar)


def swaps_table(rows: Sequence[tuple[str, ...]]) -> Table:
    """Return the table of all rows."""
    columns = ("workers", "hot body", "tries", "hot", "swapped", "wrong", "bar")
    return Table("HEAD, and a hot GET right after it", columns, rows)


def main() -> None:
    """Print the table; the exit code is 1 when a bar is missed."""
    parser = make_parser("benchmarks.swaps", __doc__)
    parser.add_argument("--tries", type=int, default=TRIES)
    table = measure_swaps(parser.parse_args().tries)
    publish("swaps", [table])
    if any("MISSED" in row[-1] for row in table.rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
